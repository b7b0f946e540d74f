"""The kernel in LLVM gives what the plain recurrence gives, to the last bit."""

import numpy as np
import pytest
from numba import njit

from khmer_aligned.alignment.kernel import (
    FUSED,
    LANES,
    advance_fused,
    advance_one,
    advance_plainly,
)


@njit
def run_fused(gaps, tokens, slots, skip, stars, pauses, edge, firsts, tables, begin, stop):
    advance_fused(gaps, tokens, slots, skip, stars, pauses, edge, firsts, tables, begin, stop)


@njit
def run_one(gaps, tokens, slots, skip, stars, pauses, edge, firsts, tables, begin, stop):
    advance_one(gaps, tokens, slots, skip, stars, pauses, edge, firsts, tables, begin, stop)


@pytest.mark.parametrize(("run", "frames"), [(run_fused, FUSED), (run_one, 1)])
@pytest.mark.parametrize("columns", [3, LANES, LANES + 1, 5 * LANES - 2])
def test_the_kernel_is_the_plain_recurrence(run, frames, columns):
    rng = np.random.default_rng(columns)
    for vectors in (1, 2, 7):
        pairs = vectors * LANES
        begin, stop = int(rng.integers(vectors)) * LANES, pairs
        gaps, tokens = rng.normal(size=(2, pairs)).astype(np.float32)
        gaps[rng.random(pairs) < 0.2] = tokens[rng.random(pairs) < 0.2] = -np.inf
        slots = rng.integers(columns, size=pairs).astype(np.int32)
        skip = np.where(rng.random(pairs) < 0.3, -np.inf, 0).astype(np.float32)
        stars = rng.integers(-1, 2, size=pairs).astype(np.int32)
        log_probs = rng.normal(size=(frames, columns)).astype(np.float32)
        pauses = rng.normal(size=(FUSED, 2)).astype(np.float32)
        edge = rng.normal(size=FUSED).astype(np.float32)
        firsts = np.arange(0, columns, LANES).astype(np.int32)
        tables = np.full((len(firsts), FUSED, LANES), np.nan, np.float32)
        for k in range(columns):
            tables[k // LANES, :frames, k % LANES] = log_probs[:, k]

        expected_gaps, expected_tokens, expected_edge = gaps.copy(), tokens.copy(), edge.copy()
        advance_plainly(
            expected_gaps[begin:],
            expected_tokens[begin:],
            log_probs[:, slots[begin:]],
            skip[begin:],
            stars[begin:],
            pauses[:frames],
            expected_edge,
        )
        run(gaps, tokens, slots, skip, stars, pauses, edge, firsts, tables, begin, stop)
        assert np.array_equal(gaps, expected_gaps)
        assert np.array_equal(tokens, expected_tokens)
        assert np.array_equal(edge, expected_edge)
