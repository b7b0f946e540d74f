"""A fingerprint of a recording's sound, by which it is known again under another name.

As in Haitsma and Kalker, "A Highly Robust Audio Fingerprinting System" (ISMIR 2002): for every
12 ms a number whose bits say how the energy of neighbouring bands changes. These numbers survive
another codec, another level and a shift in time. A recording keeps the smallest of them after
mixing, so that two recordings share as many as their sounds overlap (Broder's min-wise sampling).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import soxr

from khmer_aligned.schema import SAMPLE_RATE

SIZE = 32  # numbers of a fingerprint

_RATE = 4_000  # Hz: what the bands need
_WINDOW, _HOP = 1_536, 48  # samples at _RATE: 384 ms, 12 ms
_BANDS = 25  # one more than the bits of a number
_LOWEST, _HIGHEST = 200.0, 1_900.0  # Hz
_QUIET = 1e-4  # of the loudest window's energy (-40 dB): what is in it is noise
_BLOCK = SAMPLE_RATE * 24  # samples that are transformed at once
_MIXER = np.uint64(0x9E3779B97F4A7C15)


def fingerprint(waveform: np.ndarray) -> bytes:
    """Up to SIZE numbers of 32 bits, sorted, of a waveform (n,) at 16 kHz; b"" of a short one."""
    blocks = list(_numbers(waveform))
    if not blocks:
        return b""
    numbers, energies = (np.concatenate(part) for part in zip(*blocks, strict=True))
    numbers = np.unique(numbers[energies > _QUIET * energies.max()])
    mixed = (numbers.astype(np.uint64) * _MIXER) >> np.uint64(32)
    return np.sort(mixed)[:SIZE].astype("<u4").tobytes()


def read_fingerprint(data: bytes) -> np.ndarray:
    """The numbers of a fingerprint, (up to SIZE,) uint32."""
    return np.frombuffer(data, "<u4")


def _numbers(waveform: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The numbers (m,) of a waveform and the energies of their windows (m,), block by block."""
    stream = soxr.ResampleStream(SAMPLE_RATE, _RATE, 1, dtype="float32", quality="LQ")
    samples = np.zeros(0, np.float32)
    for first in range(0, len(waveform), _BLOCK):
        block = waveform[first : first + _BLOCK]
        is_last = first + _BLOCK >= len(waveform)
        samples = np.concatenate([samples, stream.resample_chunk(block, last=is_last)])
        if len(samples) < _WINDOW + _HOP:
            continue
        windows = np.lib.stride_tricks.sliding_window_view(samples, _WINDOW)[::_HOP]
        energies = _band_energies(windows)
        changes = np.diff(np.diff(energies, axis=1), axis=0) > 0  # (windows - 1, bits)
        yield changes @ (1 << np.arange(_BANDS - 1)), energies.sum(axis=1)[1:]
        samples = samples[(len(windows) - 1) * _HOP :]  # the next number compares with this window


def _band_energies(windows: np.ndarray) -> np.ndarray:
    """The energy in each band of windows (m, _WINDOW): (m, _BANDS)."""
    power = np.abs(np.fft.rfft(windows * np.hanning(_WINDOW).astype(np.float32))) ** 2
    edges = np.geomspace(_LOWEST, _HIGHEST, _BANDS + 1) * _WINDOW / _RATE
    return np.add.reduceat(power, np.round(edges).astype(int), axis=1)[:, :_BANDS]
