"""The formats that a model is exported to: how each is written, run and described."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from khmer_whisper.decode import Recognizer
from khmer_whisper.exports.engines import (
    CTranslate2Recognizer,
    WhisperCppRecognizer,
    import_ctranslate2,
    import_whisper_cpp,
)
from khmer_whisper.exports.ggml import check_ggml, text_positions, write_ggml
from khmer_whisper.exports.standard import SIZES, find_window_difference
from khmer_whisper.model import Whisper

Format = Literal["ctranslate2", "ggml"]

# faster-whisper makes labels and log-mel from these files, and guesses without them.
COMPANIONS = ("tokenizer.json", "preprocessor_config.json")
GGML_FILE = "ggml-model.bin"


@dataclass(frozen=True, slots=True)
class Exporter:
    """How a format is written and run.

    check: raises UserError for a model that cannot be exported, or an engine that is missing;
    write: (model, folder, precision of the weights) -> the engine that decodes with the result;
    note: what users of an export of this model have to know; quantizations: the first by default;
    package: of the engine, whose version is recorded.
    """

    check: Callable[[Whisper], object]
    write: Callable[[Whisper, Path, str], Recognizer]
    note: Callable[[Whisper], list[str]]
    quantizations: tuple[str, ...]
    package: str


def _write_ctranslate2(whisper: Whisper, folder: Path, quantization: str) -> Recognizer:
    """Write the model for CTranslate2 into `folder`, by way of a folder beside it."""
    original = folder.with_name("original")
    whisper.save(original)
    converter = import_ctranslate2().converters.TransformersConverter(
        str(original), copy_files=list(COMPANIONS)
    )
    converter.convert(str(folder), quantization=quantization)
    return CTranslate2Recognizer(folder)


def _note_faster_whisper(whisper: Whisper) -> list[str]:
    """Why faster-whisper cannot run an export that CTranslate2 itself can."""
    difference = find_window_difference(whisper)
    size = whisper.model.config.vocab_size
    if difference is None and size < SIZES[0]:
        difference = f"it takes a vocabulary of {size} ids for an English-only one"
    return [f"faster-whisper cannot run it: {difference}"] if difference else []


def _write_ggml(whisper: Whisper, folder: Path, _: str) -> Recognizer:
    """Write the model for whisper.cpp into `folder`."""
    folder.mkdir()
    file = folder / GGML_FILE
    write_ggml(whisper, file)
    return WhisperCppRecognizer(file)


def _note_whisper_cpp(whisper: Whisper) -> list[str]:
    """How whisper.cpp has to be started, and what of the model it does not use."""
    notes = ["start whisper.cpp with --no-flash-attn: by default it attends to padding"]
    if text_positions(whisper) > whisper.model.config.max_target_positions:
        notes.append(
            "start whisper.cpp with --max-context 0: it takes the room of earlier text for labels"
        )
    if getattr(whisper.model.generation_config, "alignment_heads", None):
        notes.append(
            "whisper.cpp does not read alignment heads: its --dtw knows those of OpenAI's models"
        )
    return notes


def _check_ggml(whisper: Whisper) -> None:
    import_whisper_cpp()
    check_ggml(whisper)


FORMATS: dict[Format, Exporter] = {
    "ctranslate2": Exporter(
        check=lambda _: import_ctranslate2(),
        write=_write_ctranslate2,
        note=_note_faster_whisper,
        quantizations=("float32", "float16", "bfloat16", "int8"),
        package="ctranslate2",
    ),
    "ggml": Exporter(
        check=_check_ggml,
        write=_write_ggml,
        note=_note_whisper_cpp,
        quantizations=("float16",),
        package="pywhispercpp",
    ),
}
