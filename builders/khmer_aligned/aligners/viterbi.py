"""The best path of a transcript through CTC log-probabilities: exact, in flat memory, on any length.

The recursion is that of CTC (Graves et al., 2006) with max for sum, as in CTC-Segmentation
(Kürzinger et al., 2020). Label l and the gap before it form the pair l, and a path climbs at most
one pair per frame. That bounds what can be reached, and what can have led to a known end: a cone.
So the forward pass keeps only one row of the trellis in many, and the way back recomputes the
cone under each kept row (Hirschberg, 1975, in one dimension).

Rows are float32 relative to a float64 offset of their own for every `CHUNK` pairs, taken anew
every `ROWS` frames, which keeps the rounding of an hour as small as that of a second. The chunks
and rows are the same whatever the number of threads, and so is the path.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from threading import Event
from typing import NamedTuple

import numpy as np
from numba import njit

from khmer_aligned.schema import UserError

STAR_MARGIN = 0.3  # nats below the best letter of a frame at which a star takes it

CHUNK = 1024  # pairs that stay in the first-level cache while the frames of a strip go by
ROWS = 128  # frames between two choices of offset
SHORTEST_STRIP = 512  # frames between two kept rows
THREADED_CELLS = 1 << 26  # trellis cells from which threads are worth their start

# How a state was come to, where it was not by staying.
_GAP_FROM_LABEL, _LABEL_FROM_GAP, _LABEL_FROM_LABEL = 1, 2, 4


@dataclass(frozen=True, slots=True)
class Path:
    """What is emitted at each of T frames.

    position: int32 (T,), an index into the labels, -1 for the blank.
    log_probs: float32 (T,), the log-probability of what is emitted, blanks and stars included.
    score: the sum of log_probs in float64, nats.
    """

    position: np.ndarray
    log_probs: np.ndarray
    score: float


@dataclass(frozen=True, slots=True)
class Spans:
    """Where each of L labels lies: frames [start, end) and its mean probability, all (L,).

    A star without a frame has start == end, the frame where it would have been, and score 0.
    """

    start: np.ndarray  # int64
    end: np.ndarray  # int64
    score: np.ndarray  # float64, exp of the mean log-probability of the label's own frames


def align(
    log_probs: np.ndarray,
    labels: np.ndarray,
    blank: int = 0,
    star: int | None = None,
    *,
    margin: float = STAR_MARGIN,
    threads: int | None = None,
) -> Path:
    """Find the most probable path of `labels` through `log_probs`.

    log_probs: float32 (T, V), natural logarithms; labels: integers (L,); blank: a column.
    Between equal neighbours stands at least one blank. On a tie the path stays where it is,
    else comes from a blank, else from the label before.

    star: the label that stands for untranscribed audio, needing no column of its own. In its
    place any number of frames, none included, may be taken by the star at the frame's highest
    log-probability over all columns but blank and star, less `margin`; blanks may stand between
    them. Equal labels on both sides of a star still need a frame between them. Neighbouring
    stars are one: the first of them takes the frames.

    threads: of this one alignment; by default all the processor's for a long one. The path does
    not depend on it.

    Raises UserError where the labels cannot fit or no path has a probability above zero,
    ValueError for what is no log-probability matrix or no label of it.
    """
    log_probs, labels = _checked(log_probs, labels, blank, star)
    frames = len(log_probs)
    trellis = _trellis(log_probs, labels, blank, star, margin)
    count, repeats = len(trellis.index), int(np.isneginf(trellis.skip).sum())
    if frames < count + repeats:
        raise UserError(
            f"{frames} frames cannot hold {count} labels with {repeats} repeats, which need "
            f"{count + repeats}: the transcript is too long for the audio, or the audio was cut"
        )
    if threads is None:
        threads = _cores() if frames * count >= THREADED_CELLS else 1
    return _solve(trellis, threads)


def align_many(
    items: Iterable[tuple[np.ndarray, np.ndarray]],
    blank: int = 0,
    star: int | None = None,
    *,
    margin: float = STAR_MARGIN,
    threads: int | None = None,
) -> list[Path | UserError]:
    """`align` for several (log_probs, labels), one thread each, in their order.

    A recording that cannot be aligned gives its UserError in place of a path, so that it costs
    none of the others.
    """

    def one(item: tuple[np.ndarray, np.ndarray]) -> Path | UserError:
        try:
            return align(*item, blank, star, margin=margin, threads=1)
        except UserError as error:
            return error

    with ThreadPoolExecutor(threads or _cores()) as pool:
        return list(pool.map(one, items))


def merge(path: Path, labels: np.ndarray) -> Spans:
    """The frames and the mean probability of each of the labels (L,) that `path` was made from."""
    count = len(labels)
    frames = np.flatnonzero(path.position >= 0)
    owners = path.position[frames]
    start = np.full(count, len(path.position), np.int64)
    end = np.zeros(count, np.int64)
    np.minimum.at(start, owners, frames)
    np.maximum.at(end, owners, frames + 1)
    own_frames = np.bincount(owners, minlength=count)
    total = np.bincount(owners, path.log_probs[frames].astype(np.float64), minlength=count)
    held = own_frames > 0
    score = np.zeros(count)
    score[held] = np.exp(total[held] / own_frames[held])
    # A star without a frame sits where the label before it ended.
    end[~held] = 0
    end = np.maximum.accumulate(end)
    start[~held] = end[~held]
    return Spans(start, end, score)


def _checked(
    log_probs: np.ndarray, labels: np.ndarray, blank: int, star: int | None
) -> tuple[np.ndarray, np.ndarray]:
    log_probs, labels = np.asarray(log_probs), np.asarray(labels)
    if log_probs.ndim != 2 or log_probs.dtype != np.float32:
        raise ValueError(
            f"log_probs must be float32 (frames, columns), not {log_probs.dtype} {log_probs.shape}"
        )
    if labels.ndim != 1 or (labels.size and labels.dtype.kind not in "iu"):
        raise ValueError(f"labels must be integers (labels,), not {labels.dtype} {labels.shape}")
    columns = log_probs.shape[1]
    if not 0 <= blank < columns:
        raise ValueError(f"blank {blank} is none of {columns} columns")
    if star == blank:
        raise ValueError(f"blank and star are both {star}")
    labels = labels.astype(np.int64)
    wrong = (labels < 0) | (labels >= columns) | (labels == blank)
    if star is not None:
        wrong &= labels != star
    if wrong.any():
        at = int(np.argmax(wrong))
        raise ValueError(
            f"label {labels[at]} at {at} is none of {columns} columns or the blank {blank}"
        )
    log_probs = np.ascontiguousarray(log_probs)
    frame = _first_bad_frame(log_probs)
    if frame >= 0:
        raise ValueError(f"log_probs hold NaN or +infinity at frame {frame}")
    return log_probs, labels


class _Trellis(NamedTuple):
    """An alignment without its stars: pair p is the gap p and the label p that follows it.

    The last pair is the gap after the last label; its own label is one that no frame has.
    """

    log_probs: np.ndarray  # float32 (T, V)
    star_log_probs: np.ndarray  # float32 (T,)
    blank: int
    labels: np.ndarray  # int32 (P,), the last V
    skip: np.ndarray  # float32 (P,), added to the step from the label before: 0 or -inf
    stars: np.ndarray  # int32 (P,), the star of each gap as an index into align's labels, or -1
    index: np.ndarray  # int32 (P - 1,), each label as an index into align's labels


class _Row(NamedTuple):
    """Both states of every pair after one frame; absolute values are `value + offset[chunk]`."""

    gap: np.ndarray  # float32 (P,)
    label: np.ndarray  # float32 (P,)
    offset: np.ndarray  # float64 (chunks,)


def _trellis(
    log_probs: np.ndarray, labels: np.ndarray, blank: int, star: int | None, margin: float
) -> _Trellis:
    is_star = labels == star if star is not None else np.zeros(len(labels), bool)
    index = np.flatnonzero(~is_star)
    ordinary = labels[index]
    skip = np.zeros(len(index) + 1, np.float32)
    skip[1:-1][ordinary[1:] == ordinary[:-1]] = -np.inf
    stars = np.full(len(index) + 1, -1, np.int32)
    star_index = np.flatnonzero(is_star)[::-1]  # the first star of a run is written last
    stars[np.searchsorted(index, star_index)] = star_index
    return _Trellis(
        log_probs,
        _star_log_probs(log_probs, blank, -1 if star is None else star, margin),
        blank,
        np.append(ordinary, log_probs.shape[1]).astype(np.int32),
        skip,
        stars,
        index.astype(np.int32),
    )


def _solve(trellis: _Trellis, threads: int) -> Path:
    frames, count = len(trellis.log_probs), len(trellis.index)
    # A sixteenth of the labels: 4 % more work on the way back, 100 bytes kept for each frame.
    height = max(SHORTEST_STRIP, count // 16 // ROWS * ROWS)
    kept, last = _forward(trellis, height, threads)
    gap, label = _absolute(last, max(count - 1, 0), count + 1)
    in_label = bool(count > 0 and label[0] > gap[-1])
    if not (label[0] if in_label else gap[-1]) > -np.inf:
        raise UserError(
            f"no path of {count} labels through {frames} frames has a probability above zero: "
            "log_probs are -infinity where a label has to be"
        )
    path = Path(np.empty(frames, np.int32), np.empty(frames, np.float32), 0.0)
    pair = count - 1 if in_label else count
    for start in reversed(range(0, frames, height)):
        pair, in_label = _trace(
            trellis,
            start,
            min(start + height, frames),
            kept.pop(),
            pair,
            in_label,
            path.position,
            path.log_probs,
        )
    return replace(path, score=float(path.log_probs.sum(dtype=np.float64)))


def _forward(trellis: _Trellis, height: int, threads: int) -> tuple[list[_Row], _Row]:
    """The rows before each strip of `height` frames, and the row after the last."""
    frames, pairs = len(trellis.log_probs), len(trellis.labels)
    chunks = -(-pairs // CHUNK)
    row = _Row(
        np.full(pairs, -np.inf, np.float32), np.full(pairs, -np.inf, np.float32), np.zeros(chunks)
    )
    row.gap[0] = 0.0  # before the first frame: in the gap before the first label
    strips = range(0, frames, height)
    # Pages of a kept row that no frame has reached are never written, and so take no memory.
    kept = [
        _Row(np.empty(pairs, np.float32), np.empty(pairs, np.float32), np.full(chunks, -np.inf))
        for _ in strips
    ]
    # Strips run side by side, each at least one group of chunks behind the strip before it.
    groups = range(0, chunks, -(-chunks // (4 * threads)) if threads > 1 else chunks)
    done = [[Event() for _ in groups] for _ in strips]
    slope = pairs - 1 - frames  # the lowest pair from which the end can be reached, at frame 0

    def run(number: int) -> None:
        start = strips[number]
        end = min(start + height, frames)
        column = np.full(end - start + 1, -np.inf)
        for group, first in enumerate(groups):
            if number:
                done[number - 1][group].wait()
            last = min(first + groups.step, chunks)
            _keep(row, kept[number], first, last, start, slope)
            _strip(trellis, start, end, slope, 0, row, first, last, column)
            done[number][group].set()

    if threads == 1:
        for number in range(len(strips)):
            run(number)
    else:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(run, range(len(strips))))
    return kept, row


def _cores() -> int:
    return len(os.sched_getaffinity(0))


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


@njit(nogil=True, cache=True)
def _keep(row, kept, first, last, frame, slope):
    """Copy those of the chunks [first, last) that a path can be in before `frame`."""
    for chunk in range(first, last):
        low, high = chunk * CHUNK, min((chunk + 1) * CHUNK, len(row.gap))
        if low <= frame and high > slope + frame - 1:
            kept.gap[low:high] = row.gap[low:high]
            kept.label[low:high] = row.label[low:high]
            kept.offset[chunk] = row.offset[chunk]


@njit(nogil=True, cache=True)
def _strip(trellis, start, end, slope, origin, row, first, last, column):
    """Carry the chunks [first, last) of `row` from before frame `start` to after `end - 1`.

    The row's first pair is `origin`; pairs below `slope + frame` are left alone. `column` is
    float64 (end - start + 1,): on entry the label just left of the first chunk before each
    frame, on return the last label of the last chunk.
    """
    infinity = np.float32(np.inf)
    columns = trellis.log_probs.shape[1]
    table = np.full(columns + 1, -infinity)
    emission = np.empty(CHUNK, np.float32)
    gaps = np.empty((2, CHUNK), np.float32)
    names = np.empty((2, CHUNK + 1), np.float32)
    for chunk in range(first, last):
        low, high = chunk * CHUNK, min((chunk + 1) * CHUNK, len(row.gap))
        size = high - low
        pair = origin + low
        labels = trellis.labels[pair : pair + size]
        skip = trellis.skip[pair : pair + size]
        stars = trellis.stars[pair : pair + size]
        offset = row.offset[chunk]
        gaps[:] = -infinity
        names[:] = -infinity
        gaps[0, :size] = row.gap[low:high]
        names[0, 1 : size + 1] = row.label[low:high]
        now = 0
        left = column[0]
        column[0] = names[0, size] + offset
        for top in range(start, end, ROWS):
            bottom = min(top + ROWS, end)
            if pair + size <= slope + top or pair >= bottom:
                for t in range(top, bottom):
                    left = column[t - start + 1]
                    column[t - start + 1] = -np.inf
                continue
            best = -infinity
            for i in range(max(slope + top - 1 - pair, 0), size):
                best = max(best, gaps[now, i], names[now, i + 1])
            if best > -infinity:
                offset += best
                for i in range(size):
                    gaps[now, i] -= best
                    names[now, i + 1] -= best
            elif left > -np.inf:
                offset = left
            elif column[bottom - start] > -np.inf:
                offset = column[bottom - start]
            for t in range(top, bottom):
                names[now, 0] = np.float32(left - offset)
                left = column[t - start + 1]
                table[:columns] = trellis.log_probs[t]
                blank = table[trellis.blank]
                star = max(blank, trellis.star_log_probs[t])
                begin, stop = max(slope + t - pair, 0), min(size, t + 1 - pair)
                gap, name = gaps[now], names[now]
                new_gap, new_name = gaps[1 - now], names[1 - now]
                for i in range(begin, stop):
                    before, stay, wait = name[i], name[i + 1], gap[i]
                    pause = blank if stars[i] < 0 else star
                    new_gap[i] = (wait if wait > before else before) + pause
                    step = before + skip[i]
                    best_step = wait if wait > step else step
                    new_name[i + 1] = (stay if stay > best_step else best_step) + table[labels[i]]
                now = 1 - now
                column[t - start + 1] = names[now, size] + offset
        row.gap[low:high] = gaps[now, :size]
        row.label[low:high] = names[now, 1 : size + 1]
        row.offset[chunk] = offset


@njit(nogil=True, cache=True)
def _absolute(row, first, last):
    """Both states of the pairs [first, last) in float64; pairs below 0 are -inf."""
    gap = np.full(last - first, -np.inf)
    label = np.full(last - first, -np.inf)
    for pair in range(max(first, 0), last):
        offset = row.offset[pair // CHUNK]
        if offset > -np.inf:  # else the chunk was never reached
            gap[pair - first] = row.gap[pair] + offset
            label[pair - first] = row.label[pair] + offset
    return gap, label


@njit(nogil=True, cache=True)
def _trace(trellis, start, end, row, pair, in_label, position, log_probs):
    """Write the path of the frames [start, end) that ends in `pair`; return where it came from."""
    # The cone under the end, in rows of ROWS frames, forward once more.
    origin = max(pair - (end - start), 0)
    gap, label = _absolute(row, origin, pair + 1)
    chunks = (pair - origin) // CHUNK + 1
    cone = _Row(np.empty(len(gap), np.float32), np.empty(len(gap), np.float32), np.zeros(chunks))
    for chunk in range(chunks):
        low, high = chunk * CHUNK, min((chunk + 1) * CHUNK, len(gap))
        best = max(gap[low:high].max(), label[low:high].max())
        cone.offset[chunk] = best if best > -np.inf else 0.0
        cone.gap[low:high] = gap[low:high] - cone.offset[chunk]
        cone.label[low:high] = label[low:high] - cone.offset[chunk]
    starts = np.arange(start, end, ROWS)
    kept_gap = np.empty((len(starts), len(gap)), np.float32)
    kept_label = np.empty((len(starts), len(gap)), np.float32)
    kept_offset = np.empty((len(starts), chunks))
    column = np.empty(ROWS + 1)
    for k, top in enumerate(starts):
        kept_gap[k], kept_label[k], kept_offset[k] = cone
        if k + 1 < len(starts):
            column[:] = -np.inf
            _strip(trellis, top, top + ROWS, pair - end + 1, origin, cone, 0, chunks, column)
    for k in range(len(starts) - 1, -1, -1):
        top = starts[k]
        bottom = min(top + ROWS, end)
        first = pair - (bottom - top)
        gap, label = _absolute(
            _Row(kept_gap[k], kept_label[k], kept_offset[k]), first - origin, pair + 1 - origin
        )
        pair, in_label = _trace_rows(
            trellis, top, bottom, first, gap, label, pair, in_label, position, log_probs
        )
    return pair, in_label


@njit(nogil=True, cache=True)
def _trace_rows(trellis, start, end, first, gap, label, pair, in_label, position, log_probs):
    """As `_trace`, for few enough frames to note every step; `gap` and `label` begin at `first`."""
    size = len(gap)
    steps = np.zeros((end - start, size), np.uint8)
    for t in range(start, end):
        frame = trellis.log_probs[t]
        blank = frame[trellis.blank]
        star = max(blank, trellis.star_log_probs[t])
        # Downwards, so that the label before is still that of the frame before.
        for i in range(size - 1, max(pair - (end - 1 - t) - first, -first) - 1, -1):
            step = 0
            before = label[i - 1] if i > 0 else -np.inf
            stay, wait = label[i], gap[i]
            if before > wait:
                gap[i], step = before, _GAP_FROM_LABEL
            gap[i] += blank if trellis.stars[first + i] < 0 else star
            jump = before + trellis.skip[first + i]
            if jump > stay and jump > wait:
                label[i], step = jump, step | _LABEL_FROM_LABEL
            elif wait > stay:
                label[i], step = wait, step | _LABEL_FROM_GAP
            name = trellis.labels[first + i]
            label[i] += frame[name] if name < len(frame) else -np.inf
            steps[t - start, i] = step
    for t in range(end - 1, start - 1, -1):
        step = steps[t - start, pair - first]
        if in_label:
            position[t] = trellis.index[pair]
            log_probs[t] = trellis.log_probs[t, trellis.labels[pair]]
            if step & _LABEL_FROM_GAP:
                in_label = False
            elif step & _LABEL_FROM_LABEL:
                pair -= 1
        else:
            blank, star = trellis.log_probs[t, trellis.blank], trellis.star_log_probs[t]
            starred = trellis.stars[pair] >= 0 and star > blank
            position[t] = trellis.stars[pair] if starred else -1
            log_probs[t] = star if starred else blank
            if step & _GAP_FROM_LABEL:
                in_label = True
                pair -= 1
    return pair, in_label
