"""A model to CTranslate2, which faster-whisper runs, and the proof that it hears the same."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np
from transformers.utils import cached_file

from khmer_aligned.errors import UserError
from khmer_aligned.hub.resolve import Source
from khmer_whisper import decode
from khmer_whisper import model as models
from khmer_whisper.config import Config
from khmer_whisper.decode import Recognized, recognized
from khmer_whisper.evaluation import Evaluation, named, score, scored, scored_split
from khmer_whisper.examples import data
from khmer_whisper.examples.collate import log_mel, stack
from khmer_whisper.model import Whisper

# Points of CER by which the weights' precision may make an export worse than its original.
EXCUSED = {"float32": 0.001, "float16": 0.005, "bfloat16": 0.01, "int8": 0.01}
SAME = 0.98  # of the clips in float32: sums in another order let a near tie fall the other way
OLDEST = (4, 8)  # of CTranslate2: the first that was tried with this transformers
# faster-whisper makes tokens and log-mel from these, and guesses where they are missing.
COMPANIONS = ("tokenizer.json", "preprocessor_config.json")


@dataclass(frozen=True, slots=True)
class Exported:
    """What became of an export: `same` of the clips were heard as the original hears them."""

    folder: Path
    split: str
    same: int
    original: Evaluation
    exported: Evaluation


def export(
    name: str,
    out: Path,
    dataset: str | None = None,
    quantization: str = "float32",
    clips: int | None = None,
    batch_size: int = 8,
) -> Exported:
    """Write the model `name` for CTranslate2 into the new folder `out`, once it is proven.

    Both decode the test split (else validation) of `dataset`, by default the one that the model
    was trained on, or its first `clips` clips: greedily, to the same limit, on the CPU, where
    float32 is float32. Raises UserError, and leaves nothing, when the export hears something else
    than its precision excuses.
    """
    ctranslate2 = _ctranslate2()
    if out.exists():
        raise UserError(f"{out}: exists already; export into a new folder")
    whisper = models.load(name)
    splits = data.load(dataset or _trained_on(whisper.source))
    split = scored_split(splits)
    fitting = scored(splits, split, whisper)
    rows = fitting.rows.select(range(min(clips or len(fitting), len(fitting))))

    def evaluated(by, description: str) -> Evaluation:
        found = decode.predict(whisper, rows, batch_size, description, by)
        return Evaluation(split, found, score(found), fitting.left_out)

    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}-") as scratch:
        folder = Path(scratch) / "export"
        _convert(ctranslate2, whisper, Path(scratch) / "original", folder, quantization)
        recognizer = _Recognizer(ctranslate2, folder)
        exported = evaluated(recognizer, "the export")
        original = evaluated(None, "the original")
        same = sum(
            ours.hypothesis == theirs.hypothesis
            for ours, theirs in zip(exported.predictions, original.predictions, strict=True)
        )
        result = Exported(out, split, same, original, exported)
        _prove(result, quantization)
        record = {
            "model": named(whisper.source),
            "quantization": quantization,
            "ctranslate2": ctranslate2.__version__,
            "dataset": named(splits.source) | {"split": split, "clips": len(rows)},
            "same": same,
            "original": original.scores.as_dict(),
            "export": exported.scores.as_dict(),
        }
        text = json.dumps(record, ensure_ascii=False, indent=2) + "\n"
        (folder / "export.json").write_text(text, encoding="utf-8")
        folder.rename(out)
    return result


class _Recognizer:
    """The exported model in the place of `decode.recognize`."""

    def __init__(self, ctranslate2: ModuleType, folder: Path) -> None:
        self.ctranslate2 = ctranslate2
        self.model = ctranslate2.models.Whisper(str(folder), device="cpu")

    def __call__(self, whisper: Whisper, waveforms: Sequence[np.ndarray]) -> list[Recognized]:
        features = log_mel(stack(waveforms, whisper.extractor), whisper.extractor)
        labeller = whisper.labeller
        prompt = [labeller.start, labeller.language, labeller.task, labeller.no_timestamps]
        room = whisper.model.config.max_target_positions - len(prompt)
        results = self.model.generate(
            self.ctranslate2.StorageView.from_array(features.numpy()),
            [prompt] * len(waveforms),
            beam_size=1,
            max_length=2 * room,  # it gives half of it to what is said
        )
        said = [list(result.sequences_ids[0]) for result in results]
        return [
            recognized(whisper, [*ids, labeller.end] if len(ids) < room else ids) for ids in said
        ]


def _convert(
    ctranslate2: ModuleType, whisper: Whisper, original: Path, folder: Path, quantization: str
) -> None:
    whisper.save(original)
    converter = ctranslate2.converters.TransformersConverter(
        str(original), copy_files=list(COMPANIONS)
    )
    converter.convert(str(folder), quantization=quantization)


def _prove(result: Exported, quantization: str) -> None:
    clips = len(result.original.predictions)
    before, after = result.original.scores.cer.rate, result.exported.scores.cer.rate
    heard = (
        f"{result.same} of {clips} clips are the same, CER {before:.2%} before, {after:.2%} after"
    )
    if quantization == "float32" and result.same < SAME * clips:
        raise UserError(f"{result.folder}: not written: the export hears something else: {heard}")
    if after - before > EXCUSED[quantization]:
        raise UserError(
            f"{result.folder}: not written: {quantization} costs too much: {heard}; choose "
            "another --quantization"
        )


def _trained_on(source: Source) -> str:
    try:
        record = cached_file(source.path, "training.toml", revision=source.revision)
    except OSError as error:
        raise UserError(
            f"{source.path}: has no training.toml that names a dataset: give --dataset"
        ) from error
    return Config.read(Path(record)).dataset


def _ctranslate2() -> ModuleType:
    way_out = "install khmer-aligned[ctranslate2]"
    try:
        import ctranslate2
        import ctranslate2.converters
    except ImportError as error:
        raise UserError(f"an export needs CTranslate2: {way_out}") from error
    version = tuple(map(int, ctranslate2.__version__.split(".")[:2]))
    if version < OLDEST:
        raise UserError(f"CTranslate2 {ctranslate2.__version__} is too old: {way_out}")
    return ctranslate2
