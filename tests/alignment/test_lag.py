"""The lag of a model whose lag is known."""

import numpy as np
import pytest

from khmer_aligned.alignment.energy import HOP_SECONDS, Energy
from khmer_aligned.alignment.lag import estimate_lag

PAUSES = np.array([[t, t + 0.5] for t in range(1, 7)])
ONSETS = PAUSES[:, 1]
CLEAR, STOPS = np.ones(6, bool), np.zeros(6, bool)


@pytest.fixture(scope="module")
def energy():
    """Speech with a pause of half a second every second."""
    quiet = np.zeros(800, bool)
    for start, end in PAUSES:
        quiet[round(start / HOP_SECONDS) : round(end / HOP_SECONDS)] = True
    decibels = np.where(quiet, -60, -20).astype(np.float32)
    return Energy(decibels, quiet, PAUSES, -40.0)


@pytest.mark.parametrize("lag", [-0.1, 0.0, 0.08, 0.3])
def test_the_lag_is_that_of_the_words_after_pauses(energy, lag):
    assert estimate_lag(energy, ONSETS + lag, CLEAR) == pytest.approx(lag, abs=0.011)


def test_words_that_begin_with_a_stop_do_not_count_where_enough_do_not(energy):
    lags = np.array([0.1, 0.1, 0.1, 0.1, 0.4, 0.4])
    sonorant = np.array([True] * 4 + [False] * 2)
    assert estimate_lag(energy, ONSETS + lags, sonorant) == pytest.approx(0.1, abs=0.011)
    assert estimate_lag(energy, ONSETS + 0.1, STOPS) == pytest.approx(0.1, abs=0.011)


def test_too_few_words_or_words_that_disagree_tell_nothing(energy):
    assert estimate_lag(energy, ONSETS[:3] + 0.1, CLEAR[:3]) is None
    assert estimate_lag(energy, np.zeros(0), np.zeros(0, bool)) is None
    spread = np.array([0.0, 0.1, 0.2, 0.3, 0.4, 0.0])
    assert estimate_lag(energy, ONSETS + spread, CLEAR) is None


def test_a_late_model_gives_the_same_times(aligned, align_one, aligner, waveforms, texts):
    """The same emissions, 10 frames late."""

    class Late:
        def __getattr__(self, name):
            return getattr(aligner, name)

        def emissions(self, waveforms):
            blank = np.full((10, len(aligner.vocabulary)), -20.0, np.float32)
            blank[:, aligner.blank] = 0
            return [np.concatenate([blank, e[:-10]]) for e in aligner.emissions(waveforms)]

    late, usual = align_one(waveforms["farm"], texts["farm"], Late()), aligned["farm"]
    assert late.acoustics.lag - usual.acoustics.lag == pytest.approx(0.2, abs=0.01)
    differences = [a.start - b.start for a, b in zip(late.words, usual.words, strict=True)]
    assert np.median(np.abs(differences)) < 0.02
