"""The rules that keep a piece or reject it, on both sides of each limit."""

from dataclasses import replace

import pytest

from khmer_aligned.alignment.thresholds import Thresholds
from khmer_aligned.clips.cut import cut
from khmer_aligned.clips.quality import Figures, judge, measure

GOOD = Figures(
    seconds=5.0,
    score=0.8,
    distance=0.1,
    misfit=0.1,
    worst=0.2,
    limit=0.45,
    understood=True,
    star=0.0,
    unspelled=0.0,
    rate=12.0,
    longest=0.3,
    labels=100,
    fits=True,
)
RATE = "text too long or too short for its audio"
# The figure, the last value that is kept, the first that is rejected, and the reason.
RULES = [
    ("unspoken", False, True, "not spoken where the transcript has it"),
    ("seconds", 0.3, 0.29, "too short"),
    ("unspelled", 0.1, 0.11, "holds words that the aligner cannot spell"),
    ("rate", 2.0, 1.9, RATE),
    ("rate", 30.0, 30.1, RATE),
    ("misfit", 0.45, 0.46, "the audio fits other text as well"),
    ("worst", 0.95, 0.96, "the audio fits other text as well in one place"),
    ("distance", 0.65, 0.66, "the aligner hears something else"),
    ("fits", True, False, "no pause to cut at within the budget of labels and seconds"),
]


def test_good_figures_are_kept():
    assert judge(GOOD, Thresholds()) is True


@pytest.mark.parametrize(("figure", "kept", "rejected", "reason"), RULES)
def test_each_rule_has_its_limit(figure, kept, rejected, reason):
    assert judge(replace(GOOD, **{figure: kept}), Thresholds()) is True
    assert judge(replace(GOOD, **{figure: rejected}), Thresholds()) == (False, reason)


@pytest.mark.parametrize(
    ("threshold", "value", "figure"),
    [
        ("min_seconds", 5.1, "seconds"),
        ("max_unspelled", 0.2, "unspelled"),
        ("min_rate", 12.1, "rate"),
        ("max_rate", 11.9, "rate"),
        ("max_distance", 0.09, "distance"),
    ],
)
def test_each_threshold_moves_its_limit(threshold, value, figure):
    figures = replace(GOOD, unspelled=0.21) if figure == "unspelled" else GOOD
    thresholds = Thresholds(**{threshold: value})
    reasons = {reason for name, _, _, reason in RULES if name == figure}
    verdict = judge(figures, thresholds)
    assert verdict is not True
    assert {verdict[1]} == reasons


def test_a_recording_that_is_not_understood_is_named_as_such():
    figures = replace(GOOD, misfit=0.6, limit=0.55, understood=False)
    verdict = judge(figures, Thresholds())
    assert verdict is not True and "does not understand this voice or room" in verdict[1]


def test_the_worst_second_may_be_worse_by_its_margin():
    figures = replace(GOOD, worst=0.7)
    assert judge(figures, Thresholds()) is True
    assert judge(figures, Thresholds(worst_margin=0.2)) is not True


def test_of_several_broken_rules_the_first_is_the_reason():
    for k, (figure, _, rejected, reason) in enumerate(RULES):
        later = {name: bad for name, _, bad, _ in reversed(RULES[k:])}
        figures = replace(GOOD, **(later | {figure: rejected}))
        assert judge(figures, Thresholds()) == (False, reason)


def test_figures_of_good_clips_are_good_and_of_unspoken_words_those_of_their_phrase(aligned):
    alignment, samples = aligned["school"]
    pieces = cut(alignment, samples, lambda written, spoken: len(written), 220, Thresholds())
    count = 0
    for piece in pieces:
        figures = measure(alignment, piece)
        phrase = alignment.unspoken[piece.first]
        assert figures.unspoken == (phrase is not None)
        assert figures.labels == piece.labels
        if phrase:
            count += 1
            assert figures.misfit > figures.limit and figures.rate == 0
        else:
            assert judge(figures, Thresholds()) is True
            assert figures.score > 0.6 and figures.misfit <= figures.worst < 0.9
            assert figures.distance < 0.3
            assert 5 < figures.rate < 20
            assert figures.longest < figures.seconds < 30
    assert count == 1


def test_figures_as_a_row_are_rounded():
    row = replace(GOOD, score=0.123456).as_row()
    assert row["score"] == 0.1235
    assert set(row) >= {"seconds", "distance", "rate", "fits"}
