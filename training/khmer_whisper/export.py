"""A model to CTranslate2, which faster-whisper runs, with a check that both give the same text."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from datasets import Dataset
from transformers.utils import cached_file

from khmer_aligned.errors import UserError
from khmer_aligned.hub.resolve import FOLDER_VERSION, Source
from khmer_whisper import decode
from khmer_whisper import model as models
from khmer_whisper.config import Config
from khmer_whisper.decode import Recognized, Recognizer, read_output
from khmer_whisper.evaluation import (
    Evaluation,
    choose_scored_split,
    describe_source,
    make_evaluation,
    select_scored,
)
from khmer_whisper.examples import data
from khmer_whisper.examples.collate import log_mel, stack
from khmer_whisper.model import Whisper

# How much higher the CER of an export may be, as a share of 1, by the precision of its weights.
TOLERATED = {"float32": 0.001, "float16": 0.005, "bfloat16": 0.01, "int8": 0.01}
MIN_SAME = 0.98  # of the clips in float32: another order of sums decides near ties otherwise
MIN_VERSION = (4, 8)  # of CTranslate2: the first that was tried with this transformers
# faster-whisper makes labels and log-mel from these files, and guesses without them.
COMPANIONS = ("tokenizer.json", "preprocessor_config.json")


@dataclass(frozen=True, slots=True)
class Exported:
    """An export and its comparison with the original; `same` clips have the same text in both."""

    folder: Path
    split: str
    same: int
    original: Evaluation
    exported: Evaluation


def export(
    name: str,
    out: Path,
    dataset: str | None = None,
    *,
    quantization: str = "float32",
    clips: int | None = None,
    batch_size: int = 8,
) -> Exported:
    """Convert the model `name` for CTranslate2, compare both, and write the new folder `out`.

    Both decode the test split (else validation) of `dataset`, by default the model's training
    dataset, or its first `clips` clips: greedily, to the same limit, on the CPU, where float32 is
    exact. Raises UserError, and writes nothing, when their texts differ more than the precision of
    the weights explains.
    """
    ctranslate2 = _import_ctranslate2()
    if out.exists():
        raise UserError(f"{out}: exists already; export into a new folder")
    whisper = models.load(name)
    splits = data.load(dataset or _training_dataset(whisper.source))
    split = choose_scored_split(splits)
    fitting = select_scored(splits, split, whisper)
    rows: Dataset = fitting.rows.select(range(min(clips or len(fitting), len(fitting))))

    def evaluate(recognizer: Recognizer | None, description: str) -> Evaluation:
        predictions = decode.predict(whisper, rows, batch_size, description, recognizer)
        return make_evaluation(whisper, split, predictions, fitting.left_out)

    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}-") as scratch:
        folder = Path(scratch) / "export"
        _convert(ctranslate2, whisper, folder, quantization)
        exported = evaluate(_Recognizer(ctranslate2, folder), "the export")
        original = evaluate(None, "the original")
        result = Exported(out, split, _count_same(original, exported), original, exported)
        _check(result, quantization)
        record = {
            "model": describe_source(whisper.source),
            "quantization": quantization,
            "ctranslate2": ctranslate2.__version__,
            "dataset": describe_source(splits.source) | {"split": split, "clips": len(rows)},
        }
        _write_record(folder / "export.json", record | _figures(result))
        folder.rename(out)
    return result


class _Recognizer:
    """Decodes with the exported model, as `decode.recognize` does with the original."""

    def __init__(self, ctranslate2: ModuleType, folder: Path) -> None:
        self.ctranslate2 = ctranslate2
        self.model: Any = ctranslate2.models.Whisper(str(folder), device="cpu")

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
        outputs = [list(result.sequences_ids[0]) for result in results]
        return [
            read_output(labeller, [*ids, labeller.end] if len(ids) < room else ids)
            for ids in outputs
        ]


def _convert(ctranslate2: ModuleType, whisper: Whisper, folder: Path, quantization: str) -> None:
    """Write the model for CTranslate2 into `folder`, by way of a folder beside it."""
    original = folder.with_name("original")
    whisper.save(original)
    converter = ctranslate2.converters.TransformersConverter(
        str(original), copy_files=list(COMPANIONS)
    )
    converter.convert(str(folder), quantization=quantization)


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
    if quantization == "float32" and result.same < MIN_SAME * clips:
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


def _import_ctranslate2() -> ModuleType:
    way_out = "install khmer-aligned[ctranslate2]"
    try:
        import ctranslate2
        import ctranslate2.converters
    except ImportError as error:
        raise UserError(f"an export needs CTranslate2: {way_out}") from error
    version = tuple(map(int, ctranslate2.__version__.split(".")[:2]))
    if version < MIN_VERSION:
        raise UserError(f"CTranslate2 {ctranslate2.__version__} is too old: {way_out}")
    return ctranslate2
