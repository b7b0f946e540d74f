"""One lag per aligner: found from the edges of speech, or said to be unknown."""

import numpy as np
import pytest

from khmer_aligned.alignment import lag as lags
from khmer_aligned.alignment.energy import measure_energy
from khmer_aligned.alignment.lag import (
    Lag,
    LagEstimate,
    differing_lag,
    estimate_lag,
    find_edges,
    path_edges,
    recording_lag,
)
from khmer_aligned.alignment.thresholds import DEFAULT
from khmer_aligned.schema import SAMPLE_RATE

LETTERS = ["k", "a", "t", "a"]


def syllables(count, late, seed=0):
    """Closures of 0.1 s and vowels of 0.15 s in turn (n,), and the starts of their tokens."""
    rng = np.random.default_rng(seed)
    closure, vowel = SAMPLE_RATE // 10, SAMPLE_RATE * 15 // 100
    one = np.r_[np.full(closure, 1e-3), np.full(vowel, 0.3)]
    waveform = np.tile(one, count) * rng.standard_normal(count * len(one))
    starts = np.arange(count)[:, None] * 0.25 + np.array([0.0, 0.1 - lags._RISE_HOPS * 0.01])
    return waveform.astype(np.float32), starts.ravel() + late


def edges_of(waveform, starts):
    letters = (LETTERS * len(starts))[: len(starts)]
    return find_edges(measure_energy(waveform, DEFAULT), letters, starts, np.ones(len(starts)))


@pytest.fixture(scope="module")
def true_lag(located, true_words):
    """Seconds that the demo's words come late, in the median, before any lag is subtracted."""
    late = []
    for name, item in located.items():
        true_starts = {first: start for first, _, start, _ in true_words(name)}
        target, spans = item.path.target, item.path.spans
        for word, (lo, _) in zip(target.transcript.words, target.ranges, strict=True):
            if word.span[0] in true_starts:
                start = spans.start[lo] * item.acoustics.frame_seconds
                late.append(start - true_starts[word.span[0]])
    return float(np.median(late))


def test_the_demo_aligner_is_as_late_as_its_true_word_starts_say(located, true_lag):
    estimate = estimate_lag([item.edges for item in located.values()])
    assert estimate.seconds == pytest.approx(true_lag, abs=0.02)
    assert estimate.recordings == len(located)
    assert estimate.standard_error < 0.01
    assert not estimate.is_borderline
    for item in located.values():  # and so does each recording by itself
        assert recording_lag(item.edges) == pytest.approx(true_lag, abs=0.03)


def edges_in(located, change):
    """Those of the demo's paths with the level of changed waveforms."""
    return [
        path_edges(item.path, measure_energy(change(name), DEFAULT), item.acoustics.frame_seconds)
        for name, item in located.items()
    ]


@pytest.mark.parametrize("decibels", [20, 10])
def test_noise_does_not_move_it(located, waveforms, true_lag, decibels):
    rng = np.random.default_rng(0)

    def noisy(name):
        waveform = waveforms[name]
        noise = rng.standard_normal(len(waveform)).astype(np.float32) * waveform.std()
        return waveform + noise * np.float32(10 ** (-decibels / 20))

    assert estimate_lag(edges_in(located, noisy)).seconds == pytest.approx(true_lag, abs=0.03)


def test_pauses_edited_to_silence_do_not_move_it(located, waveforms, true_lag):
    """The onset of a room's tone behind digital silence is no onset of speech."""

    def edited(name):
        waveform = waveforms[name] + 1e-3 * np.random.default_rng(0).standard_normal(
            len(waveforms[name])
        )
        for start, end in located[name].acoustics.energy.pauses:
            waveform[round(start * SAMPLE_RATE) : round((end - 0.1) * SAMPLE_RATE)] = 0
        return waveform.astype(np.float32)

    assert estimate_lag(edges_in(located, edited)).seconds == pytest.approx(true_lag, abs=0.03)


@pytest.mark.parametrize("late", [-0.05, 0.0, 0.19, 0.4])
def test_any_lag_is_found(late):
    estimate = estimate_lag([edges_of(*syllables(60, late))])
    assert estimate.seconds == pytest.approx(late, abs=0.01)
    assert estimate.standard_error is None  # of one recording


def test_recordings_too_short_by_themselves_tell_it_together():
    short = [edges_of(*syllables(8, 0.19, seed)) for seed in range(20)]
    assert estimate_lag(short[:1]).seconds is None
    estimate = estimate_lag(short)
    assert estimate.seconds == pytest.approx(0.19, abs=0.01)
    assert estimate.recordings == 20
    assert estimate_lag(short[::-1]).seconds == pytest.approx(estimate.seconds, abs=1e-9)


def test_tokens_anywhere_leave_it_unknown():
    """A wrong transcript, or a model that does not understand the voice."""
    waveform, _ = syllables(400, 0.0)
    rng = np.random.default_rng(0)
    # In their order, near each other, and at no fixed distance from any edge.
    estimate = estimate_lag([edges_of(waveform, np.cumsum(rng.uniform(0.05, 0.24, 600)))])
    assert estimate.edges > lags.MIN_EDGES
    assert estimate.seconds is None
    assert estimate.is_borderline
    assert Lag.of(estimate, "measured") == Lag(0.0, "none", estimate.edges, 1)


def test_nothing_to_go_by_is_unknown():
    unknown = LagEstimate(None, 0, 0, 0.0, None)
    assert estimate_lag([]) == unknown
    assert estimate_lag([edges_of(np.zeros(0, np.float32), np.zeros(0))]) == unknown
    assert "at least 60 that agree are needed" in unknown.describe()


def test_a_recording_that_differs_is_named_and_the_aligners_figure_stays():
    usual = [edges_of(*syllables(60, 0.19, seed)) for seed in range(9)]
    odd = edges_of(*syllables(60, 0.33, 9))
    estimate = estimate_lag([*usual, odd])
    assert estimate.seconds == pytest.approx(0.19, abs=0.01)
    assert differing_lag(odd, estimate.seconds) == pytest.approx(0.33, abs=0.01)
    assert differing_lag(usual[0], estimate.seconds) is None


def test_a_recording_too_short_to_tell_is_not_named():
    assert differing_lag(edges_of(*syllables(8, 0.33)), 0.19) is None


class Late:
    """The same emissions, 10 frames late."""

    def __init__(self, aligner):
        self.aligner = aligner

    def __getattr__(self, name):
        return getattr(self.aligner, name)

    def emissions(self, waveforms):
        blank = np.full((10, len(self.aligner.vocabulary)), -20.0, np.float32)
        blank[:, self.aligner.blank] = 0
        return [np.concatenate([blank, e[:-10]]) for e in self.aligner.emissions(waveforms)]


def test_a_late_model_gives_the_same_times(aligned, align_one, aligner, waveforms, texts):
    usual = aligned["farm"]
    late = align_one(
        waveforms["farm"], texts["farm"], Late(aligner), seconds=usual.lag.seconds + 0.2
    )
    difference = recording_lag(late.edges) - recording_lag(usual.edges)
    assert difference == pytest.approx(0.2, abs=0.01)
    differences = [a.start - b.start for a, b in zip(late.words, usual.words, strict=True)]
    assert np.median(np.abs(differences)) < 0.02
