"""A model to the format of another engine, with a check that both give the same text."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from datasets import Dataset
from transformers.utils import cached_file

from khmer_aligned.errors import UserError
from khmer_aligned.hub.resolve import FOLDER_VERSION, Source
from khmer_whisper import decode
from khmer_whisper import model as models
from khmer_whisper.config import Config
from khmer_whisper.decode import Recognizer
from khmer_whisper.evaluation import (
    Evaluation,
    choose_scored_split,
    describe_source,
    make_evaluation,
    select_scored,
)
from khmer_whisper.examples import data
from khmer_whisper.examples.data import Splits
from khmer_whisper.exports.formats import FORMATS, Format
from khmer_whisper.model import Whisper

# How much higher the CER of an export may be, as a share of 1, by the precision of its weights.
TOLERATED = {"float32": 0.001, "float16": 0.005, "bfloat16": 0.01, "int8": 0.01}
# The fewest clips with the same text: another order of sums decides near ties otherwise, and so
# does coarser rounding.
MIN_SAME = {"float32": 0.98, "float16": 0.5, "bfloat16": 0.5, "int8": 0.5}


@dataclass(frozen=True, slots=True)
class Exported:
    """An export and its comparison with the original; `same` clips have the same text in both.

    notes: what its users have to know
    """

    folder: Path
    split: str
    same: int
    original: Evaluation
    exported: Evaluation
    notes: list[str]


def export(
    name: str,
    out: Path,
    dataset: str | None = None,
    *,
    form: Format = "ctranslate2",
    quantization: str | None = None,
    clips: int | None = None,
    batch_size: int = 8,
) -> Exported:
    """Convert the model `name` to `form`, compare both, and write the new folder `out`.

    Both decode the test split (else validation) of `dataset`, by default the model's training
    dataset, or its first `clips` clips: greedily, to the same limit, on the CPU, where float32 is
    exact. Raises UserError, and writes nothing, when their texts differ more than the precision of
    the weights explains.
    """
    exporter = FORMATS[form]
    quantization = quantization or exporter.quantizations[0]
    if quantization not in exporter.quantizations:
        possible = ", ".join(exporter.quantizations)
        raise UserError(f"--format {form} has no {quantization} weights; choose from {possible}")
    if out.exists():
        raise UserError(f"{out}: exists already; export into a new folder")
    whisper = models.load(name)
    exporter.check(whisper)
    splits = data.load(dataset or _training_dataset(whisper.source))
    split = choose_scored_split(splits)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}-") as scratch:
        folder = Path(scratch) / "export"
        recognizer = exporter.write(whisper, folder, quantization)
        original, exported = _decode_both(whisper, recognizer, splits, clips, batch_size)
        same = _count_same(original, exported)
        result = Exported(out, split, same, original, exported, exporter.note(whisper))
        _check(result, quantization)
        record = {
            "model": describe_source(whisper.source),
            "format": form,
            "quantization": quantization,
            "clip_seconds": whisper.clip_seconds,
            "languages": whisper.languages,
            "max_target_positions": whisper.model.config.max_target_positions,
            exporter.package: version(exporter.package),
            "dataset": describe_source(splits.source)
            | {"split": split, "clips": len(original.predictions)},
            "notes": result.notes,
        }
        _write_record(folder / "export.json", record | _figures(result))
        folder.rename(out)
    return result


def _decode_both(
    whisper: Whisper,
    recognizer: Recognizer,
    splits: Splits,
    clips: int | None,
    batch_size: int,
) -> tuple[Evaluation, Evaluation]:
    """The evaluations of the original and of its export, on the same clips."""
    split = choose_scored_split(splits)
    fitting = select_scored(splits, split, whisper)
    rows: Dataset = fitting.rows.select(range(min(clips or len(fitting), len(fitting))))

    def evaluate(recognizer: Recognizer | None, description: str) -> Evaluation:
        predictions = decode.predict(whisper, rows, batch_size, description, recognizer)
        return make_evaluation(whisper, split, predictions, fitting.left_out)

    exported = evaluate(recognizer, "the export")
    return evaluate(None, "the original"), exported


def _count_same(original: Evaluation, exported: Evaluation) -> int:
    return sum(
        ours.hypothesis == theirs.hypothesis
        for ours, theirs in zip(original.predictions, exported.predictions, strict=True)
    )


def _check(result: Exported, quantization: str) -> None:
    """Raises UserError when the texts of an export differ too much from the original's."""
    clips = len(result.original.predictions)
    before, after = result.original.scores.cer.rate, result.exported.scores.cer.rate
    figures = (
        f"{result.same} of {clips} clips are the same, CER {before:.2%} before, {after:.2%} after"
    )
    if result.same < MIN_SAME[quantization] * clips:
        raise UserError(f"{result.folder}: not written: the export's texts differ: {figures}")
    if after - before > TOLERATED[quantization]:
        raise UserError(
            f"{result.folder}: not written: {quantization} costs too much: {figures}; choose "
            "another --quantization"
        )


def _figures(result: Exported) -> dict[str, Any]:
    return {
        "same": result.same,
        "original": result.original.scores.as_dict(),
        "export": result.exported.scores.as_dict(),
    }


def _write_record(path: Path, record: dict[str, Any]) -> None:
    path.write_text(json.dumps(record, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def _training_dataset(source: Source) -> str:
    """The dataset that training.toml of a model names."""
    try:
        record = cached_file(source.path, "training.toml", revision=source.revision)
    except OSError:
        record = None
    if record is None:
        raise UserError(f"{source.path}: has no training.toml that names a dataset: give --dataset")
    dataset = Config.read(Path(record)).dataset
    if FOLDER_VERSION in dataset:
        raise UserError(f"{source.path}: its dataset {dataset} was a folder: give --dataset")
    return dataset
