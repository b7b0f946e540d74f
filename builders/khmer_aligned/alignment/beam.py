"""The best path through hours: the trellis narrowed to a beam that is proven wide enough.

Every `HEIGHT` frames, those states are dropped that are more than the beam below the best one
(beam search, Lowerre 1976). The cost grows with the length of the recording, where that of the
whole trellis grows with its square. The best path itself may have been dropped, so the beam is
checked against the path that came out of it.

Nothing that is emitted at a frame is more probable than its best token; the shortfall of a path is
what it stays below that. Let a better path leave the found one and meet it again, and be dropped at
frame t in between. There it was more than the beam below the best state. To be better it has to
gain that back before the two meet, less what the found path itself was below the best state at t.
It cannot gain more than the found path's shortfall. So they do not meet before that shortfall,
summed from t, exceeds the difference. The beam is widened until this takes at least `APART` frames
from every t, or until it holds the whole trellis.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from khmer_aligned.alignment.trellis import CHUNK, Row, Trellis, absolute, strip, trace

CLIMB = 4  # chunks that a path can climb from one narrowing to the next
HEIGHT = CLIMB * CHUNK  # frames
APART = 90_000  # frames, half an hour at 20 ms, that a better path has to run apart from this one
FIRST_BEAM = 20_000.0  # nats; ordinary speech needs less
_WIDER = 4.0


class _Narrow(NamedTuple):
    """The states that are kept before a strip: the chunks [first, first + len) of the trellis.

    best: the log-probability of the best path into one of them
    """

    first: int
    row: Row
    best: float


class _Found(NamedTuple):
    """A path, and how far it is below the best state before each strip, in nats."""

    position: np.ndarray  # int32 (T,)
    log_probs: np.ndarray  # float32 (T,)
    behind: np.ndarray  # float64 (strips,)


def find_path_in_beam(
    trellis: Trellis, beam: float = FIRST_BEAM, apart: int = APART
) -> tuple[np.ndarray, np.ndarray] | None:
    """What is emitted at each frame, int32 and float32 (T,); None where no path can be.

    A better path, if there is one, runs apart from it for more than `apart` frames on end.
    """
    best = trellis.log_probs.max(axis=1)
    while True:
        rows, last, is_whole = _forward(trellis, beam)
        found = _trace_back(trellis, rows, last)
        needed = _WIDER * beam
        if found:
            needed = _beam_needed(best - found.log_probs, found.behind, apart)
        if is_whole or (found and needed <= beam):
            return found and (found.position, found.log_probs)
        del rows, last, found
        beam = max(2 * beam, needed)


def _forward(trellis: Trellis, beam: float) -> tuple[list[_Narrow], _Narrow, bool]:
    """The states before each strip, those after the last, and whether none was dropped."""
    frames, pairs = len(trellis.log_probs), len(trellis.tokens)
    chunks = -(-pairs // CHUNK)
    row = Row(
        np.full(pairs, -np.inf, np.float32), np.full(pairs, -np.inf, np.float32), np.zeros(chunks)
    )
    row.gaps[0] = 0.0  # before the first frame a path is in the first gap
    slope = pairs - 1 - frames  # the lowest pair at frame 0 from which a path can reach the end
    first, last, is_whole = 0, 1, True
    rows: list[_Narrow] = []
    for start in range(0, frames, HEIGHT):
        end = min(start + HEIGHT, frames)
        peaks = _peaks(row, first, last, slope + start)
        best = float(peaks.max())
        kept = np.flatnonzero(peaks >= best - beam) if best > -np.inf else np.arange(len(peaks))
        is_whole &= not np.isfinite(np.delete(peaks, slice(kept[0], kept[-1] + 1))).any()
        first, last = first + int(kept[0]), first + int(kept[-1]) + 1
        top = min(last + CLIMB, chunks)
        row.gaps[last * CHUNK : top * CHUNK] = -np.inf
        row.tokens[last * CHUNK : top * CHUNK] = -np.inf
        rows.append(_narrow(row, first, top, best))
        strip(trellis, start, end, slope, 0, row, first, top, np.full(end - start + 1, -np.inf))
        last = top
    return rows, _narrow(row, first, last, -np.inf), is_whole


def _narrow(row: Row, first: int, last: int, best: float) -> _Narrow:
    pairs = slice(first * CHUNK, last * CHUNK)
    copy = Row(row.gaps[pairs].copy(), row.tokens[pairs].copy(), row.offset[first:last].copy())
    return _Narrow(first, copy, best)


def _trace_back(trellis: Trellis, rows: list[_Narrow], last: _Narrow) -> _Found | None:
    """The best path to the end through the states that were kept; None where there is none."""
    frames, pairs = len(trellis.log_probs), len(trellis.tokens)
    origin = last.first * CHUNK
    if origin + len(last.row.gaps) < pairs:
        return None
    gaps, tokens = absolute(last.row, max(pairs - 2 - origin, 0), pairs - origin)
    in_token = bool(pairs > 1 and tokens[0] > gaps[-1])
    if not (tokens[0] if in_token else gaps[-1]) > -np.inf:
        return None
    position, log_probs = np.empty(frames, np.int32), np.empty(frames, np.float32)
    behind = np.zeros(len(rows))
    pair, end = pairs - 2 if in_token else pairs - 1, frames
    for number in reversed(range(len(rows))):
        first, row, best = rows[number]
        start, origin = number * HEIGHT, first * CHUNK
        pair, in_token = trace(
            trellis, start, end, origin, row, pair, in_token, position, log_probs
        )
        state = absolute(row, pair - origin, pair - origin + 1)[int(in_token)]
        behind[number] = best - state[0]
        end = start
    return _Found(position, log_probs, behind)


def _beam_needed(shortfall: np.ndarray, behind: np.ndarray, apart: int) -> float:
    """The beam with which a better path cannot meet the found one within `apart` frames.

    shortfall: float32 (T,), of the found path, below the best token of each frame.
    """
    total = np.concatenate(([0.0], np.cumsum(shortfall, dtype=np.float64)))
    starts = np.arange(len(behind)) * HEIGHT
    ends = np.minimum(starts + apart, len(shortfall))
    return float((behind + total[ends] - total[starts]).max())


@njit(nogil=True, cache=True)
def _peaks(row, first, last, lowest):
    """The best state of each of the chunks [first, last), float64; those below the pair `lowest`
    do not count."""
    peaks = np.full(last - first, -np.inf)
    for chunk in range(first, last):
        best = np.float32(-np.inf)
        for pair in range(max(chunk * CHUNK, lowest), min((chunk + 1) * CHUNK, len(row.gaps))):
            best = max(best, row.gaps[pair], row.tokens[pair])
        peaks[chunk - first] = best + row.offset[chunk]
    return peaks
