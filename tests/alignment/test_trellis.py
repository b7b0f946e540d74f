"""Rows of the trellis keep float64 values to float32 precision, wherever they lie."""

import numpy as np
import pytest

from khmer_aligned.alignment.trellis import CHUNK, absolute, relative


@pytest.mark.parametrize("pairs", [1, CHUNK, CHUNK + 1, 2 * CHUNK + 5])
def test_a_relative_row_gives_its_absolute_values(pairs):
    gaps, tokens = np.random.default_rng(0).normal(size=(2, pairs)) - 400_000
    gaps[::7] = -np.inf
    row = relative(gaps, tokens)
    assert row.gaps.dtype == np.float32 and np.nanmax(row.gaps) <= 0
    for values, expected in zip(absolute(row, 0, pairs), (gaps, tokens), strict=True):
        assert np.array_equal(np.isneginf(values), np.isneginf(expected))
        finite = np.isfinite(expected)
        assert values[finite] == pytest.approx(expected[finite], abs=1e-6)
