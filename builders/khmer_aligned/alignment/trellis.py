"""The trellis that `viterbi` walks: its rows, forward and back, compiled by numba.

Token p and the gap before it form the pair p. From one frame to the next a path stays in its
pair or climbs to the next one, so the states that can lead to a known end form a cone: as many
pairs as there are frames. That is why few rows need to be kept on the way forward, and why only
the cone above a kept row is computed again on the way back (checkpointing, as Hirschberg 1975).

A row is float32 relative to a float64 offset for every `CHUNK` pairs, which is chosen anew every
`ROWS` frames: an hour is rounded no worse than a second, and alike by any number of threads.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from khmer_aligned.alignment.kernel import FUSED, LANES, advance_fused, advance_one

CHUNK = 1024  # pairs, which stay in the first-level cache while the frames of a strip go by
ROWS = 128  # frames between two choices of offset; FUSED divides it
STEPS = 32  # frames for which every step of every path is noted

# How a path came into a state where it did not stay in it.
GAP_FROM_TOKEN, TOKEN_FROM_GAP, TOKEN_FROM_TOKEN = 1, 2, 4


class Trellis(NamedTuple):
    """What is to be aligned. The last pair is the last gap; its token, the blank, leads nowhere."""

    log_probs: np.ndarray  # float32 (T, V)
    star_log_probs: np.ndarray  # float32 (T,)
    blank: int
    tokens: np.ndarray  # int32 (P,), columns of log_probs
    skip: np.ndarray  # float32 (P,), added to the step from the token before: 0 or -inf
    stars: np.ndarray  # int32 (P,), the star of a gap as its index in the caller's tokens, or -1
    indices: np.ndarray  # int32 (P,), the index of a token in the caller's tokens


class Row(NamedTuple):
    """Both states of the pairs after one frame; the true value is `value + offset[chunk]`."""

    gaps: np.ndarray  # float32 (P,)
    tokens: np.ndarray  # float32 (P,)
    offset: np.ndarray  # float64 (chunks,), -inf for a chunk that was not kept


@njit(nogil=True, cache=True)
def strip(trellis, start, end, slope, origin, row, first, last, column):
    """Carry the chunks [first, last) of `row` from before frame `start` to after `end - 1`.

    The first pair of `row` is `origin`. Pairs below `slope + frame` cannot be on the path, and
    their values are not kept right. column: float64 (end - start + 1,), on entry the token left of
    the first chunk before each frame, on return the last token of the last chunk.
    """
    slots, columns = np.empty(CHUNK, np.int32), np.empty(CHUNK, np.int32)
    slot_of = np.full(trellis.log_probs.shape[1], -1, np.int32)
    skip, stars = np.zeros(CHUNK, np.float32), np.zeros(CHUNK, np.int32)
    gaps, tokens = np.empty(CHUNK, np.float32), np.empty(CHUNK, np.float32)
    edge, pauses = np.empty(FUSED, np.float32), np.empty((FUSED, 2), np.float32)
    slots[:] = 0
    for chunk in range(first, last):
        low, high = chunk * CHUNK, min((chunk + 1) * CHUNK, len(row.gaps))
        size, pair = high - low, origin + low
        used = _assign_slots(trellis.tokens[pair : pair + size], slot_of, slots, columns)
        firsts = np.arange(0, used, LANES).astype(np.int32)
        tables = np.empty((len(firsts), FUSED, LANES), np.float32)
        gaps[:], tokens[:] = -np.inf, -np.inf
        for i in range(size):
            skip[i], stars[i] = trellis.skip[pair + i], trellis.stars[pair + i]
            gaps[i], tokens[i] = row.gaps[low + i], row.tokens[low + i]
        offset = row.offset[chunk]
        left = column[0]
        column[0] = tokens[size - 1] + offset
        for top in range(start, end, ROWS):
            bottom = min(top + ROWS, end)
            if pair + size <= slope + top or pair >= bottom:  # left behind, or not yet reached
                left = column[bottom - start]
                column[top - start + 1 : bottom - start + 1] = -np.inf
                continue
            lowest = max(slope + top - 1 - pair, 0)
            offset = _rebase(
                gaps[lowest:size], tokens[lowest:size], gaps[:size], tokens[:size], offset,
                column[top - start : bottom - start],
            )  # fmt: skip
            t = top
            while t < bottom:
                fused = FUSED if t + FUSED <= bottom else 1
                for f in range(fused):
                    edge[f] = left - offset
                    left = column[t + f - start + 1]
                    frame = trellis.log_probs[t + f]
                    for k in range(used):
                        tables[k // LANES, f, k % LANES] = frame[columns[k]]
                    pauses[f, 0] = frame[trellis.blank]
                    pauses[f, 1] = max(frame[trellis.blank], trellis.star_log_probs[t + f])
                # From one pair below the lowest possible one, whose token the next step needs.
                begin = max(slope + t - 1 - pair, 0) // LANES * LANES
                stop = min(size, t + fused - pair)
                if begin < stop and fused == FUSED:
                    advance_fused(
                        gaps, tokens, slots, skip, stars, pauses, edge, firsts, tables, begin, stop
                    )
                elif begin < stop:
                    advance_one(
                        gaps, tokens, slots, skip, stars, pauses, edge, firsts, tables, begin, stop
                    )
                reached = begin < stop and stop > CHUNK - LANES
                for f in range(fused):
                    column[t + f - start + 1] = edge[f] + offset if reached else -np.inf
                t += fused
        for i in range(size):
            row.gaps[low + i], row.tokens[low + i] = gaps[i], tokens[i]
        row.offset[chunk] = offset


@njit(nogil=True, cache=True)
def _assign_slots(tokens, slot_of, slots, columns):
    """Number the columns that the tokens of a chunk use, and return how many they are.

    slots: the number of each token's column; columns: the column of each number. `slot_of`, (V,)
    of -1, is working space and is left as it was.
    """
    used = 0
    for i in range(len(tokens)):
        token = tokens[i]
        if slot_of[token] < 0:
            slot_of[token] = used
            columns[used] = token
            used += 1
        slots[i] = slot_of[token]
    for k in range(used):
        slot_of[columns[k]] = -1
    return used


@njit(nogil=True, cache=True)
def _rebase(possible_gaps, possible_tokens, gaps, tokens, offset, left):
    """Make values relative to the best of the possible ones, in place, and return the new offset.

    Where none is above -inf, the first finite value that will come in from the left decides.
    """
    best = np.float32(-np.inf)
    for i in range(len(possible_gaps)):
        best = max(best, possible_gaps[i], possible_tokens[i])
    if best > -np.inf:
        for i in range(len(gaps)):
            gaps[i] -= best
            tokens[i] -= best
        return offset + best
    for value in left:
        if value > -np.inf:
            return value
    return offset


@njit(nogil=True, cache=True)
def keep(row, kept, first, last, frame, slope):
    """Copy those of the chunks [first, last) in which a path to the end can be before `frame`."""
    for chunk in range(first, last):
        low, high = chunk * CHUNK, min((chunk + 1) * CHUNK, len(row.gaps))
        if low <= frame and high > slope + frame - 1:
            for pair in range(low, high):
                kept.gaps[pair], kept.tokens[pair] = row.gaps[pair], row.tokens[pair]
            kept.offset[chunk] = row.offset[chunk]


@njit(nogil=True, cache=True)
def absolute(row, first, last):
    """Both states of the pairs [first, last) of a row in float64."""
    gaps, tokens = np.full(last - first, -np.inf), np.full(last - first, -np.inf)
    for pair in range(first, last):
        offset = row.offset[pair // CHUNK]
        if offset > -np.inf:
            gaps[pair - first] = row.gaps[pair] + offset
            tokens[pair - first] = row.tokens[pair] + offset
    return gaps, tokens


@njit(nogil=True, cache=True)
def relative(gaps, tokens):
    """A row of float64 values; the inverse of `absolute`."""
    chunks = -(-len(gaps) // CHUNK)
    row = Row(np.empty(len(gaps), np.float32), np.empty(len(gaps), np.float32), np.zeros(chunks))
    for chunk in range(chunks):
        low, high = chunk * CHUNK, min((chunk + 1) * CHUNK, len(gaps))
        best = -np.inf
        for pair in range(low, high):
            best = max(best, gaps[pair], tokens[pair])
        if best > -np.inf:
            row.offset[chunk] = best
        for pair in range(low, high):
            row.gaps[pair] = gaps[pair] - row.offset[chunk]
            row.tokens[pair] = tokens[pair] - row.offset[chunk]
    return row


@njit(nogil=True, cache=True)
def trace(trellis, start, end, origin, row, pair, in_token, position, log_probs):
    """Write the path of the frames [start, end) that ends in `pair` and return where it begins.

    row: the one before `start`, its first pair `origin`. The cone is carried forward once more,
    some of its rows kept, and traced from one to the next.
    """
    low = max(pair - (end - start), origin)
    gaps, tokens = absolute(row, low - origin, pair + 1 - origin)
    if end - start <= STEPS:
        return _trace_steps(
            trellis, start, end, low, gaps, tokens, pair, in_token, position, log_probs
        )
    cone = relative(gaps, tokens)
    first, chunks = np.int64(0), len(cone.offset)  # a plain 0 would be a type of its own to numba
    height = -(-(end - start) // (16 * STEPS)) * STEPS
    tops = np.arange(start, end, height)
    kept = [cone]
    column = np.empty(height + 1)
    for top in tops[:-1]:
        below = kept[-1]
        cone = Row(below.gaps.copy(), below.tokens.copy(), below.offset.copy())
        column[:] = -np.inf
        strip(trellis, top, top + height, pair - end + 1, low, cone, first, chunks, column)
        kept.append(cone)
    bottom = end
    for k in range(len(tops) - 1, -1, -1):
        pair, in_token = trace(
            trellis, tops[k], bottom, low, kept[k], pair, in_token, position, log_probs
        )
        bottom = tops[k]
    return pair, in_token


@njit(nogil=True, cache=True)
def _trace_steps(trellis, start, end, low, gaps, tokens, pair, in_token, position, log_probs):
    """`trace` for a few frames, noting every step; `gaps` and `tokens` begin with pair `low`."""
    size = len(gaps)
    steps = np.zeros((end - start, size), np.uint8)
    for t in range(start, end):
        frame = trellis.log_probs[t]
        blank = frame[trellis.blank]
        star = max(blank, trellis.star_log_probs[t])
        # Downwards, so that the token before is still that of the frame before.
        for i in range(size - 1, max(pair - (end - 1 - t) - low, 0) - 1, -1):
            before = tokens[i - 1] if i > 0 else -np.inf
            stay, wait = tokens[i], gaps[i]
            jump = before + trellis.skip[low + i]
            pause = blank if trellis.stars[low + i] < 0 else star
            # Conditional values, not branches: the processor could not predict them.
            gap_step = GAP_FROM_TOKEN if before > wait else 0
            token_step = TOKEN_FROM_GAP if wait > stay else 0
            stay = wait if wait > stay else stay
            token_step = TOKEN_FROM_TOKEN if jump > stay else token_step
            gaps[i] = (before if before > wait else wait) + pause
            tokens[i] = (jump if jump > stay else stay) + frame[trellis.tokens[low + i]]
            steps[t - start, i] = gap_step | token_step
    for t in range(end - 1, start - 1, -1):
        step = steps[t - start, pair - low]
        if in_token:
            position[t] = trellis.indices[pair]
            log_probs[t] = trellis.log_probs[t, trellis.tokens[pair]]
            if step & TOKEN_FROM_GAP:
                in_token = False
            elif step & TOKEN_FROM_TOKEN:
                pair -= 1
        else:
            blank, star = trellis.log_probs[t, trellis.blank], trellis.star_log_probs[t]
            starred = trellis.stars[pair] >= 0 and star > blank
            position[t] = trellis.stars[pair] if starred else -1
            log_probs[t] = star if starred else blank
            if step & GAP_FROM_TOKEN:
                in_token = True
                pair -= 1
    return pair, in_token
