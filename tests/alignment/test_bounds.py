"""Paths through made-up emissions, each part of a text in its frames."""

from types import SimpleNamespace

import numpy as np
import pytest

from khmer_aligned.alignment import viterbi
from khmer_aligned.alignment.bounds import (
    Bound,
    align_within,
    bound_frames,
    bound_index,
    find_overfull,
)

BLANK, A, B, STAR = 0, 1, 2, 3
ALIGNER = SimpleNamespace(blank=BLANK, vocabulary=("-", "a", "b"))


def emission(greedy):
    """Log-probabilities (T, 3) whose greedy tokens are those of a string."""
    probabilities = np.full((len(greedy), 3), 0.05, np.float32)
    for frame, token in enumerate(greedy):
        probabilities[frame, "-ab".index(token)] = 0.9
    return np.log(probabilities)


def target(*words):
    """Words of a character for each token, with a star around each."""
    ids, ranges, spans, position = [STAR], [], [], 0
    for word in words:
        ranges.append((len(ids), len(ids) + len(word)))
        ids += [*word, STAR]
        spans.append((position, position + len(word)))
        position += len(word) + 1
    transcript = SimpleNamespace(words=[SimpleNamespace(span=span) for span in spans])
    return SimpleNamespace(ids=np.array(ids, np.int32), ranges=ranges, transcript=transcript)


def find(greedy, bounds, *words):
    """Where each word is: its frames [first, last)."""
    sought = target(*words)
    path = align_within(emission(greedy), sought, bounds, ALIGNER)
    spans = viterbi.merge(path, sought.ids)
    assert path.score == pytest.approx(float(path.log_probs.sum()), abs=1e-4)
    return [(int(spans.start[lo]), int(spans.end[hi - 1])) for lo, hi in sought.ranges]


def test_of_two_equal_places_a_word_takes_the_one_in_its_bound():
    greedy = "-ab--ab--ab-"
    for start, expected in ((0, (1, 3)), (4, (5, 7)), (8, (9, 11))):
        assert find(greedy, (Bound(0, start, start + 4),), [A, B]) == [expected]


def test_words_stay_in_their_bounds_and_the_rest_is_the_stars():
    greedy = "ab-ab-ab-ab-"
    bounds = Bound(0, 3, 6), Bound(3, 9, 12)
    assert find(greedy, bounds, [A, B], [A, B]) == [(3, 5), (9, 11)]
    sought = target([A, B], [A, B])
    spans = viterbi.merge(align_within(emission(greedy), sought, bounds, ALIGNER), sought.ids)
    (before, between, behind) = np.flatnonzero(sought.ids == STAR)
    assert spans.end[before] <= 3
    assert 6 <= spans.start[between] < spans.end[between] <= 9
    assert spans.start[behind] == spans.end[behind]


def test_without_bounds_it_is_the_best_path():
    sought, frames = target([A, B], [B, A]), emission("-ab-ba-")
    path = align_within(frames, sought, (), ALIGNER)
    best = viterbi.align(frames, sought.ids, BLANK, STAR)
    assert path.position.tolist() == best.position.tolist()
    one = align_within(frames, sought, (Bound(0, 0, 7),), ALIGNER)
    assert one.score == pytest.approx(best.score)


def test_a_bound_that_is_too_short_is_known_beforehand():
    sought = target([A, B], [A, A])
    assert find_overfull(sought, (Bound(0, 0, 2), Bound(3, 2, 5)), STAR) == set()
    assert find_overfull(sought, (Bound(0, 0, 1), Bound(3, 2, 4)), STAR) == {0, 1}


def test_a_character_is_in_the_last_bound_that_begins_before_it():
    bounds = Bound(0, 3, 6), Bound(3, 9, 12)
    assert [bound_index(bounds, k) for k in (0, 2, 3, 9)] == [0, 0, 1, 1]
    assert bound_frames(bounds, 2, 20) == (3, 6)
    assert bound_frames((), 2, 20) == (0, 20)
