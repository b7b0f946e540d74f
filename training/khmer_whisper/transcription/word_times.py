"""The best way to time words that there is for a model."""

from __future__ import annotations

from pathlib import Path

from khmer_whisper.transcription.attention_words import AttentionWords
from khmer_whisper.transcription.ctranslate2_engine import CTranslate2Engine
from khmer_whisper.transcription.engine import Engine
from khmer_whisper.transcription.torch_engine import TorchEngine
from khmer_whisper.transcription.words import AlignWords, TimeWords

ALIGNER_FOLDER = "aligner"  # inside the folder of a model


def choose_time_words(engine: Engine, aligner: str | None = None) -> TimeWords:
    """`aligner` where one is given, else the CTC head in the model's own folder, else attention.

    `khmer-whisper train-aligner DATASET MODEL/aligner --model MODEL` makes such a head. Raises
    UserError where the aligner cannot be loaded.
    """
    if aligner is not None:
        return AlignWords(aligner)
    own = find_aligner(engine)
    if own is not None:
        return AlignWords(str(own))
    assert isinstance(engine, TorchEngine | CTranslate2Engine)
    return AttentionWords(engine)


def find_aligner(engine: Engine) -> Path | None:
    """The aligner in the folder of the engine's model; None without one."""
    if isinstance(engine, TorchEngine):
        folder = Path(engine.whisper.source.path)
    elif isinstance(engine, CTranslate2Engine):
        folder = engine.folder
    else:
        return None
    own = folder / ALIGNER_FOLDER
    return own if (own / "config.json").is_file() else None
