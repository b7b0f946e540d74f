"""Any CTC model of `transformers` whose tokens are romanized letters or Khmer characters."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np
import torch
from transformers import (
    AutoFeatureExtractor,
    AutoModelForCTC,
    AutoTokenizer,
    SeamlessM4TFeatureExtractor,
)
from transformers.utils.logging import disable_progress_bar

from khmer_aligned.aligners.base import Tokens, spell
from khmer_aligned.aligners.windows import FrontEnd, compute_emissions
from khmer_aligned.errors import UserError
from khmer_aligned.hub.resolve import resolve
from khmer_aligned.schema import SAMPLE_RATE
from khmer_aligned.text import SpokenWord

_CONSONANTS = [chr(c) for c in range(0x1780, 0x17A3)]
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_MEL_WINDOW, _MEL_HOP = 400, 160  # samples of a log-mel frame, and from one to the next
_BLOCK_SECONDS = 60
_PROBE_STEPS = 480  # divisible by every subsampling in use: 2, 3, 4, 5, 6, 8


class CtcAligner:
    """An AutoModelForCTC, by folder or Hub id, that reads waveforms or log-mel features."""

    def __init__(self, source: str, device: torch.device) -> None:
        resolved = resolve(source, "model")
        options = {"revision": resolved.revision, "trust_remote_code": False}
        disable_progress_bar()  # of copying weights into place; a download has its own
        try:
            self._extractor = AutoFeatureExtractor.from_pretrained(resolved.path, **options)
            tokenizer = AutoTokenizer.from_pretrained(resolved.path, **options)
            model = AutoModelForCTC.from_pretrained(
                resolved.path, **options, use_safetensors=True, dtype=torch.float32
            )
        except (OSError, ValueError, KeyError) as error:
            reason = " ".join(str(error).split())
            raise UserError(f"{source}: cannot be loaded as a CTC model: {reason}") from error
        if self._extractor.sampling_rate != SAMPLE_RATE:
            raise UserError(
                f"{source}: reads audio at {self._extractor.sampling_rate} Hz, "
                f"not at {SAMPLE_RATE} Hz"
            )
        self.name = resolved.identity
        self._model = model.eval().to(device)
        self._device = device
        self.blank = model.config.pad_token_id or 0
        vocabulary = tokenizer.get_vocab()
        by_id = {i: text for text, i in vocabulary.items()}
        self.vocabulary = tuple(by_id.get(i, "") for i in range(model.config.vocab_size))
        self._ids = {text: i for text, i in vocabulary.items() if i != self.blank}
        self._native = self._reads_khmer(source)
        self._front_end = self._find_front_end(source)
        self.stride = self._front_end.step * self._front_end.stride

    def tokens(self, word: SpokenWord) -> Tokens:
        if self._native:
            return spell(word.text, word.char_spans, self._ids)
        return spell(word.romanized, word.letter_spans, self._ids)

    def emissions(self, waveforms: Sequence[np.ndarray]) -> list[np.ndarray]:
        return compute_emissions(self._front_end, waveforms, self._device)

    def _reads_khmer(self, source: str) -> bool:
        if sum(c in self._ids for c in _CONSONANTS) > len(_CONSONANTS) // 2:
            return True
        if sum(c in self._ids or c.upper() in self._ids for c in _LETTERS) > len(_LETTERS) // 2:
            return False
        raise UserError(f"{source}: its vocabulary holds neither Khmer characters nor a to z")

    def _find_front_end(self, source: str) -> FrontEnd:
        """How the model reads audio: strides from its configuration, else measured on the model."""
        name = self._extractor.model_input_names[0]

        def prepare(waveform: np.ndarray) -> np.ndarray:
            if isinstance(self._extractor, SeamlessM4TFeatureExtractor):
                return _log_mel(self._extractor, waveform)
            # One call per recording: extractors normalize over all that one call passes.
            features = self._extractor(waveform, sampling_rate=SAMPLE_RATE, return_tensors="np")
            return features[name][0]

        def forward(inputs: torch.Tensor, lengths: torch.Tensor | None) -> torch.Tensor:
            mask = None
            if lengths is not None:
                mask = torch.arange(inputs.shape[1], device=inputs.device) < lengths[:, None]
            return self._model(**{name: inputs}, attention_mask=mask).logits

        config = self._model.config
        if name == "input_values":
            receptive = 1
            for kernel, stride in reversed(
                list(zip(config.conv_kernel, config.conv_stride, strict=True))
            ):
                receptive = (receptive - 1) * stride + kernel
            # Group normalization runs over time, so padding would leak into the frames.
            masks = getattr(config, "feat_extract_norm", None) == "layer"
            return FrontEnd(prepare, forward, 1, prod(config.conv_stride), receptive, masks)
        second = prepare(np.zeros(SAMPLE_RATE * 6, np.float32))
        step = round(SAMPLE_RATE * 6 / len(second) / 80) * 80  # whole 5 ms hops
        probe = torch.zeros(1, _PROBE_STEPS, *second.shape[1:], device=self._device)
        with torch.inference_mode():
            frames = forward(probe, None).shape[1]
        if frames == 0 or _PROBE_STEPS % frames:
            raise UserError(
                f"{source}: {frames} frames from {_PROBE_STEPS} feature steps is no constant stride"
            )
        stride = _PROBE_STEPS // frames
        return FrontEnd(prepare, forward, step, stride, stride, masks_padding=True)


def _log_mel(extractor: SeamlessM4TFeatureExtractor, waveform: np.ndarray) -> np.ndarray:
    """The extractor's features of a waveform (n,), float32 (N, bins * stride), block by block.

    The extractor itself keeps all spectra of a recording at once: 8 GB for three hours. A frame
    depends on its samples alone; only the normalization is over the whole recording.
    """
    bins, stride = extractor.num_mel_bins, extractor.stride
    frames = max(0, (len(waveform) - _MEL_WINDOW) // _MEL_HOP + 1)
    block = _BLOCK_SECONDS * SAMPLE_RATE // _MEL_HOP // (2 * stride) * (2 * stride)
    parts = [np.zeros((0, bins * stride), np.float32)]
    for first in range(0, frames, block):
        last = min(first + block, frames) - 1
        samples = waveform[first * _MEL_HOP : last * _MEL_HOP + _MEL_WINDOW]
        features = extractor(
            samples, sampling_rate=SAMPLE_RATE, do_normalize_per_mel_bins=False, return_tensors="np"
        )
        parts.append(features["input_features"][0])
    stacked = np.concatenate(parts)
    mels = stacked.reshape(-1, bins)
    mels[frames:] = extractor.padding_value
    unpadded = mels[:frames]
    if frames:
        unpadded -= unpadded.mean(axis=0, dtype=np.float64)
        squares = np.einsum("ij,ij->j", unpadded, unpadded, dtype=np.float64)
        unpadded /= np.sqrt(squares / max(1, frames - 1) + 1e-7)
    return stacked
