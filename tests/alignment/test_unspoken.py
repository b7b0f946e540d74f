"""Phrases that nobody spoke are found, and the others keep their times."""

import numpy as np
import pytest

from khmer_aligned.alignment.thresholds import Thresholds
from khmer_aligned.alignment.unspoken import _Fit, _most_in_order, _runs, misfit_limit

UNSPOKEN = "ពួកគេស្រលាញ់សាលា និងមិត្តភក្តិ"


def unspoken_text(alignment):
    words = [w for w, phrase in zip(alignment.words, alignment.unspoken, strict=True) if phrase]
    return alignment.transcript.raw[words[0].span[0] : words[-1].span[1]] if words else ""


def test_a_sentence_that_nobody_spoke_is_found(aligned):
    alignment = aligned["school"]
    assert unspoken_text(alignment) == UNSPOKEN
    for word, phrase in zip(alignment.words, alignment.unspoken, strict=True):
        if phrase:
            assert word.start == word.end and word.score == 0
            assert phrase.misfit > 0.6 and phrase.distance > 0.7
    assert unspoken_text(aligned["farm"]) == ""


def test_its_threshold_decides(align_one, waveforms, texts):
    keep_all = Thresholds(sure_misfit=2.0, unspoken_misfit=2.0)
    alignment = align_one(waveforms["school"], texts["school"], thresholds=keep_all)
    assert unspoken_text(alignment) == ""


def test_of_a_text_that_is_wrong_everywhere_nothing_is_dropped_or_trusted(
    align_one, waveforms, texts
):
    alignment = align_one(waveforms["market"], texts["journey"][:300])
    assert unspoken_text(alignment) == ""
    assert not alignment.fit.understood
    misfits = [phrase.misfit.mean for phrase in alignment.fit.phrases]
    assert np.median(misfits) > 0.6
    assert min(misfits) > alignment.fit.limit


def test_a_right_text_fits(aligned):
    fit = aligned["farm"].fit
    assert fit.understood and fit.median < 0.1
    assert fit.limit == Thresholds().sure_misfit
    assert max(phrase.misfit.mean for phrase in fit.phrases) < fit.limit


@pytest.mark.parametrize(
    ("median", "limit"),
    [(0.0, 0.45), (0.15, 0.45), (0.2, 0.5), (0.4, 0.7), (0.7, 0.7), (0.71, 0.0)],
)
def test_the_limit_moves_with_the_recording(median, limit):
    assert misfit_limit(median, 0.7, Thresholds()) == pytest.approx(limit)


def test_of_exchanged_lines_one_is_unspoken_and_no_other_moves(
    aligned, align_one, waveforms, texts
):
    sentences = texts["farm"].split("។ ")
    sentences[1], sentences[2] = sentences[2], sentences[1]
    alignment = align_one(waveforms["farm"], "។ ".join(sentences))
    assert unspoken_text(alignment) in sentences[1:3]
    behind = 2 + len("។ ".join(sentences[:3]))
    starts, expected = (
        [word.start for word in a.words if word.span[0] >= behind]
        for a in (alignment, aligned["farm"])
    )
    assert len(starts) > 50
    assert starts == pytest.approx(expected, abs=0.05)


@pytest.mark.parametrize(
    ("fits", "expected"),
    [
        ([], []),
        ([_Fit(3, 0, 9, 5), _Fit(4, 9, 20, 5)], [3, 4]),
        ([_Fit(3, 0, 9, 5), _Fit(4, 8, 20, 6)], [4]),  # they overlap
        ([_Fit(3, 50, 60, 9), _Fit(4, 0, 9, 5), _Fit(5, 9, 20, 5)], [4, 5]),
    ],
)
def test_the_most_tokens_in_order_are_put_back(fits, expected):
    assert _most_in_order(fits) == expected


def test_neighbours_are_grouped():
    assert _runs([1, 2, 5, 7, 8, 9], lambda k: -1) == [[1, 2], [5], [7, 8, 9]]


def test_neighbours_in_two_bounds_are_apart():
    assert _runs([1, 2, 3, 4], lambda k: int(k > 2)) == [[1, 2], [3, 4]]
