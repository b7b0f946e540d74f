"""Phrases that nobody spoke are found, and the others keep their times."""

import numpy as np
import pytest

from khmer_aligned.alignment.thresholds import Thresholds
from khmer_aligned.alignment.unspoken import _Fit, _most_in_order, _runs

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
            assert phrase.distance > 0.7
    assert unspoken_text(aligned["farm"]) == ""


def test_its_threshold_decides(align_one, waveforms, texts):
    keep_all = Thresholds(unspoken_distance=2.0)
    alignment = align_one(waveforms["school"], texts["school"], thresholds=keep_all)
    assert unspoken_text(alignment) == ""


def test_a_text_that_is_wrong_everywhere_is_left_to_its_scores(align_one, waveforms, texts):
    alignment = align_one(waveforms["market"], texts["journey"][:300])
    assert unspoken_text(alignment) == ""
    assert np.mean([token.score for token in alignment.tokens]) < 0.45


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
    assert _runs([1, 2, 5, 7, 8, 9]) == [[1, 2], [5], [7, 8, 9]]
