"""The level of a recording over time: its pauses, its quietest moments, and where words end."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from khmer_aligned.alignment.thresholds import Thresholds
from khmer_aligned.schema import SAMPLE_RATE

HOP = SAMPLE_RATE // 100  # samples from one level to the next
HOP_SECONDS = HOP / SAMPLE_RATE
_FLOOR_PERCENTILE, _SPEECH_PERCENTILE = 5, 95
_MIN_RANGE_DB = 12.0  # with less between noise floor and speech, pauses cannot be told from speech

# Where words end. Of 400 clips in clean audio and 10 dB of noise none was cut.
_WORD_HOPS = 15  # of the end of a word, for its level
_BEHIND_HOPS = 100  # behind it, for the level of the quiet
_QUIET_HOPS = 5  # of quiet that end a word
_WORD_PERCENTILE, _QUIET_PERCENTILE = 75, 20
_MIN_FALL_DB, _MAX_FALL_DB = 6.0, 30.0  # from the one to the other


@dataclass(frozen=True)
class Energy:
    """The level of a recording every 10 ms, and its pauses.

    decibels: float32 (n // HOP,)
    quiet: bool, the same shape
    pauses: seconds (P, 2), each at least Thresholds.min_pause long
    end_decibels: the level under which a word has ended
    """

    decibels: np.ndarray
    quiet: np.ndarray
    pauses: np.ndarray
    end_decibels: float

    def quietest_moment(self, start: float, end: float) -> float:
        """The middle of the longest quiet stretch between two times, else the lowest level."""
        lo, hi = int(start / HOP_SECONDS), max(int(end / HOP_SECONDS), int(start / HOP_SECONDS) + 1)
        lo, hi = min(lo, len(self.quiet)), min(hi, len(self.quiet))
        if lo == hi:
            return (start + end) / 2
        runs = _runs(self.quiet[lo:hi])
        if len(runs):
            first, last = runs[np.argmax(runs[:, 1] - runs[:, 0])]
            return float(lo + (first + last) / 2) * HOP_SECONDS
        return (lo + int(np.argmin(self.decibels[lo:hi])) + 0.5) * HOP_SECONDS

    def word_end(self, start: float, last: float, latest: float, next_start: float) -> float:
        """When a word that began at `start` and is spoken at `last` has ended: at `latest`, if not
        before.

        A word ends half-way in dB between its own level and the quiet before the next word, if it
        stays quiet for 50 ms: the closure of a stop is no end. Where no such quiet follows, it ends
        under the level that the recording has for it.
        """
        lo, hi, behind = (int(time / HOP_SECONDS) for time in (last, latest, next_start))
        level = self._end_level(max(int(start / HOP_SECONDS), lo - _WORD_HOPS), lo, behind)
        if level is not None:
            runs = _runs(self.decibels[lo : max(hi, min(behind, hi + _QUIET_HOPS))] < level)
            long = runs[runs[:, 1] - runs[:, 0] >= _QUIET_HOPS]
            if len(long):
                return min(latest, max(last, float(lo + long[0, 0]) * HOP_SECONDS))
        below = np.flatnonzero(self.decibels[lo:hi] < self.end_decibels)
        if len(below) == 0:
            return latest
        return min(latest, max(last, float(lo + below[0]) * HOP_SECONDS))

    def _end_level(self, start: int, last: int, behind: int) -> float | None:
        """The level half-way between a word's and the quiet in hops [last, behind), a second at
        most; None where they hardly differ."""
        word = self.decibels[start : last + _QUIET_HOPS]
        quiet = self.decibels[last : min(behind, last + _BEHIND_HOPS)]
        if len(word) == 0 or len(quiet) == 0:
            return None
        loud = float(np.percentile(word, _WORD_PERCENTILE))
        soft = max(float(np.percentile(quiet, _QUIET_PERCENTILE)), loud - _MAX_FALL_DB)
        return (loud + soft) / 2 if loud - soft >= _MIN_FALL_DB else None

    def speech_seconds(self, start: float, end: float) -> float:
        """Seconds between two times that are not quiet."""
        lo, hi = int(start / HOP_SECONDS), int(end / HOP_SECONDS)
        return float(np.count_nonzero(~self.quiet[lo:hi])) * HOP_SECONDS


def measure_energy(waveform: np.ndarray, thresholds: Thresholds) -> Energy:
    """The energy of a waveform (n,) at 16 kHz; a recording without contrast has no pauses."""
    hops = waveform[: len(waveform) // HOP * HOP].reshape(-1, HOP)
    power = np.einsum("ij,ij->i", hops, hops) / HOP
    if len(power) > 2:  # over 30 ms, or one period of a low voice would look like a pause
        power = np.convolve(power, np.full(3, 1 / 3, np.float32), mode="same")
    decibels = 10 * np.log10(power + 1e-10, dtype=np.float32)
    quiet, end_decibels = np.zeros(len(decibels), bool), -np.inf
    if len(decibels):
        floor, speech = np.percentile(decibels, (_FLOOR_PERCENTILE, _SPEECH_PERCENTILE))
        contrast = speech - floor
        if contrast >= _MIN_RANGE_DB:
            quiet = decibels < floor + thresholds.quiet_level * contrast
            end_decibels = floor + thresholds.end_level * contrast
    runs = _runs(quiet) * HOP_SECONDS
    pauses = runs[runs[:, 1] - runs[:, 0] >= thresholds.min_pause]
    return Energy(decibels, quiet, pauses, end_decibels)


def _runs(mask: np.ndarray) -> np.ndarray:
    """Start and end of each run of True in a mask (n,), (R, 2)."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], mask.view(np.int8), [0]))))
    return edges.reshape(-1, 2)
