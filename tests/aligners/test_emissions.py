"""Emissions do not depend on the batch or, but for its edges, on the window."""

import numpy as np
import pytest
import torch
from torchaudio.models import wav2vec2_model
from torchaudio.pipelines import MMS_FA
from torchaudio.pipelines._wav2vec2.utils import _extend_model

from khmer_aligned import aligners, audio
from khmer_aligned.aligners import features, windows
from khmer_aligned.aligners.mms import MmsAligner
from khmer_aligned.errors import UserError
from khmer_aligned.schema import SAMPLE_RATE

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def aligner(aligner_folder):
    return aligners.load(str(aligner_folder))


@pytest.fixture(scope="module")
def market(recordings):
    return audio.load(recordings / "market.ogg", name="market")


@pytest.fixture(scope="module")
def mms():
    """MMS_FA's architecture, but 2 thin layers of random weights: the real ones are 1.2 GB."""
    torch.manual_seed(0)
    sizes = {
        "encoder_embed_dim": 64,
        "encoder_num_layers": 2,
        "encoder_num_heads": 4,
        "encoder_ff_interm_features": 128,
        "extractor_conv_layer_config": [
            (32, kernel, stride)
            for _, kernel, stride in MMS_FA._params["extractor_conv_layer_config"]
        ],
    }
    return MmsAligner(CPU, wav2vec2_model(**{**MMS_FA._params, **sizes}))


def test_windows_give_what_one_pass_gives(aligner, market, monkeypatch):
    minute = market[: 60 * SAMPLE_RATE]
    (windowed,) = aligner.emissions([minute])
    monkeypatch.setattr(windows, "WINDOW_SECONDS", 120.0)
    (whole,) = aligner.emissions([minute])
    assert windowed.shape == whole.shape
    # A peak may move by one frame: this model attends to all it is given.
    best, near = windowed.argmax(1)[1:-1], whole.argmax(1)
    same = (best == near[:-2]) | (best == near[1:-1]) | (best == near[2:])
    assert same.mean() >= 0.995


@pytest.mark.parametrize("samples", [560, 720, 5 * SAMPLE_RATE, 5 * SAMPLE_RATE + 161])
def test_features_of_blocks_are_those_of_the_whole(aligner, market, monkeypatch, samples):
    part = market[SAMPLE_RATE : SAMPLE_RATE + samples]
    whole = aligner.extractor(part, sampling_rate=SAMPLE_RATE, return_tensors="np")
    expected = whole["input_features"][0]
    monkeypatch.setattr(features, "_BLOCK_SECONDS", 1)
    np.testing.assert_allclose(aligner.front_end.prepare(part), expected, atol=1e-4)


@pytest.mark.parametrize("which", ["aligner", "mms"])
def test_neighbours_change_nothing(which, market, request):
    """A loud neighbour, a long one and a short one, padded and not."""
    model = request.getfixturevalue(which)
    second = SAMPLE_RATE
    own = market[10 * second : 15 * second]
    neighbours = [5 * market[: 5 * second + 999], market[: 4 * second + 321], market[:second]]
    (alone,) = model.emissions([own])
    for i in range(len(neighbours) + 1):
        batch = [*neighbours[:i], own, *neighbours[i:]]
        np.testing.assert_allclose(model.emissions(batch)[i], alone, atol=1e-4)


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


def test_the_bundle_gives_the_same_on_one_recording(mms, market):
    """torchaudio's wrapper normalizes over its batch: of one recording, that is the same."""
    wrapped = _extend_model(mms._model, normalize_waveform=True, apply_log_softmax=True)
    waveform = market[: 8 * SAMPLE_RATE]
    with torch.inference_mode():
        expected = wrapped(torch.from_numpy(waveform)[None])[0][0].numpy()
    np.testing.assert_allclose(mms.emissions([waveform])[0], expected, atol=1e-4)


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


def test_a_folder_that_is_no_ctc_model_is_one_line(tokenizer_folder, tmp_path):
    with pytest.raises(UserError, match="cannot be loaded as a CTC model") as caught:
        aligners.load(str(tokenizer_folder))
    assert "\n" not in str(caught.value)
    with pytest.raises(UserError, match="no such folder"):
        aligners.identity(str(tmp_path / "nowhere"))
