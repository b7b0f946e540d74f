"""The inner loop of the trellis: a few frames of the recurrence for vectors of pairs, in LLVM.

Left to numba, the loop fetches the log-probability of each token from memory on its own. Here the
log-probabilities of a frame are in vectors that the tokens permute, and a vector of pairs is loaded
and stored once for `FUSED` frames. `advance_plainly` is the same in numpy.

numba caches the functions of trellis.py by that file alone: after a change here, touch it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import binding, ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

FUSED = 4  # frames for which a vector of pairs stays in registers
LANES = 16 if binding.get_host_cpu_features().get("avx512f") else 8  # pairs in a vector


def advance_plainly(
    gaps: np.ndarray,
    tokens: np.ndarray,
    emissions: np.ndarray,
    skip: np.ndarray,
    stars: np.ndarray,
    pauses: np.ndarray,
    edge: np.ndarray,
) -> None:
    """Carry pairs on by F frames, in place: what the kernel computes.

    gaps, tokens: float32 (P,), the best score of a path in the gap and in the token of each pair.
    emissions: float32 (F, P), the log-probability of each pair's token; skip: float32 (P,), added
    to the step from the token before, 0 or -inf; stars: int32 (P,), negative for a gap without a
    star; pauses: float32 (F, 2), the log-probability of a gap without and with a star; edge:
    float32 (F,), the token left of the first pair before each frame, and on return the last pair's
    token after each frame.
    """
    for frame, pause in enumerate(pauses):
        before = np.append(edge[frame], tokens[:-1])
        step = np.maximum(gaps, before + skip)
        gaps[:] = np.maximum(gaps, before) + np.where(stars >= 0, pause[1], pause[0])
        tokens[:] = np.maximum(tokens, step) + emissions[frame]
        edge[frame] = tokens[-1]


def _int32(value: int) -> ir.Constant:
    return ir.Constant(ir.IntType(32), value)


def _make_kernel(frames: int) -> Any:
    """The kernel for a number of frames, as an intrinsic of numba."""
    floats = ir.VectorType(ir.FloatType(), LANES)
    integers = ir.VectorType(ir.IntType(32), LANES)
    index = ir.IntType(64)

    def generate(context, builder, signature, arguments):
        arrays = [
            context.make_array(kind)(context, builder, value)
            for kind, value in zip(signature.args[:8], arguments[:8], strict=True)
        ]
        gaps, tokens, slots, skip, stars, pauses, edge, firsts = (a.data for a in arrays)
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

        minus_infinity = ir.Constant(floats, [float("-inf")] * LANES)
        frame_index = [ir.Constant(index, f) for f in range(frames)]
        left = [
            builder.insert_element(minus_infinity, load(edge, f, ir.FloatType()), _int32(LANES - 1))
            for f in frame_index
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
        previous = [builder.phi(floats) for _ in frame_index]
        for phi, value in zip(previous, left, strict=True):
            phi.add_incoming(value, entry)
        slot, skipped = load(slots, i, integers), load(skip, i, floats)
        gap, token = load(gaps, i, floats), load(tokens, i, floats)
        zeros = ir.Constant(integers, [0] * LANES)
        starred = builder.icmp_signed(">=", load(stars, i, integers), zeros)
        builder.branch(lookup)

        builder.position_at_end(lookup)
        piece = builder.phi(index)
        piece.add_incoming(ir.Constant(index, 0), pairs)
        emission = [builder.phi(floats) for _ in frame_index]
        # The first slot of a piece is loaded, not computed. Else LLVM sees that the lanes depend on
        # the slot alone, moves them out of this loop, and no longer recognizes the permutation.
        lane = builder.sub(slot, splat(load(firsts, piece, ir.IntType(32))))
        in_piece = builder.icmp_unsigned("<", lane, ir.Constant(integers, [LANES] * LANES))
        lane = builder.and_(lane, ir.Constant(integers, [LANES - 1] * LANES))
        lanes = [builder.extract_element(lane, _int32(k)) for k in range(LANES)]
        emitted = []
        for f in range(frames):
            at = builder.add(builder.mul(piece, table_frames), frame_index[f])
            at = builder.mul(at, ir.Constant(index, LANES))
            picked = permuted(load(tables.data, at, floats), lanes)
            emitted.append(builder.select(in_piece, picked, emission[f]))
            emission[f].add_incoming(minus_infinity, pairs)
            emission[f].add_incoming(emitted[f], lookup)
        next_piece = builder.add(piece, ir.Constant(index, 1))
        piece.add_incoming(next_piece, lookup)
        builder.cbranch(builder.icmp_signed("<", next_piece, pieces), lookup, update)

        builder.position_at_end(update)
        one_lower = ir.Constant(integers, [LANES - 1 + k for k in range(LANES)])
        last = []
        for f in range(frames):
            before = builder.shuffle_vector(previous[f], token, one_lower)
            previous[f].add_incoming(token, update)
            step = larger(gap, builder.fadd(before, skipped))
            pause_of_gap = builder.select(starred, pause[f][1], pause[f][0])
            gap = builder.fadd(larger(gap, before), pause_of_gap)
            token = builder.fadd(larger(token, step), emitted[f])
            last.append(token)
        store(gap, gaps, i)
        store(token, tokens, i)
        next_i = builder.add(i, ir.Constant(index, LANES))
        i.add_incoming(next_i, update)
        builder.cbranch(builder.icmp_signed("<", next_i, stop), pairs, done)

        builder.position_at_end(done)
        for f in range(frames):
            store(builder.extract_element(last[f], _int32(LANES - 1)), edge, frame_index[f])
        return context.get_dummy_value()

    @intrinsic
    def advance(
        typing, gaps, tokens, slots, skip, stars, pauses, edge, firsts, tables, begin, stop
    ):
        """Carry the pairs [begin, stop), in whole vectors, on by `frames` frames, in place.

        As `advance_plainly`, with the emissions as tables: float32 (pieces, FUSED, LANES), the
        log-probabilities of the slots; slots: int32 (P,), of each pair's token; firsts: int32
        (pieces,), the first slot of each piece.
        """
        arguments = (gaps, tokens, slots, skip, stars, pauses, edge, firsts, tables, begin, stop)
        return types.void(*arguments), generate

    return advance


advance_fused, advance_one = _make_kernel(FUSED), _make_kernel(1)
