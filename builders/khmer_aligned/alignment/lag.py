"""The lag of an aligner: its tokens come late (or early) by a constant of the model's own.

It is measured on the recording: after each pause, where the level of the audio rises is compared
with where the aligner starts the first word.
"""

from __future__ import annotations

import numpy as np

from khmer_aligned.alignment.energy import HOP_SECONDS, Energy
from khmer_aligned.alignment.readings import BestPath

_FIRST_WORD_GAP = 0.2  # seconds without a token that make the next word a first one
_SONORANTS = frozenset("mnlrvwy")  # romanized
_RISE_DB = 3.0  # over the noise in a pause, where the speech behind it begins
_MIN_ONSETS = 4
_EARLIEST, _LATEST = -0.20, 0.50  # seconds from an onset to the word that it may belong to
_MAX_SPREAD = 0.08  # seconds between the quartiles of the lags at the onsets


def find_first_words(path: BestPath, frame_seconds: float) -> tuple[np.ndarray, np.ndarray]:
    """The words that follow a stretch without tokens: their start times in seconds as the model
    gives them (K,), and whether they begin with a sonorant, bool (K,)."""
    starts, sonorant, last_end = [], [], -np.inf
    spans, target = path.spans, path.target
    words = target.transcript.words
    for word, tokens, (lo, hi) in zip(words, target.words, target.ranges, strict=True):
        if not tokens.ids:
            continue
        start = spans.start[lo] * frame_seconds
        if start - last_end >= _FIRST_WORD_GAP:
            starts.append(start)
            sonorant.append(word.romanized[:1] in _SONORANTS)
        last_end = spans.end[hi - 1] * frame_seconds
    return np.array(starts), np.array(sonorant, bool)


def estimate_lag(energy: Energy, starts: np.ndarray, sonorant: np.ndarray) -> float | None:
    """Seconds by which a model's tokens come late in a recording; None where it does not tell.

    starts, sonorant: of first words, as `find_first_words` gives them. A sonorant is audible from
    its start. A stop begins with some 40 ms of silence, so words with one are used only where too
    few begin with a sonorant.

    The lag is the median over the pauses, if there are enough of them and they agree.
    """
    lags, clear = [], []
    for start, end in energy.pauses:
        onset = _find_onset(energy.decibels, start, end)
        if onset is None:
            continue
        near = np.flatnonzero((starts > onset + _EARLIEST) & (starts < onset + _LATEST))
        if len(near):
            lags.append(starts[near[0]] - onset)
            clear.append(sonorant[near[0]])
    every = np.array(lags)
    for chosen in (every[np.array(clear, bool)], every):
        if len(chosen) >= _MIN_ONSETS:
            low, median, high = np.percentile(chosen, (25, 50, 75))
            return float(median) if high - low <= _MAX_SPREAD else None
    return None


def _find_onset(decibels: np.ndarray, start: float, end: float) -> float | None:
    """When the level first rises over the noise in a pause; `start` and `end` are the pause's."""
    lo, hi = round(start / HOP_SECONDS), round(end / HOP_SECONDS)
    if hi >= len(decibels):
        return None
    noise = np.median(decibels[lo:hi])
    below = np.flatnonzero(decibels[lo:hi] < noise + _RISE_DB)
    return (lo + below[-1] + 1) * HOP_SECONDS if len(below) else None
