"""MMS_FA's architecture as an aligner."""

import numpy as np
import torch
from torchaudio.pipelines._wav2vec2.utils import _extend_model

from khmer_aligned.schema import SAMPLE_RATE


def test_the_bundle_gives_the_same_on_one_recording(mms, market):
    """torchaudio's wrapper normalizes over its batch: of one recording, that is the same."""
    wrapped = _extend_model(mms._model, normalize_waveform=True, apply_log_softmax=True)
    waveform = market[: 8 * SAMPLE_RATE]
    with torch.inference_mode():
        expected = wrapped(torch.from_numpy(waveform)[None])[0][0].numpy()
    np.testing.assert_allclose(mms.emissions([waveform])[0], expected, atol=1e-4)
