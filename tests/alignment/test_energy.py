"""Pauses and word ends of noise whose level is known."""

import numpy as np
import pytest

from khmer_aligned.alignment.energy import measure_energy
from khmer_aligned.alignment.thresholds import Thresholds
from khmer_aligned.schema import SAMPLE_RATE


def noise_with_pause(seconds):
    """Three seconds of noise, 60 dB softer from 1 s on for so many seconds."""
    noise = 0.3 * np.random.default_rng(0).standard_normal(3 * SAMPLE_RATE).astype(np.float32)
    noise[SAMPLE_RATE : SAMPLE_RATE + round(seconds * SAMPLE_RATE)] *= 0.001
    return noise


@pytest.fixture(scope="module")
def energy():
    return measure_energy(noise_with_pause(0.5), Thresholds())


def test_a_pause_has_its_times(energy):
    assert energy.pauses == pytest.approx(np.array([[1.0, 1.5]]), abs=0.03)
    assert energy.speech_seconds(0.5, 2.0) == pytest.approx(1.0, abs=0.05)


def test_the_quietest_moment_is_the_middle_of_the_pause(energy):
    assert energy.quietest_moment(0.8, 1.6) == pytest.approx(1.25, abs=0.03)
    assert 0.2 <= energy.quietest_moment(0.2, 0.4) <= 0.4
    assert energy.quietest_moment(9.0, 10.0) == 9.5  # behind the recording


def test_a_word_ends_where_its_speech_does_or_at_the_latest(energy):
    assert energy.word_end(0.5, 0.7, 1.4, 1.4) == pytest.approx(1.0, abs=0.03)
    assert energy.word_end(0.5, 0.7, 0.9, 0.9) == 0.9
    assert energy.word_end(0.5, 1.2, 1.4, 1.4) == 1.2  # is over


def test_a_word_does_not_end_in_the_closure_of_a_stop():
    waveform = noise_with_pause(0.03)
    waveform[round(1.2 * SAMPLE_RATE) : 2 * SAMPLE_RATE] *= 0.001
    energy = measure_energy(waveform, Thresholds())
    assert energy.word_end(0.7, 0.9, 1.3, 2.0) == pytest.approx(1.2, abs=0.03)


def test_a_word_in_noise_ends_where_its_own_level_falls():
    """12 dB between speech and noise, after a loud second that moves the recording's levels."""
    waveform = noise_with_pause(0.0)
    waveform[SAMPLE_RATE : 2 * SAMPLE_RATE] *= 0.1
    waveform[2 * SAMPLE_RATE :] *= 0.025
    energy = measure_energy(waveform, Thresholds())
    assert energy.word_end(1.4, 1.7, 2.3, 3.0) == pytest.approx(2.0, abs=0.03)


@pytest.mark.parametrize(("seconds", "count"), [(0.12, 0), (0.2, 1)])
def test_a_pause_is_as_long_as_its_threshold(seconds, count):
    waveform = noise_with_pause(0.5)
    waveform[2 * SAMPLE_RATE : 2 * SAMPLE_RATE + round(seconds * SAMPLE_RATE)] *= 0.001
    assert len(measure_energy(waveform, Thresholds()).pauses) == 1 + count
    assert len(measure_energy(waveform, Thresholds(min_pause=0.6)).pauses) == 0


def test_a_recording_without_contrast_has_no_pause():
    energy = measure_energy(noise_with_pause(0.0), Thresholds())
    assert len(energy.pauses) == 0
    assert not energy.quiet.any()
    assert energy.word_end(0.8, 1.0, 1.3, 1.3) == 1.3


def test_no_audio_has_no_level():
    energy = measure_energy(np.zeros(0, np.float32), Thresholds())
    assert energy.decibels.shape == (0,) and energy.pauses.shape == (0, 2)
