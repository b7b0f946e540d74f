"""Attention weights to the time of each label: smoothed, averaged over heads, warped.

After openai/whisper's `timing.py` and what transformers and CTranslate2 do, so that heads that
are chosen here serve there: weights are standardized over the labels, filtered by a median over
the frames, averaged over the heads, and dynamic time warping finds the path (Sakoe and Chiba 1978,
"Dynamic programming algorithm optimization for spoken word recognition").
"""

from __future__ import annotations

import numpy as np
import torch
from torch.nn.functional import pad

MEDIAN_WIDTH = 7  # frames, in every published Whisper


def smooth(weights: torch.Tensor, width: int = MEDIAN_WIDTH) -> torch.Tensor:
    """Standardize weights (..., N, F) over their rows and filter them by a median over frames."""
    deviation = weights.std(-2, keepdim=True, unbiased=False).clamp(min=1e-9)
    standardized = (weights - weights.mean(-2, keepdim=True)) / deviation
    reach = width // 2
    if weights.shape[-1] <= reach:
        return standardized
    padded = pad(standardized, (reach, reach), mode="reflect")
    return padded.unfold(-1, width, 1).median(-1).values


def warp(weights: np.ndarray) -> np.ndarray:
    """The frame (B, N) at which each row of smoothed weights (B, N, F) begins.

    All of the batch take a diagonal of the table at a time. Where two moves cost the same, the
    path stays in its row, as in openai/whisper.
    """
    batch, rows, frames = weights.shape
    cost = np.full((batch, rows + 1, frames + 1), np.inf, np.float32)
    cost[:, 0, 0] = 0
    move = np.empty((batch, rows + 1, frames + 1), np.int8)
    for diagonal in range(2, rows + frames + 1):
        i = np.arange(max(1, diagonal - frames), min(rows, diagonal - 1) + 1)
        j = diagonal - i
        both, row, frame = cost[:, i - 1, j - 1], cost[:, i - 1, j], cost[:, i, j - 1]
        up = (row < both) & (row < frame)
        moves = np.where((both < row) & (both < frame), 0, np.where(up, 1, 2))
        move[:, i, j] = moves
        cost[:, i, j] = np.choose(moves, (both, row, frame)) - weights[:, i - 1, j - 1]
    return np.stack([_row_starts(table) for table in move])


def _row_starts(move: np.ndarray) -> np.ndarray:
    """Follow the moves (N + 1, F + 1) of one path back: the first frame (N,) of each row."""
    i, j = move.shape[0] - 1, move.shape[1] - 1
    starts = np.zeros(i, np.int64)
    while i > 0:
        starts[i - 1] = j - 1
        step = move[i, j]
        i -= step != 2
        j -= step != 1
    return starts
