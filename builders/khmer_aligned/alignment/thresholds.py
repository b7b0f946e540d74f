"""The thresholds of an alignment and of its clips, each with where its value comes from."""

from __future__ import annotations

from dataclasses import dataclass

from khmer_aligned.options import check_options, option


@dataclass(frozen=True, slots=True)
class Thresholds:
    """What counts as a pause, as an unspoken phrase, and as a clip worth keeping.

    A misfit is how far a text falls short of the aligner's greedy tokens over the same audio: 0
    where it is what the aligner would choose itself, 1 where it fits no better than its tokens in
    other orders.
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

    # Text that does not fit. Read sentences, one line in three wrong, from clean to 5 dB of noise
    # and a room of 1 s, two recordings each. The median misfit of a recording is 0.06 to 0.57; 95 %
    # of the right phrases are below 0.16 (clean) to 0.79 (the room), 95 % of the wrong ones above
    # 0.62 to 0.88. Clips with 0.7 in place of 0.55: 11 % of them wrong in the worst conditions. A
    # voice that the aligner hardly knows has a median of 0.53.
    unspoken_misfit: float = option(
        0.7,
        "Misfit over which a phrase counts as not spoken, in any recording; higher keeps more "
        "phrases.",
        above=0,
        at_most=2,
    )
    max_misfit: float = option(
        0.55,
        "Reject clips with a higher misfit, in any recording; higher keeps more clips, more of "
        "them wrong.",
        above=0,
        at_most=2,
    )
    sure_misfit: float = option(
        0.45,
        "Misfit that is let pass in every recording.",
        at_least=0,
        at_most=2,
    )
    misfit_margin: float = option(
        0.3,
        "How much worse than the recording's median phrase text may fit; higher keeps more clips.",
        at_least=0,
    )
    max_median_misfit: float = option(
        0.4,
        "Median misfit of a recording's phrases over which the aligner does not understand it; "
        "the reason of its rejections then says so.",
        at_least=0,
        at_most=1,
    )
    worst_margin: float = option(
        0.5,
        "How much over that limit the worst 15 tokens in a row may be; higher keeps more clips.",
        at_least=0,
    )
    # Speech around a short text, which its misfit cannot see. Of 16 wrong clips in the 7 worst
    # conditions 5 are over 0.65, of 410 right ones 36.
    max_distance: float = option(
        0.65,
        "Reject clips that are more distant from what the aligner hears, in edits per token; lower "
        "keeps fewer clips.",
        at_least=0,
    )

    # Clips. Khmer is read at about 12 characters a second.
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
