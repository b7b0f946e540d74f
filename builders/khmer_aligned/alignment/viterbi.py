"""The best path of tokens through CTC log-probabilities, in little memory, any length.

The recursion is that of CTC (Graves et al., 2006) with max in place of the sum, as in
CTC-Segmentation (Kürzinger et al., 2020). Up to about two hours it goes through the whole trellis;
`beam` says what is proven of the path through a longer one. `trellis` holds the compiled part and
says why its memory stays small.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Event

import numpy as np
from numba import njit

from khmer_aligned.alignment.beam import find_path_in_beam
from khmer_aligned.alignment.trellis import CHUNK, ROWS, Row, Trellis, absolute, keep, strip, trace
from khmer_aligned.errors import UserError
from khmer_aligned.schema import Problem

# Nats below the best token of a frame at which a star takes it. Joined Khmer sentences, one in
# six not transcribed: as many word starts right at 0.1 as at 2.0, fewer from 3.0 on. A simulated
# model that is often unsure, stars at every word: 15 % of the starts wrong at 0.3, 5 % at 1.0,
# 1 % at 2.0.
STAR_MARGIN = 2.0
# Frames times tokens up to which the whole trellis is computed. Two hours of Khmer hold 4.5e10: 6 s
# of one core, where a beam takes 2. Ten hours hold 1.1e12: 2 minutes against 8 s.
WHOLE_CELLS = 5e10
SHORTEST_STRIP = 512  # frames between two kept rows
THREADED_CELLS = 1 << 24  # frames times tokens from which threads are worth their start


@dataclass(frozen=True, slots=True, eq=False)
class Path:
    """What is emitted at each of T frames.

    position: int32 (T,), an index into the tokens, -1 for the blank
    log_probs: float32 (T,), the log-probability of what is emitted, blanks and stars included
    score: the sum of log_probs in float64, nats
    """

    position: np.ndarray
    log_probs: np.ndarray
    score: float


@dataclass(frozen=True, slots=True, eq=False)
class Spans:
    """Where each of L tokens lies: frames [start, end) and its mean probability, all (L,).

    A star without a frame has start == end, the frame where it would have been, and score 0.
    """

    start: np.ndarray  # int64
    end: np.ndarray  # int64
    score: np.ndarray  # float64, exp of the mean log-probability over its frames


def align(
    log_probs: np.ndarray,
    tokens: np.ndarray,
    blank: int = 0,
    star: int | None = None,
    *,
    margin: float = STAR_MARGIN,
    threads: int | None = None,
) -> Path:
    """Find the most probable path of `tokens` through `log_probs`.

    log_probs: float32 (T, V), natural logarithms; tokens: integers (L,); blank: a column.
    Between equal neighbours stands at least one blank. On a tie the path stays where it is,
    else comes from a blank, else from the token before.

    star: the id that stands for untranscribed audio, needing no column of its own. In its
    place any number of frames, none included, may be taken by the star at the frame's highest
    log-probability over all columns but blank and star, less `margin`; blanks may stand between
    them. Equal tokens on both sides of a star still need a frame between them. Neighbouring
    stars are one: the first of them takes the frames.

    threads: by default all the processor's for a long alignment, one for a short one. The path
    does not depend on it.

    Raises UserError where the tokens cannot fit or no path has a probability above zero,
    ValueError where log_probs are no log-probability matrix or a token is none of its columns.
    """
    log_probs, tokens = _check(log_probs, tokens, blank, star)
    frames = len(log_probs)
    trellis = _make_trellis(log_probs, tokens, blank, star, margin)
    count, repeats = len(trellis.tokens) - 1, int(np.isneginf(trellis.skip).sum())
    if frames < count + repeats:
        raise UserError(
            f"{frames} frames cannot hold {count} tokens with {repeats} repeats, which need "
            f"{count + repeats}: the transcript is too long for the audio, or the audio was cut",
            category=Problem.TOO_LONG,
        )
    if frames * count > WHOLE_CELLS:
        emitted = find_path_in_beam(trellis)
        if emitted is None:
            raise _no_path(trellis)
        position, best = emitted
        return Path(position, best, float(best.sum(dtype=np.float64)))
    if threads is None:
        threads = count_cores() if frames * count >= THREADED_CELLS else 1
    return _find_path(trellis, threads)


def merge(path: Path, tokens: np.ndarray) -> Spans:
    """The frames and the mean probability of each of the tokens (L,) of `path`."""
    count = len(tokens)
    frames = np.flatnonzero(path.position >= 0)
    positions = path.position[frames]  # never falling
    first = np.searchsorted(positions, np.arange(count), "left")
    last = np.searchsorted(positions, np.arange(count), "right")
    held = last > first  # the others are stars
    start, end, score = np.zeros(count, np.int64), np.zeros(count, np.int64), np.zeros(count)
    start[held], end[held] = frames[first[held]], frames[last[held] - 1] + 1
    # A star without a frame stands where the token before it ends.
    end = np.maximum.accumulate(end)
    start[~held] = end[~held]
    total = np.bincount(positions, path.log_probs[frames].astype(np.float64), minlength=count)
    score[held] = np.exp(total[held] / (last - first)[held])
    return Spans(start, end, score)


def collapse(greedy: np.ndarray, blank: int) -> np.ndarray:
    """Greedy decoding: the most probable token of each frame (T,) with repeats merged and blanks
    left out."""
    changed = np.ones(len(greedy), bool)
    changed[1:] = greedy[1:] != greedy[:-1]
    return greedy[changed & (greedy != blank)]


def _check(
    log_probs: np.ndarray, tokens: np.ndarray, blank: int, star: int | None
) -> tuple[np.ndarray, np.ndarray]:
    """The input of `align` as arrays for numba; raises ValueError for what is no such input."""
    log_probs, tokens = np.asarray(log_probs), np.asarray(tokens)
    if log_probs.ndim != 2 or log_probs.dtype != np.float32:
        raise ValueError(
            f"log_probs must be float32 (frames, columns), not {log_probs.dtype} {log_probs.shape}"
        )
    if tokens.ndim != 1 or (tokens.size and tokens.dtype.kind not in "iu"):
        raise ValueError(f"tokens must be integers (tokens,), not {tokens.dtype} {tokens.shape}")
    columns = log_probs.shape[1]
    if not 0 <= blank < columns:
        raise ValueError(f"blank {blank} is none of {columns} columns")
    if star == blank:
        raise ValueError(f"blank and star are both {star}")
    tokens = tokens.astype(np.int64)
    wrong = (tokens < 0) | (tokens >= columns) | (tokens == blank)
    if star is not None:
        wrong &= tokens != star
    if wrong.any():
        at = int(np.argmax(wrong))
        raise ValueError(
            f"token {tokens[at]} at {at} is none of {columns} columns or the blank {blank}"
        )
    # numba would compile everything anew for an array that is read-only or has gaps.
    log_probs = np.require(log_probs, requirements=["C", "A", "W"])
    frame = _first_bad_frame(log_probs)
    if frame >= 0:
        raise ValueError(f"log_probs hold NaN or +infinity at frame {frame}")
    return log_probs, tokens


def _make_trellis(
    log_probs: np.ndarray, tokens: np.ndarray, blank: int, star: int | None, margin: float
) -> Trellis:
    is_star = tokens == star if star is not None else np.zeros(len(tokens), bool)
    indices = np.flatnonzero(~is_star)
    ordinary = tokens[indices]
    skip = np.zeros(len(indices) + 1, np.float32)
    skip[1:-1][ordinary[1:] == ordinary[:-1]] = -np.inf
    stars = np.full(len(indices) + 1, -1, np.int32)
    star_indices = np.flatnonzero(is_star)[::-1]  # the first star of a run is written last
    stars[np.searchsorted(indices, star_indices)] = star_indices
    star_log_probs = np.full(len(log_probs), -np.inf, np.float32)
    if star is not None and is_star.any():
        star_log_probs = _star_log_probs(log_probs, int(blank), int(star), float(margin))
    return Trellis(
        log_probs=log_probs,
        star_log_probs=star_log_probs,
        blank=int(blank),
        tokens=np.append(ordinary, blank).astype(np.int32),
        skip=skip,
        stars=stars,
        indices=np.append(indices, -1).astype(np.int32),
    )


def _find_path(trellis: Trellis, threads: int) -> Path:
    frames, count = len(trellis.log_probs), len(trellis.tokens) - 1
    # A sixteenth of the tokens: 4 % more work on the way back, 100 bytes kept for each frame.
    height = max(SHORTEST_STRIP, count // 16 // ROWS * ROWS)
    kept, last = _forward(trellis, height, threads)
    gaps, tokens = absolute(last, max(count - 1, 0), count + 1)
    in_token = bool(count > 0 and tokens[0] > gaps[-1])
    if not (tokens[0] if in_token else gaps[-1]) > -np.inf:
        raise _no_path(trellis)
    position, log_probs = np.empty(frames, np.int32), np.empty(frames, np.float32)
    pair, end = count - 1 if in_token else count, frames
    for start in reversed(range(0, frames, height)):
        row = kept.pop()
        pair, in_token = trace(trellis, start, end, 0, row, pair, in_token, position, log_probs)
        end = start
    return Path(position, log_probs, float(log_probs.sum(dtype=np.float64)))


def _no_path(trellis: Trellis) -> UserError:
    return UserError(
        f"no path of {len(trellis.tokens) - 1} tokens through {len(trellis.log_probs)} frames has "
        "a probability above zero: log_probs are -infinity where a token has to be",
        category=Problem.TOO_LONG,
    )


def _forward(trellis: Trellis, height: int, threads: int) -> tuple[list[Row], Row]:
    """The rows before each strip of `height` frames, and the row after the last."""
    frames, pairs = len(trellis.log_probs), len(trellis.tokens)
    chunks = -(-pairs // CHUNK)
    row = Row(
        np.full(pairs, -np.inf, np.float32), np.full(pairs, -np.inf, np.float32), np.zeros(chunks)
    )
    row.gaps[0] = 0.0  # before the first frame a path is in the first gap
    starts = range(0, frames, height)
    # States that no path can be in are not kept, and a page never written takes no memory.
    kept = [
        Row(np.empty(pairs, np.float32), np.empty(pairs, np.float32), np.full(chunks, -np.inf))
        for _ in starts
    ]
    slope = pairs - 1 - frames  # the lowest pair at frame 0 from which a path can reach the end
    if threads == 1:
        for number, start in enumerate(starts):
            end = min(start + height, frames)
            keep(row, kept[number], 0, chunks, start, slope)
            strip(trellis, start, end, slope, 0, row, 0, chunks, np.full(end - start + 1, -np.inf))
        return kept, row
    # Strips run side by side, each at least one group of chunks behind the strip before it.
    groups = range(0, chunks, -(-chunks // (4 * threads)))
    done = [[Event() for _ in groups] for _ in starts]

    def run(number: int) -> None:
        start = starts[number]
        end = min(start + height, frames)
        column = np.full(end - start + 1, -np.inf)
        for group, first in enumerate(groups):
            if number:
                done[number - 1][group].wait()
            last = min(first + groups.step, chunks)
            keep(row, kept[number], first, last, start, slope)
            strip(trellis, start, end, slope, 0, row, first, last, column)
            done[number][group].set()

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(run, range(len(starts))))
    return kept, row


def count_cores() -> int:
    """The processor's cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@njit(nogil=True, cache=True)
def _first_bad_frame(log_probs):
    """The first frame with NaN or +infinity, -1 for none."""
    for t in range(log_probs.shape[0]):
        bad = False
        for v in range(log_probs.shape[1]):
            bad |= not (log_probs[t, v] < np.inf)
        if bad:
            return t
    return -1


@njit(nogil=True, cache=True)
def _star_log_probs(log_probs, blank, star, margin):
    """The star's log-probability at each frame, float32 (T,)."""
    out = np.empty(log_probs.shape[0], np.float32)
    for t in range(log_probs.shape[0]):
        best = np.float32(-np.inf)
        for v in range(log_probs.shape[1]):
            if v != blank and v != star and log_probs[t, v] > best:
                best = log_probs[t, v]
        out[t] = best - np.float32(margin)
    return out
