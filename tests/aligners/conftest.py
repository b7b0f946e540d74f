"""The demo's aligner, a thin MMS_FA, and a recording."""

import pytest
import torch
from torchaudio.models import wav2vec2_model
from torchaudio.pipelines import MMS_FA

from khmer_aligned import aligners, audio
from khmer_aligned.aligners.mms import MmsAligner


@pytest.fixture(scope="session")
def aligner(aligner_folder):
    return aligners.load(str(aligner_folder))


@pytest.fixture(scope="session")
def market(recordings):
    return audio.load(recordings / "market.ogg", name="market")


@pytest.fixture(scope="session")
def mms():
    """MMS_FA with 2 thin layers of random weights: the real ones are 1.2 GB."""
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
    return MmsAligner(torch.device("cpu"), wav2vec2_model(**{**MMS_FA._params, **sizes}))
