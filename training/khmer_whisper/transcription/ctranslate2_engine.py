"""The engine `ctranslate2`: a model that `khmer-whisper export` has written."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from transformers import WhisperFeatureExtractor, WhisperTokenizer

from khmer_aligned.errors import UserError
from khmer_aligned.schema import SAMPLE_RATE
from khmer_whisper.decode import read_output
from khmer_whisper.examples.collate import log_mel, stack
from khmer_whisper.labels import Labeller
from khmer_whisper.transcription.engine import Decoded

POSITIONS = 448  # of the decoder of every published Whisper


def is_export(folder: Path) -> bool:
    """Whether a folder holds a model for CTranslate2."""
    return (folder / "model.bin").is_file() and not (folder / "model.safetensors").exists()


class CTranslate2Engine:
    """Decodes with CTranslate2; see `engine.Engine`.

    device: cpu, cuda or cuda:N; by default the GPU, if there is one. compute_type: one of
    CTranslate2's, None for the one that it was exported with. The length and languages of the clips
    and the positions of the decoder come from export.json; without it they are those of every
    published Whisper. Raises UserError where the folder cannot be loaded.
    """

    name = "ctranslate2"

    def __init__(
        self, folder: Path, device: str | None = None, compute_type: str | None = None
    ) -> None:
        try:
            import ctranslate2
        except ImportError as error:
            raise UserError(
                f"{folder} needs CTranslate2: install khmer-aligned[ctranslate2]"
            ) from error
        self.library: Any = ctranslate2
        self.folder = folder
        kind, _, index = (device or _default_device(ctranslate2)).partition(":")
        try:
            self.model: Any = ctranslate2.models.Whisper(
                str(folder),
                device=kind,
                device_index=int(index or 0),
                compute_type=compute_type or "default",
            )
            tokenizer = WhisperTokenizer.from_pretrained(folder)
            self.extractor = WhisperFeatureExtractor.from_pretrained(folder)
        except (OSError, RuntimeError, ValueError) as error:
            reason = " ".join(str(error).split())
            raise UserError(f"{folder}: cannot be loaded for CTranslate2: {reason}") from error
        record = folder / "export.json"
        figures = json.loads(record.read_text(encoding="utf-8")) if record.exists() else {}
        self.labeller = Labeller(tokenizer)
        self.seconds = self.extractor.n_samples / SAMPLE_RATE
        self.clip_seconds: float | None = figures.get("clip_seconds")
        self.languages: tuple[str, ...] = tuple(figures.get("languages", ()))
        self.positions: int = figures.get("max_target_positions", POSITIONS)

    def decode(
        self,
        waveforms: Sequence[np.ndarray],
        prompt: Sequence[int],
        *,
        beams: int,
        temperature: float,
    ) -> list[Decoded]:
        features = log_mel(stack(waveforms, self.extractor), self.extractor)
        room = self.positions - len(prompt)
        results = self.model.generate(
            self.library.StorageView.from_array(features.numpy()),
            [list(prompt)] * len(waveforms),
            beam_size=beams if temperature == 0 else 1,
            sampling_topk=1 if temperature == 0 else 0,
            sampling_temperature=temperature or 1.0,
            max_length=2 * room,  # CTranslate2 gives half of it to the text
            return_scores=True,
            return_no_speech_prob=True,
        )
        return [self._read(result, room) for result in results]

    def _read(self, result: Any, room: int) -> Decoded:
        ids = list(result.sequences_ids[0])
        total = result.scores[0] * len(ids)  # CTranslate2's score is the mean without the end token
        ended = [*ids, self.labeller.end] if len(ids) < room else ids
        text = read_output(self.labeller, ended)
        return Decoded(text.text, text.looped, total / (len(ids) + 1), result.no_speech_prob)


def _default_device(ctranslate2: Any) -> str:
    return "cuda" if ctranslate2.get_cuda_device_count() else "cpu"
