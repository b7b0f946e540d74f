"""The thresholds of an alignment and of its clips, each with where its value comes from."""

from __future__ import annotations

from dataclasses import dataclass

from khmer_aligned.options import check_options, option


@dataclass(frozen=True, slots=True)
class Thresholds:
    """What counts as a pause, as an unspoken phrase, and as a clip worth keeping.

    A distance is the edits between the tokens of a text and the aligner's greedy tokens over the
    same audio, per token of the text: 0 where they are equal, about 1 where nothing agrees. A
    score is the mean probability of tokens where they are aligned, 0 to 1.
    """

    # Pauses and word ends, by the recording's level in dB on the way from its noise floor (0) to
    # its speech (1). Word ends before a pause, against 360 true ones: late by 60 ms (median) at
    # 0.3, 25 ms at 0.6, 10 ms at 0.7, and off by more than 100 ms 23, 6 and 5 % of the time.
    quiet_level: float = option(
        0.3,
        "Level under which audio is quiet, from 0 (the recording's noise) to 1 (its speech); "
        "higher finds more pauses.",
        above=0,
        below=1,
    )
    end_level: float = option(
        0.6,
        "Level under which a word has ended, from 0 (the recording's noise) to 1 (its speech); "
        "higher ends words earlier.",
        above=0,
        below=1,
    )
    min_pause: float = option(
        0.15,
        "Shortest quiet, in seconds, that counts as a pause; clips are cut at pauses only.",
        above=0,
    )
    max_pause: float = option(
        2.0, "Longest pause, in seconds, inside a clip; a new clip begins behind it.", above=0
    )
    max_untranscribed: float = option(
        0.3,
        "Longest speech without text, in seconds, that is let pass; a new clip begins behind more.",
        at_least=0,
    )

    # Unspoken phrases. With an error rate of 0.15 per letter, by line: the worst right line in a
    # hundred has a distance of 0.35 and a score of 0.62, the best wrong one 0.50 and 0.44. A short
    # phrase needs the low score, too: a name that is spelled unlike it is read has the distance,
    # not the score.
    unspoken_distance: float = option(
        0.45,
        "Distance from what the aligner hears over which a phrase counts as not spoken; higher "
        "keeps more phrases.",
        at_least=0,
    )
    unspoken_score: float = option(
        0.5,
        "Score under which a short phrase counts as not spoken, if it is too distant as well; "
        "lower keeps more phrases.",
        at_least=0,
        at_most=1,
    )
    unspoken_margin: float = option(
        0.25,
        "How much more distant than the recording's median phrase an unspoken one has to be; "
        "higher keeps more phrases.",
        at_least=0,
    )
    max_median_distance: float = option(
        0.4,
        "Median distance of a recording's phrases over which the aligner understands the voice "
        "too badly to call any phrase unspoken.",
        at_least=0,
    )

    # Clips. Of 76 clips with right text and 77 with wrong text: scores 0.66 to 0.89 and 0.15 to
    # 0.63 (95 % below 0.43), worst scores 0.30 to 0.79 and 0.00 to 0.63, distances 0.02 to 0.28
    # and 0.55 to 3.0. Khmer is read at about 12 characters a second.
    min_score: float = option(
        0.45,
        "Reject clips with a lower score; higher keeps fewer clips.",
        at_least=0,
        at_most=1,
    )
    min_worst_score: float = option(
        0.15,
        "Reject clips whose worst 15 tokens in a row have a lower score; higher keeps fewer clips.",
        at_least=0,
        at_most=1,
    )
    max_distance: float = option(
        0.55,
        "Reject clips that are more distant from what the aligner hears; lower keeps fewer clips.",
        at_least=0,
    )
    max_unspelled: float = option(
        0.1,
        "Reject clips with a larger share of words that the aligner cannot spell.",
        at_least=0,
        at_most=1,
    )
    min_rate: float = option(2.0, "Reject clips with fewer characters a second.", at_least=0)
    max_rate: float = option(30.0, "Reject clips with more characters a second.", above=0)
    min_seconds: float = option(0.3, "Reject shorter clips.", at_least=0)

    def __post_init__(self) -> None:
        check_options(self)


DEFAULT = Thresholds()
