"""Attention to frames: as transformers does, so that the same heads serve there."""

import numpy as np
import torch
from transformers.models.whisper.generation_whisper import _dynamic_time_warping, _median_filter

from khmer_whisper.attention.labels import span_times
from khmer_whisper.attention.paths import smooth, warp


def test_the_path_is_that_of_transformers():
    generator = np.random.default_rng(0)
    for rows, frames in [(1, 1), (1, 9), (5, 5), (7, 40), (30, 12)]:
        batch = generator.normal(size=(3, rows, frames)).astype(np.float32)
        for weights, starts in zip(batch, warp(batch), strict=True):
            row, frame = _dynamic_time_warping(-weights.astype(np.float64))
            expected = [frame[row == i].min() for i in range(rows)]
            assert starts.tolist() == expected


def test_weights_are_smoothed_as_in_transformers():
    weights = torch.rand(2, 6, 50, generator=torch.Generator().manual_seed(0)).softmax(-1)
    deviation, mean = torch.std_mean(weights, dim=-2, keepdim=True, unbiased=False)
    expected = _median_filter(((weights - mean) / deviation)[None], 7)[0]
    torch.testing.assert_close(smooth(weights), expected)


def test_a_path_follows_a_diagonal():
    weights = np.full((1, 4, 40), -1, np.float32)
    for row in range(4):
        weights[0, row, 10 * row : 10 * row + 10] = 1
    assert warp(weights).tolist() == [[0, 10, 20, 30]]


def test_a_word_that_begins_within_a_label_begins_by_its_share_of_the_bytes():
    text = "ទឹកab"  # 9 bytes and 2
    sizes, starts = np.array([6, 5]), np.array([1.0, 2.0, 3.0])
    times = span_times(text, [(0, 3), (3, 5)], sizes, starts)
    np.testing.assert_allclose(times, [[1.0, 2.6], [2.6, 3.0]])
