"""Emissions do not depend on the batch or, but for near ties, on the window."""

import numpy as np
import pytest
import torch

from khmer_aligned.aligners import windows
from khmer_aligned.schema import SAMPLE_RATE


def test_windows_give_what_one_pass_gives(aligner, market, monkeypatch):
    minute = market[: 60 * SAMPLE_RATE]
    (windowed,) = aligner.emissions([minute])
    monkeypatch.setattr(windows, "WINDOW_SECONDS", 120.0)
    (whole,) = aligner.emissions([minute])
    assert windowed.shape == whole.shape
    # A peak may move by one frame: this model attends to all it is given.
    greedy, near = windowed.argmax(1)[1:-1], whole.argmax(1)
    same = (greedy == near[:-2]) | (greedy == near[1:-1]) | (greedy == near[2:])
    assert same.mean() >= 0.995


@pytest.mark.parametrize("which", ["aligner", "mms"])
def test_neighbours_change_nothing(which, market, request):
    """A loud neighbour, a long one and a short one, padded and not."""
    model = request.getfixturevalue(which)
    second = SAMPLE_RATE
    waveform = market[10 * second : 15 * second]
    neighbours = [5 * market[: 5 * second + 999], market[: 4 * second + 321], market[:second]]
    (expected,) = model.emissions([waveform])
    for i in range(len(neighbours) + 1):
        batch = [*neighbours[:i], waveform, *neighbours[i:]]
        np.testing.assert_allclose(model.emissions(batch)[i], expected, atol=1e-4)


@pytest.mark.parametrize("off", [-321, -320, -1, 0, 1, 80, 319, 320])
@pytest.mark.parametrize("windows_full", [1, 2])
def test_every_length_around_a_window_gives_its_frames(mms, monkeypatch, off, windows_full):
    monkeypatch.setattr(windows, "WINDOW_SECONDS", 1.0)
    monkeypatch.setattr(windows, "CONTEXT_SECONDS", 0.2)
    samples = windows_full * SAMPLE_RATE + off
    noise = np.random.default_rng(0).standard_normal(samples).astype(np.float32)
    (emission,) = mms.emissions([noise])
    assert len(emission) == (samples - 400) // 320 + 1
    assert np.isfinite(emission).all()
    np.testing.assert_allclose(np.exp(emission).sum(axis=1), 1, atol=1e-4)


def test_out_of_memory_halves_the_batch_and_goes_on(aligner, market, monkeypatch):
    expected = aligner.emissions([market])
    sizes = []
    run = windows._run

    def tight(front_end, inputs, batch, device):
        sizes.append(len(batch))
        if len(batch) > 1:
            raise torch.OutOfMemoryError
        return run(front_end, inputs, batch, device)

    monkeypatch.setattr(windows, "_run", tight)
    monkeypatch.setitem(windows._BATCH_SECONDS, "cpu", 1000.0)
    np.testing.assert_allclose(aligner.emissions([market])[0], expected[0], atol=1e-4)
    assert max(sizes) > 1
