"""Any CTC model of `transformers` whose tokens are romanized letters or Khmer characters."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import cast

import numpy as np
import torch
from transformers import (
    AutoConfig,
    AutoFeatureExtractor,
    AutoModelForCTC,
    AutoTokenizer,
    PreTrainedConfig,
    PreTrainedModel,
    WhisperFeatureExtractor,
)
from transformers.utils.logging import disable_progress_bar

from khmer_aligned.aligners.base import LAG, Tokens, spell
from khmer_aligned.aligners.blank import check_greedy, find_blank
from khmer_aligned.aligners.columns import LARGE, Columns
from khmer_aligned.aligners.features import Extractor, ModelInput, prepare
from khmer_aligned.aligners.whisper import WhisperForCTC
from khmer_aligned.aligners.windows import FrontEnd, compute_emissions
from khmer_aligned.errors import UserError
from khmer_aligned.hub.resolve import Source
from khmer_aligned.schema import SAMPLE_RATE
from khmer_aligned.text import SpokenWord

_CONSONANTS = [chr(c) for c in range(0x1780, 0x17A3)]
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_PROBE_STEPS = 480  # divisible by every subsampling in use: 2, 3, 4, 5, 6, 8


class CtcAligner:
    """A CTC model that reads waveforms or log-mel features.

    vocabulary: ids by token. special: ids of tokens that stand for no letter. Of a large
    vocabulary only the columns that Khmer text can need are kept.
    """

    def __init__(
        self,
        name: str,
        model: PreTrainedModel,
        extractor: Extractor,
        vocabulary: Mapping[str, int],
        special: Sequence[int] = (),
    ) -> None:
        if extractor.sampling_rate != SAMPLE_RATE:
            raise UserError(
                f"{name}: reads audio at {extractor.sampling_rate} Hz, not {SAMPLE_RATE}"
            )
        self.name = name
        self.model = model
        self.extractor = extractor
        try:
            self.blank = find_blank(model.config, vocabulary)
        except ValueError as error:
            raise UserError(f"{name}: {error}") from None
        by_id = {i: token for token, i in vocabulary.items()}
        self.vocabulary = tuple(by_id.get(i, "") for i in range(model.config.vocab_size))
        select = None
        if len(self.vocabulary) >= LARGE:
            columns = Columns(self.vocabulary, self.blank, special)
            self.vocabulary, self.blank, select = columns.vocabulary, columns.blank, columns.select
        self._ids = {token: i for i, token in enumerate(self.vocabulary) if i != self.blank}
        self._native = _reads_khmer(name, self._ids)
        self.front_end = _front_end(name, model, extractor, select)
        self.stride = self.front_end.step * self.front_end.stride
        self.lag: float | None = getattr(model.config, LAG, None)

    def tokens(self, word: SpokenWord) -> Tokens:
        if self._native:
            return spell(word.text, word.char_spans, self._ids)
        return spell(word.romanized, word.letter_spans, self._ids)

    def emissions(self, waveforms: Sequence[np.ndarray]) -> list[np.ndarray]:
        found = compute_emissions(self.front_end, waveforms, self.model.device)
        for emission in found:
            check_greedy(self.name, emission, self.vocabulary, self.blank)
        return found


def load(source: Source, name: str, device: torch.device) -> CtcAligner:
    """The CTC model at `source`, which the user calls `name`, in float32.

    Raises UserError for what is no CTC model.
    """
    options = {"revision": source.revision, "trust_remote_code": False}
    disable_progress_bar()  # of copying weights into place; a download has its own
    try:
        config = AutoConfig.from_pretrained(source.path, **options)
        if config.model_type == "whisper" and config.architectures != [WhisperForCTC.__name__]:
            raise UserError(
                f"{name}: is a Whisper, which has no CTC output; `khmer-whisper train-aligner "
                f"DATASET OUT --model {name}` makes an aligner of its encoder"
            )
        extractor = AutoFeatureExtractor.from_pretrained(source.path, **options)
        tokenizer = AutoTokenizer.from_pretrained(source.path, **options)
        model = ctc_class(config).from_pretrained(
            source.path, **options, use_safetensors=True, dtype=torch.float32
        )
    except (OSError, ValueError, KeyError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{name}: cannot be loaded as a CTC model: {reason}") from error
    return CtcAligner(
        source.identity,
        model.eval().to(device),
        extractor,
        tokenizer.get_vocab(),
        tokenizer.all_special_ids,
    )


def ctc_class(config: PreTrainedConfig) -> type[AutoModelForCTC]:
    """The class whose `from_pretrained` loads a CTC model of this configuration."""
    if config.model_type == "whisper":
        return cast("type[AutoModelForCTC]", WhisperForCTC)
    return AutoModelForCTC


def _reads_khmer(name: str, ids: Mapping[str, int]) -> bool:
    if sum(c in ids for c in _CONSONANTS) > len(_CONSONANTS) // 2:
        return True
    if sum(c in ids or c.upper() in ids for c in _LETTERS) > len(_LETTERS) // 2:
        return False
    raise UserError(f"{name}: its vocabulary holds neither Khmer characters nor a to z")


def _front_end(
    name: str,
    model: PreTrainedModel,
    extractor: Extractor,
    select: Callable[[torch.Tensor], torch.Tensor] | None,
) -> FrontEnd:
    """How the model reads audio: strides from its configuration, else measured on the model."""
    key = extractor.model_input_names[0]

    def forward(inputs: torch.Tensor, lengths: torch.Tensor | None) -> torch.Tensor:
        mask = None
        if lengths is not None:
            mask = torch.arange(inputs.shape[1], device=inputs.device) < lengths[:, None]
        return model(**{key: inputs}, attention_mask=mask).logits

    def features(waveform: np.ndarray) -> ModelInput:
        return prepare(extractor, waveform)

    config = model.config
    if isinstance(model, WhisperForCTC) and isinstance(extractor, WhisperFeatureExtractor):
        window, stride = model.window, model.stride
        return FrontEnd(
            features, forward, extractor.hop_length, stride, stride, False, select, window
        )
    if key == "input_values":
        receptive = 1
        for kernel, stride in reversed(
            list(zip(config.conv_kernel, config.conv_stride, strict=True))
        ):
            receptive = (receptive - 1) * stride + kernel
        # Group normalization runs over time, so padding would leak into the frames.
        masks = getattr(config, "feat_extract_norm", None) == "layer"
        return FrontEnd(features, forward, 1, prod(config.conv_stride), receptive, masks, select)
    second = features(np.zeros(SAMPLE_RATE * 6, np.float32))
    step = round(SAMPLE_RATE * 6 / len(second) / 80) * 80  # whole 5 ms hops
    probe = torch.zeros(1, _PROBE_STEPS, *second.shape[1:], device=model.device)
    with torch.inference_mode():
        frames = forward(probe, None).shape[1]
    if frames == 0 or _PROBE_STEPS % frames:
        raise UserError(
            f"{name}: {frames} frames from {_PROBE_STEPS} feature steps is no constant stride"
        )
    stride = _PROBE_STEPS // frames
    return FrontEnd(features, forward, step, stride, stride, True, select)
