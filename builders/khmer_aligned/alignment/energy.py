"""Where speech begins and ends by its energy: pauses, a model's lateness, and word edges.

A CTC model's peaks come late or early by a constant of its own, and the end of a word sits on its
last peak. Both are mended here from the waveform of the recording alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from khmer_aligned.schema import SAMPLE_RATE

HOP = 160  # samples; 10 ms
HOP_SECONDS = HOP / SAMPLE_RATE
# Of the way from the recording's noise floor to its speech level, in dB: under which it is quiet,
# and under which a word has ended. Word ends before a pause, against 360 true ones: late by
# 60 ms (median) at 0.3, 25 ms at 0.6, 10 ms at 0.7, and off by more than 100 ms 23, 6 and 5 %.
_QUIET = 0.3
_ENDED = 0.6
_FLOOR_PERCENTILE, _SPEECH_PERCENTILE = 5, 95
_MIN_RANGE_DB = 12.0  # with less between floor and speech, nothing tells a pause from speech
_MIN_PAUSE = 0.15  # seconds
_RISE_DB = 3.0  # over the noise in a pause, where the speech behind it begins
_MIN_ONSETS = 4
_EARLIEST, _LATEST = -0.20, 0.50  # seconds from an onset to the word it may belong to
_MAX_SPREAD = 0.08  # seconds between the quartiles of what the onsets say


@dataclass(frozen=True)
class Energy:
    """The level of a recording, a value every 10 ms, and its pauses.

    decibels: float32 (n // HOP,); quiet: bool, the same shape; pauses: seconds, (P, 2); ended:
    the decibels under which a word has ended.
    """

    decibels: np.ndarray
    quiet: np.ndarray
    pauses: np.ndarray
    ended: float

    def quietest(self, start: float, end: float) -> float:
        """The middle of the longest quiet stretch between two times, else the quietest moment."""
        lo, hi = int(start / HOP_SECONDS), max(int(end / HOP_SECONDS), int(start / HOP_SECONDS) + 1)
        lo, hi = min(lo, len(self.quiet)), min(hi, len(self.quiet))
        if lo == hi:
            return (start + end) / 2
        runs = _runs(self.quiet[lo:hi])
        if len(runs):
            begin, stop = runs[np.argmax(runs[:, 1] - runs[:, 0])]
            return float(lo + (begin + stop) / 2) * HOP_SECONDS
        return (lo + int(np.argmin(self.decibels[lo:hi])) + 0.5) * HOP_SECONDS

    def falls(self, start: float, end: float) -> float:
        """When a word that is still heard at `start` has ended, `end` at the latest."""
        lo, hi = int(start / HOP_SECONDS), int(end / HOP_SECONDS)
        below = np.flatnonzero(self.decibels[lo:hi] < self.ended)
        return min(end, max(start, float(lo + below[0]) * HOP_SECONDS)) if len(below) else end

    def speech_seconds(self, start: float, end: float) -> float:
        """Seconds between two times that are not quiet."""
        lo, hi = int(start / HOP_SECONDS), int(end / HOP_SECONDS)
        return float(np.count_nonzero(~self.quiet[lo:hi])) * HOP_SECONDS


def measure_energy(waveform: np.ndarray) -> Energy:
    """The energy of a waveform (n,) at 16 kHz; a recording without contrast has no pauses."""
    whole = waveform[: len(waveform) // HOP * HOP].reshape(-1, HOP)
    power = np.einsum("ij,ij->i", whole, whole) / HOP
    if len(power) > 2:  # 30 ms, so that one period of a low voice does not look like a pause
        power = np.convolve(power, np.full(3, 1 / 3, np.float32), mode="same")
    decibels = 10 * np.log10(power + 1e-10, dtype=np.float32)
    if len(decibels) == 0:
        return Energy(decibels, np.zeros(0, bool), np.zeros((0, 2)), -np.inf)
    floor, speech = np.percentile(decibels, (_FLOOR_PERCENTILE, _SPEECH_PERCENTILE))
    if speech - floor < _MIN_RANGE_DB:
        quiet, ended = np.zeros(len(decibels), bool), -np.inf
    else:
        quiet = decibels < floor + _QUIET * (speech - floor)
        ended = floor + _ENDED * (speech - floor)
    runs = _runs(quiet) * HOP_SECONDS
    return Energy(decibels, quiet, runs[runs[:, 1] - runs[:, 0] >= _MIN_PAUSE], ended)


def estimate_offset(energy: Energy, firsts: np.ndarray, sonorant: np.ndarray) -> float | None:
    """Seconds that a model's tokens come late in this recording; None where it cannot tell.

    firsts: start times (K,) of words that follow a stretch without any token; sonorant: (K,)
    whether a word begins with a sound that is heard from its start. A stop begins with a silent
    closure of some 40 ms, so its onset says too little; the other words are used only where
    there are too few sonorants.

    The onset of speech after each pause is held against the first word near it, and the median
    of the differences is taken, when there are enough of them and they agree.
    """
    late, clear = [], []
    for start, end in energy.pauses:
        onset = _onset(energy.decibels, start, end)
        if onset is None:
            continue
        near = np.flatnonzero((firsts > onset + _EARLIEST) & (firsts < onset + _LATEST))
        if len(near):
            late.append(firsts[near[0]] - onset)
            clear.append(sonorant[near[0]])
    late, clear = np.array(late), np.array(clear, bool)
    for chosen in (late[clear], late):
        if len(chosen) >= _MIN_ONSETS:
            low, middle, high = np.percentile(chosen, (25, 50, 75))
            return float(middle) if high - low <= _MAX_SPREAD else None
    return None


def _onset(decibels: np.ndarray, start: float, end: float) -> float | None:
    """Where the speech behind a pause first rises over the noise in that pause."""
    lo, hi = round(start / HOP_SECONDS), round(end / HOP_SECONDS)
    if hi >= len(decibels):
        return None
    noise = np.median(decibels[lo:hi])
    below = np.flatnonzero(decibels[lo:hi] < noise + _RISE_DB)
    return (lo + below[-1] + 1) * HOP_SECONDS if len(below) else None


def _runs(mask: np.ndarray) -> np.ndarray:
    """Start and end of each run of True, (R, 2)."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], mask.view(np.int8), [0]))))
    return edges.reshape(-1, 2)
