"""The exported model in the engine that it is for, as `decode.recognize` runs the original."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch

from khmer_aligned.errors import UserError
from khmer_whisper.config import LANGUAGE
from khmer_whisper.decode import Recognized, read_output
from khmer_whisper.examples.collate import log_mel, stack
from khmer_whisper.labels import Labeller
from khmer_whisper.model import Whisper

MIN_CTRANSLATE2 = (4, 8)  # the first that was tried with this transformers


def import_ctranslate2() -> ModuleType:
    """Import CTranslate2. Raises UserError where it is missing or too old."""
    way_out = "install khmer-aligned[ctranslate2]"
    try:
        import ctranslate2
        import ctranslate2.converters
    except ImportError as error:
        raise UserError(f"an export needs CTranslate2: {way_out}") from error
    version = tuple(map(int, ctranslate2.__version__.split(".")[:2]))
    if version < MIN_CTRANSLATE2:
        raise UserError(f"CTranslate2 {ctranslate2.__version__} is too old: {way_out}")
    return ctranslate2


def import_whisper_cpp() -> ModuleType:
    """Import the bindings of whisper.cpp. Raises UserError where they are missing."""
    try:
        import _pywhispercpp
    except ImportError as error:
        raise UserError(
            "an export to ggml is compared in whisper.cpp: install pywhispercpp"
        ) from error
    return _pywhispercpp


class CTranslate2Recognizer:
    """Decodes greedily in CTranslate2, on the CPU."""

    def __init__(self, folder: Path) -> None:
        self.ctranslate2 = import_ctranslate2()
        self.model: Any = self.ctranslate2.models.Whisper(str(folder), device="cpu")

    def __call__(self, whisper: Whisper, waveforms: Sequence[np.ndarray]) -> list[Recognized]:
        features = log_mel(stack(waveforms, whisper.extractor), whisper.extractor)
        labeller = whisper.labeller
        prompt = [labeller.start, labeller.language, labeller.task, labeller.no_timestamps]
        room = whisper.model.config.max_target_positions - len(prompt)
        results = self.model.generate(
            self.ctranslate2.StorageView.from_array(features.numpy()),
            [prompt] * len(waveforms),
            beam_size=1,
            max_length=2 * room,  # CTranslate2 gives half of it to the text
        )
        return [_read_unended(labeller, list(result.sequences_ids[0]), room) for result in results]


class WhisperCppRecognizer:
    """Decodes greedily in whisper.cpp, one waveform after the other, without its fallbacks.

    Without flash attention, whisper.cpp's default: on a CPU it attends to 36 frames of padding
    behind the window as well, which changes the text of a model that is not sure.
    """

    def __init__(self, file: Path) -> None:
        self.library: Any = import_whisper_cpp()
        from pywhispercpp.utils import redirect_stderr

        options = self.library.whisper_context_default_params()
        options.use_gpu = False
        options.flash_attn = False
        with redirect_stderr(None):  # the log of the loader
            self.context = self.library.whisper_init_from_file_with_params(str(file), options)
        strategy = self.library.whisper_sampling_strategy.WHISPER_SAMPLING_GREEDY
        self.options = self.library.whisper_full_default_params(strategy)
        self.options.language = LANGUAGE
        self.options.no_timestamps = True
        self.options.print_progress = False
        self.options.temperature_inc = 0.0
        self.options.no_speech_thold = 1.0
        self.options.n_threads = min(torch.get_num_threads(), os.cpu_count() or 1)

    def __call__(self, whisper: Whisper, waveforms: Sequence[np.ndarray]) -> list[Recognized]:
        room = whisper.model.config.max_target_positions - 4  # the prompt
        return [
            _read_unended(whisper.labeller, self._decode(waveform), room) for waveform in waveforms
        ]

    def _decode(self, waveform: np.ndarray) -> list[int]:
        """The labels of one waveform (n,)."""
        library, context = self.library, self.context
        if library.whisper_full(context, self.options, waveform, len(waveform)) != 0:
            raise UserError("whisper.cpp could not decode a clip")
        end = library.whisper_token_eot(context)
        labels = [
            library.whisper_full_get_token_id(context, segment, k)
            for segment in range(library.whisper_full_n_segments(context))
            for k in range(library.whisper_full_n_tokens(context, segment))
        ]
        return [label for label in labels if label < end]


def _read_unended(labeller: Labeller, labels: list[int], room: int) -> Recognized:
    """Read output that comes without its end token, which it had unless it fills its room."""
    return read_output(labeller, [*labels, labeller.end] if len(labels) < room else labels)
