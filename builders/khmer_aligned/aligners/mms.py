"""torchaudio's MMS_FA: 315 M parameters, romanized letters, 1,130 languages, CC-BY-NC-4.0.

Pratap et al., "Scaling Speech Technology to 1,000+ Languages", 2023.
"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.error import URLError

import numpy as np
import torch
from torchaudio.pipelines import MMS_FA

from khmer_aligned.aligners.base import MMS_NAME, Tokens, spell
from khmer_aligned.aligners.features import normalize_samples
from khmer_aligned.aligners.windows import FrontEnd, compute_emissions
from khmer_aligned.errors import UserError
from khmer_aligned.text import SpokenWord

_RECEPTIVE = 400  # samples that one frame of wav2vec 2.0's convolutions looks at
_STRIDE = 320  # samples from one frame to the next
_LEAST_VARIANCE = 1e-5  # of the waveform, as in the model's training


class MmsAligner:
    """MMS_FA's acoustic model, without the bundle's star column: the path has a star of its own."""

    name = MMS_NAME
    vocabulary = MMS_FA.get_labels(star=None)
    blank = 0
    stride = _STRIDE
    lag: float | None = None

    def __init__(self, device: torch.device, model: torch.nn.Module | None = None) -> None:
        if model is None:
            try:
                # The bundle's wrapper would normalize over the whole batch, padding included.
                model = MMS_FA.get_model(with_star=False).model
            except (URLError, OSError) as error:
                raise UserError(
                    f"mms: its weights (1.2 GB) cannot be fetched ({error}); go online once, or "
                    "name a CTC model's folder with --aligner"
                ) from error
        self._model = model.eval().to(device)
        self._device = device
        self._ids = {text: i for i, text in enumerate(self.vocabulary) if i != self.blank}

    def tokens(self, word: SpokenWord) -> Tokens:
        return spell(word.romanized, word.letter_spans, self._ids)

    def emissions(self, waveforms: Sequence[np.ndarray]) -> list[np.ndarray]:
        front_end = FrontEnd(
            prepare=lambda waveform: normalize_samples(waveform, _LEAST_VARIANCE),
            forward=lambda inputs, lengths: self._model(inputs, lengths)[0],
            step=1,
            stride=_STRIDE,
            receptive=_RECEPTIVE,
            masks_padding=True,
        )
        return compute_emissions(front_end, waveforms, self._device)
