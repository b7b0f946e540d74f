"""The functions of `khmer_whisper`, for Python."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Any

from khmer_whisper import model as models
from khmer_whisper import training
from khmer_whisper.config import Config
from khmer_whisper.metrics import score
from khmer_whisper.model import Whisper
from khmer_whisper.training import Result
from khmer_whisper.transcription.transcriber import transcribe

__all__ = ["load", "score", "train", "transcribe"]


def load(name: str | PathLike[str]) -> Whisper:
    """Load a Whisper by Hub id (with @revision) or folder, on the GPU if there is one.

    Raises UserError when it cannot be loaded, or is not a multilingual Whisper.
    """
    return models.place(models.load(str(name)))


def train(dataset: str | PathLike[str], out: str | PathLike[str], **options: Any) -> Result:
    """Fine-tune a Whisper on a dataset (Hub id or folder) and write the model folder `out`.

    `options` are the fields of `khmer_whisper.config.Config`, such as `epochs=3`; `mix` is a dict
    of names and weights. Base and tuned model are scored on the test split. Called again after an
    interruption, the training goes on. Raises UserError for what the caller can mend.
    """
    return training.train(Config.of({"dataset": str(dataset), **options}), Path(out))
