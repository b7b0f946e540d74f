"""The times of captions against those of the alignment."""

from types import SimpleNamespace

import numpy as np

from khmer_aligned.alignment.align import Timed
from khmer_aligned.clips.cues import find_far_cues
from khmer_aligned.schema import Cue

COUNT = 20


def an_alignment(starts):
    """Captions of 10 characters and 2 s, of one word each."""
    words = [
        Timed("ក", start, start + 2, 1.0, (10 * k, 10 * k + 9)) for k, start in enumerate(starts)
    ]
    return SimpleNamespace(words=words, unspoken=[None] * len(words))


def cues(starts):
    return [Cue(10 * k, 10 * k + 9, start, start + 2) for k, start in enumerate(starts)]


TRUE = 3.0 * np.arange(COUNT)


def test_an_offset_and_a_drift_are_no_fault():
    for shown in (TRUE, TRUE + 2, TRUE - 7, TRUE * 1.01 + 2, TRUE * 25 / 24):
        assert find_far_cues(an_alignment(TRUE), cues(shown)) == []


def test_a_caption_aligned_elsewhere_is_found_beside_drift_and_noise():
    spoken = TRUE + np.random.default_rng(0).normal(0, 0.7, COUNT)
    spoken[4] += 30
    spoken[11] -= 12
    far = find_far_cues(an_alignment(spoken), cues(TRUE * 1.01 + 2))
    assert [cue.span for cue in far] == [(40, 49), (110, 119)]
    assert far[0].seconds > 25
    assert far[1].seconds < -8


def test_times_that_are_not_of_this_recording_tell_nothing():
    shuffled = np.random.default_rng(1).permutation(40 * TRUE)
    assert find_far_cues(an_alignment(TRUE), cues(shuffled)) == []
    assert find_far_cues(an_alignment(TRUE), []) == []
    assert find_far_cues(an_alignment(TRUE[:2]), cues(TRUE[:2] + np.array([0, 90]))) == []


def test_an_unspoken_caption_is_not_judged():
    spoken = TRUE.copy()
    spoken[4] += 30
    alignment = an_alignment(spoken)
    alignment.unspoken[4] = object()
    assert find_far_cues(alignment, cues(TRUE)) == []
