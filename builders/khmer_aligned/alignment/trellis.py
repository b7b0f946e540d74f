"""The trellis that `viterbi` walks: its rows, forward and back, compiled by numba.

Label p and the gap before it form the pair p. From one frame to the next a path stays in its
pair or climbs to the next one, so what can have led to a known end is a cone: as many pairs as
there are frames. That is why few rows need to be kept on the way forward, and why the cone above
a kept row is all that is computed again on the way back (checkpointing, as Hirschberg 1975).

A row is float32 relative to a float64 offset of its own for every `CHUNK` pairs, taken anew every
`ROWS` frames: an hour is rounded no worse than a second, and alike by any number of threads.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from llvmlite import binding, ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

CHUNK = 1024  # pairs, which stay in the first-level cache while the frames of a strip go by
ROWS = 128  # frames between two choices of offset
FUSED = 4  # frames for which a vector of pairs stays in registers; a divisor of ROWS and STEPS
STEPS = 32  # frames for which every step of every path is noted
LANES = 16 if binding.get_host_cpu_features().get("avx512f") else 8  # pairs in a vector

# How a state was come to, where it was not by staying in it.
GAP_FROM_LABEL, LABEL_FROM_GAP, LABEL_FROM_LABEL = 1, 2, 4


class Trellis(NamedTuple):
    """What is to be aligned. The last pair is the last gap; its label, the blank, leads nowhere."""

    log_probs: np.ndarray  # float32 (T, V)
    star_log_probs: np.ndarray  # float32 (T,)
    blank: int
    labels: np.ndarray  # int32 (P,), columns of log_probs
    skip: np.ndarray  # float32 (P,), added to the step from the label before: 0 or -inf
    stars: np.ndarray  # int32 (P,), the star of a gap as its place in the caller's labels, or -1
    places: np.ndarray  # int32 (P,), the place of a label in the caller's labels


class Row(NamedTuple):
    """Both states of the pairs after one frame; the true value is `value + offset[chunk]`."""

    gaps: np.ndarray  # float32 (P,)
    names: np.ndarray  # float32 (P,), of the labels
    offset: np.ndarray  # float64 (chunks,), -inf for a chunk that was not kept


def _int32(value: int) -> ir.Constant:
    return ir.Constant(ir.IntType(32), value)


def _kernel(frames: int):
    """The inner loop, over the pairs of a chunk for `frames` frames at once, as an intrinsic.

    Left to LLVM, the loop fetches the log-probability of each label from memory on its own. Here
    a frame's log-probabilities are in vectors, permuted by the labels, and a vector of pairs is
    loaded and stored once for all the frames.
    """
    floats = ir.VectorType(ir.FloatType(), LANES)
    integers = ir.VectorType(ir.IntType(32), LANES)
    index = ir.IntType(64)

    def generate(context, builder, signature, arguments):
        arrays = [
            context.make_array(kind)(context, builder, value)
            for kind, value in zip(signature.args[:8], arguments[:8], strict=True)
        ]
        gaps, names, labels, skip, stars, pauses, edge, firsts = (a.data for a in arrays)
        tables = context.make_array(signature.args[8])(context, builder, arguments[8])
        pieces, table_frames, _ = cgutils.unpack_tuple(builder, tables.shape, 3)
        begin, stop = arguments[9:]

        def load(pointer, at, kind):
            pointer = builder.bitcast(builder.gep(pointer, [at]), kind.as_pointer())
            return builder.load(pointer, align=4)

        def store(value, pointer, at):
            pointer = builder.bitcast(builder.gep(pointer, [at]), value.type.as_pointer())
            builder.store(value, pointer, align=4)

        def splat(value):
            kind = ir.VectorType(value.type, LANES)
            first = builder.insert_element(ir.Constant(kind, ir.Undefined), value, _int32(0))
            return builder.shuffle_vector(first, first, ir.Constant(integers, [0] * LANES))

        def larger(a, b):
            return builder.select(builder.fcmp_ordered(">", a, b), a, b)

        def permuted(table, lanes):
            out = ir.Constant(floats, ir.Undefined)
            for k in range(LANES):
                value = builder.extract_element(table, lanes[k])
                out = builder.insert_element(out, value, _int32(k))
            return out

        nothing = ir.Constant(floats, [float("-inf")] * LANES)
        each_frame = [ir.Constant(index, f) for f in range(frames)]
        left = [
            builder.insert_element(nothing, load(edge, f, ir.FloatType()), _int32(LANES - 1))
            for f in each_frame
        ]
        pause = [
            [
                splat(load(pauses, ir.Constant(index, 2 * f + starred), ir.FloatType()))
                for starred in (0, 1)
            ]
            for f in range(frames)
        ]
        entry = builder.block
        pairs = builder.append_basic_block("pairs")
        lookup = builder.append_basic_block("lookup")
        update = builder.append_basic_block("update")
        done = builder.append_basic_block("done")
        builder.branch(pairs)

        builder.position_at_end(pairs)
        i = builder.phi(index)
        i.add_incoming(begin, entry)
        previous = [builder.phi(floats) for _ in each_frame]
        for phi, value in zip(previous, left, strict=True):
            phi.add_incoming(value, entry)
        label, skipped = load(labels, i, integers), load(skip, i, floats)
        gap, name = load(gaps, i, floats), load(names, i, floats)
        zeros = ir.Constant(integers, [0] * LANES)
        starred = builder.icmp_signed(">=", load(stars, i, integers), zeros)
        builder.branch(lookup)

        builder.position_at_end(lookup)
        piece = builder.phi(index)
        piece.add_incoming(ir.Constant(index, 0), pairs)
        emission = [builder.phi(floats) for _ in each_frame]
        # Where a piece begins is read, not reckoned: else LLVM sees that the lanes depend on the
        # label alone, moves them out of this loop, and no longer knows a permutation when it
        # meets one.
        lane = builder.sub(label, splat(load(firsts, piece, ir.IntType(32))))
        here = builder.icmp_unsigned("<", lane, ir.Constant(integers, [LANES] * LANES))
        lane = builder.and_(lane, ir.Constant(integers, [LANES - 1] * LANES))
        lanes = [builder.extract_element(lane, _int32(k)) for k in range(LANES)]
        found = []
        for f in range(frames):
            at = builder.add(builder.mul(piece, table_frames), each_frame[f])
            at = builder.mul(at, ir.Constant(index, LANES))
            picked = permuted(load(tables.data, at, floats), lanes)
            found.append(builder.select(here, picked, emission[f]))
            emission[f].add_incoming(nothing, pairs)
            emission[f].add_incoming(found[f], lookup)
        next_piece = builder.add(piece, ir.Constant(index, 1))
        piece.add_incoming(next_piece, lookup)
        builder.cbranch(builder.icmp_signed("<", next_piece, pieces), lookup, update)

        builder.position_at_end(update)
        one_lower = ir.Constant(integers, [LANES - 1 + k for k in range(LANES)])
        last = []
        for f in range(frames):
            before = builder.shuffle_vector(previous[f], name, one_lower)
            previous[f].add_incoming(name, update)
            step = larger(gap, builder.fadd(before, skipped))
            pause_here = builder.select(starred, pause[f][1], pause[f][0])
            gap = builder.fadd(larger(gap, before), pause_here)
            name = builder.fadd(larger(name, step), found[f])
            last.append(name)
        store(gap, gaps, i)
        store(name, names, i)
        next_i = builder.add(i, ir.Constant(index, LANES))
        i.add_incoming(next_i, update)
        builder.cbranch(builder.icmp_signed("<", next_i, stop), pairs, done)

        builder.position_at_end(done)
        for f in range(frames):
            store(builder.extract_element(last[f], _int32(LANES - 1)), edge, each_frame[f])
        return context.get_dummy_value()

    @intrinsic
    def advance(
        typing, gaps, names, labels, skip, stars, pauses, edge, firsts, tables, begin, stop
    ):
        """Carry the pairs [begin, stop), in whole vectors, on by `frames` frames, in place.

        labels: int32, slots of the tables; tables: float32 (pieces, FUSED, LANES), the
        log-probabilities of the slots; firsts: int32 (pieces,), the first slot of each;
        pauses: float32 (frames, 2), the log-probability of a gap without and with a star;
        edge: float32 (frames,), the label left of `begin` before each frame, and on return the
        last label of the last vector after each frame.
        """
        arguments = (gaps, names, labels, skip, stars, pauses, edge, firsts, tables, begin, stop)
        return types.void(*arguments), generate

    return advance


_advance_fused, _advance_one = _kernel(FUSED), _kernel(1)


@njit(nogil=True, cache=True)
def strip(trellis, start, end, slope, origin, row, first, last, column):
    """Carry the chunks [first, last) of `row` from before frame `start` to after `end - 1`.

    The first pair of `row` is `origin`. Pairs below `slope + frame` are not wanted, and not kept
    right. column: float64 (end - start + 1,), on entry the label left of the first chunk before
    each frame, on return the last label of the last chunk.
    """
    slots = np.full(trellis.log_probs.shape[1], -1, np.int32)
    columns = np.empty(CHUNK, np.int32)
    labels, stars = np.zeros(CHUNK, np.int32), np.zeros(CHUNK, np.int32)
    skip = np.zeros(CHUNK, np.float32)
    gaps, names = np.empty(CHUNK, np.float32), np.empty(CHUNK, np.float32)
    edge, pauses = np.empty(FUSED, np.float32), np.empty((FUSED, 2), np.float32)
    for chunk in range(first, last):
        low, high = chunk * CHUNK, min((chunk + 1) * CHUNK, len(row.gaps))
        size, pair = high - low, origin + low
        # Only the columns that labels of this chunk name go into the tables.
        used = 0
        for i in range(size):
            name = trellis.labels[pair + i]
            if slots[name] < 0:
                slots[name] = used
                columns[used] = name
                used += 1
            labels[i] = slots[name]
        for k in range(used):
            slots[columns[k]] = -1
        firsts = np.arange(0, used, LANES).astype(np.int32)
        tables = np.empty((len(firsts), FUSED, LANES), np.float32)
        gaps[:], names[:] = -np.inf, -np.inf
        for i in range(size):
            skip[i], stars[i] = trellis.skip[pair + i], trellis.stars[pair + i]
            gaps[i], names[i] = row.gaps[low + i], row.names[low + i]
        offset = row.offset[chunk]
        left = column[0]
        column[0] = names[size - 1] + offset
        for top in range(start, end, ROWS):
            bottom = min(top + ROWS, end)
            if pair + size <= slope + top or pair >= bottom:  # left behind, or not yet reached
                left = column[bottom - start]
                column[top - start + 1 : bottom - start + 1] = -np.inf
                continue
            best = np.float32(-np.inf)
            for i in range(max(slope + top - 1 - pair, 0), size):
                best = max(best, gaps[i], names[i])
            if best > -np.inf:
                offset += best
                for i in range(size):
                    gaps[i] -= best
                    names[i] -= best
            else:  # the first value to come in is the measure
                for value in column[top - start : bottom - start]:
                    if value > -np.inf:
                        offset = value
                        break
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
                # One pair below the wanted ones: of the lowest the label before is not known.
                begin = max(slope + t - 1 - pair, 0) // LANES * LANES
                stop = min(size, t + fused - pair)
                if begin < stop and fused == FUSED:
                    _advance_fused(
                        gaps, names, labels, skip, stars, pauses, edge, firsts, tables, begin, stop
                    )
                elif begin < stop:
                    _advance_one(
                        gaps, names, labels, skip, stars, pauses, edge, firsts, tables, begin, stop
                    )
                reached = begin < stop and stop > CHUNK - LANES
                for f in range(fused):
                    column[t + f - start + 1] = edge[f] + offset if reached else -np.inf
                t += fused
        for i in range(size):
            row.gaps[low + i], row.names[low + i] = gaps[i], names[i]
        row.offset[chunk] = offset


@njit(nogil=True, cache=True)
def keep(row, kept, first, last, frame, slope):
    """Copy those of the chunks [first, last) in which a path to the end can be before `frame`."""
    for chunk in range(first, last):
        low, high = chunk * CHUNK, min((chunk + 1) * CHUNK, len(row.gaps))
        if low <= frame and high > slope + frame - 1:
            for pair in range(low, high):
                kept.gaps[pair], kept.names[pair] = row.gaps[pair], row.names[pair]
            kept.offset[chunk] = row.offset[chunk]


@njit(nogil=True, cache=True)
def absolute(row, first, last):
    """Both states of the pairs [first, last) of a row in float64."""
    gaps, names = np.full(last - first, -np.inf), np.full(last - first, -np.inf)
    for pair in range(first, last):
        offset = row.offset[pair // CHUNK]
        if offset > -np.inf:
            gaps[pair - first] = row.gaps[pair] + offset
            names[pair - first] = row.names[pair] + offset
    return gaps, names


@njit(nogil=True, cache=True)
def relative(gaps, names):
    """A row of float64 values; the inverse of `absolute`."""
    chunks = -(-len(gaps) // CHUNK)
    row = Row(np.empty(len(gaps), np.float32), np.empty(len(gaps), np.float32), np.zeros(chunks))
    for chunk in range(chunks):
        low, high = chunk * CHUNK, min((chunk + 1) * CHUNK, len(gaps))
        best = -np.inf
        for pair in range(low, high):
            best = max(best, gaps[pair], names[pair])
        if best > -np.inf:
            row.offset[chunk] = best
        for pair in range(low, high):
            row.gaps[pair] = gaps[pair] - row.offset[chunk]
            row.names[pair] = names[pair] - row.offset[chunk]
    return row


@njit(nogil=True, cache=True)
def trace(trellis, start, end, origin, row, pair, in_label, position, log_probs):
    """Write the path of the frames [start, end) that ends in `pair` and return where it begins.

    row: the one before `start`, its first pair `origin`. The cone is carried forward once more,
    some of its rows kept, and traced from one to the next.
    """
    low = max(pair - (end - start), origin)
    gaps, names = absolute(row, low - origin, pair + 1 - origin)
    if end - start <= STEPS:
        return _trace_steps(
            trellis, start, end, low, gaps, names, pair, in_label, position, log_probs
        )
    cone = relative(gaps, names)
    first, chunks = np.int64(0), len(cone.offset)  # a plain 0 would be a type of its own to numba
    height = -(-(end - start) // (16 * STEPS)) * STEPS
    tops = np.arange(start, end, height)
    kept = [cone]
    column = np.empty(height + 1)
    for top in tops[:-1]:
        below = kept[-1]
        cone = Row(below.gaps.copy(), below.names.copy(), below.offset.copy())
        column[:] = -np.inf
        strip(trellis, top, top + height, pair - end + 1, low, cone, first, chunks, column)
        kept.append(cone)
    bottom = end
    for k in range(len(tops) - 1, -1, -1):
        pair, in_label = trace(
            trellis, tops[k], bottom, low, kept[k], pair, in_label, position, log_probs
        )
        bottom = tops[k]
    return pair, in_label


@njit(nogil=True, cache=True)
def _trace_steps(trellis, start, end, low, gaps, names, pair, in_label, position, log_probs):
    """`trace` for a few frames, noting every step; `gaps` and `names` begin with the pair `low`."""
    size = len(gaps)
    steps = np.zeros((end - start, size), np.uint8)
    for t in range(start, end):
        frame = trellis.log_probs[t]
        blank = frame[trellis.blank]
        star = max(blank, trellis.star_log_probs[t])
        # Downwards, so that the label before is still that of the frame before.
        for i in range(size - 1, max(pair - (end - 1 - t) - low, 0) - 1, -1):
            before = names[i - 1] if i > 0 else -np.inf
            stay, wait = names[i], gaps[i]
            jump = before + trellis.skip[low + i]
            pause = blank if trellis.stars[low + i] < 0 else star
            # Conditional values, not branches: on real input no one could predict them.
            gap_step = GAP_FROM_LABEL if before > wait else 0
            name_step = LABEL_FROM_GAP if wait > stay else 0
            stay = wait if wait > stay else stay
            name_step = LABEL_FROM_LABEL if jump > stay else name_step
            gaps[i] = (before if before > wait else wait) + pause
            names[i] = (jump if jump > stay else stay) + frame[trellis.labels[low + i]]
            steps[t - start, i] = gap_step | name_step
    for t in range(end - 1, start - 1, -1):
        step = steps[t - start, pair - low]
        if in_label:
            position[t] = trellis.places[pair]
            log_probs[t] = trellis.log_probs[t, trellis.labels[pair]]
            if step & LABEL_FROM_GAP:
                in_label = False
            elif step & LABEL_FROM_LABEL:
                pair -= 1
        else:
            blank, star = trellis.log_probs[t, trellis.blank], trellis.star_log_probs[t]
            starred = trellis.stars[pair] >= 0 and star > blank
            position[t] = trellis.stars[pair] if starred else -1
            log_probs[t] = star if starred else blank
            if step & GAP_FROM_LABEL:
                in_label = True
                pair -= 1
    return pair, in_label
