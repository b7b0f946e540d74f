"""How well a text fits its audio, whatever the noise: its misfit.

A probability says little in noise, where that of right text falls as well. What tells is how far a
text falls short of the aligner's greedy tokens, against how far wrong text of the same letters and
length falls short in the same audio.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from khmer_aligned.alignment import viterbi
from khmer_aligned.errors import UserError

WORST_TOKENS = 15  # about a second of speech
_FRAMES_BEFORE, _FRAMES_BEHIND = 5, 10  # around a text, into which its tokens may move
_MIN_SHORTFALL = 1e-3  # nats


class Misfit(NamedTuple):
    """0 where the tokens are those that the aligner would choose itself; 1 where they do no better
    than in other orders.

    mean: over all tokens; worst: over the worst `WORST_TOKENS` in a row
    """

    mean: float
    worst: float


NO_MISFIT = Misfit(0.0, 0.0)


def measure_misfit(
    emission: np.ndarray, tokens: np.ndarray, blank: int, start: int, end: int
) -> Misfit:
    """The misfit of tokens (n,) that are aligned at frames [start, end) of an emission (T, V)."""
    nearby = emission[max(0, start - _FRAMES_BEFORE) : end + _FRAMES_BEHIND]
    best = nearby.max(axis=1).astype(np.float64)
    path = _align(nearby, tokens, blank)
    shortfalls = [
        best.sum() - other.score
        for order in _other_orders(tokens)
        if (other := _align(nearby, order, blank))
    ]
    if path is None or not shortfalls:
        return Misfit(1.0, 1.0)
    expected = max(float(np.mean(shortfalls)), _MIN_SHORTFALL)
    shortfall = best - path.log_probs
    worst = _worst(shortfall, path, len(tokens))
    return Misfit(float(shortfall.sum()) / expected, worst / expected)


def _align(emission: np.ndarray, tokens: np.ndarray, blank: int) -> viterbi.Path | None:
    try:
        return viterbi.align(emission, tokens, blank, threads=1)
    except UserError:  # more tokens than frames
        return None


def _other_orders(tokens: np.ndarray) -> list[np.ndarray]:
    """The tokens (n,) in four other orders, always the same ones."""
    third, half = max(1, len(tokens) // 3), len(tokens) // 2
    backwards = tokens[::-1]
    orders = [backwards, np.roll(tokens, third), np.roll(tokens, -third), np.roll(backwards, half)]
    return [np.ascontiguousarray(order) for order in orders]


def _worst(shortfall: np.ndarray, path: viterbi.Path, count: int) -> float:
    """The greatest shortfall over `WORST_TOKENS` tokens in a row, times all tokens per those."""
    window = min(WORST_TOKENS, count)
    first = np.searchsorted(np.maximum.accumulate(path.position), np.arange(count + 1))
    total = np.concatenate(([0.0], np.cumsum(shortfall)))[np.minimum(first, len(shortfall))]
    return float((total[window:] - total[:-window]).max()) * count / window
