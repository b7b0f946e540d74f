"""A dataset and, if one likes, a base model to an aligner's folder."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from datasets import Dataset

from khmer_aligned.aligners.base import LAG
from khmer_aligned.aligners.ctc import CtcAligner
from khmer_aligned.aligners.licences import licence
from khmer_aligned.errors import UserError
from khmer_aligned.files import lock_folder, write_whole
from khmer_aligned.hub.resolve import Source
from khmer_whisper.callbacks import Progress, SetEpoch
from khmer_whisper.checkpoints import (
    CHECKPOINTS,
    RECORD,
    check_folder,
    differs,
    last_checkpoint,
)
from khmer_whisper.config import LANGUAGE
from khmer_whisper.ctc.card import write_card
from khmer_whisper.ctc.config import CtcConfig
from khmer_whisper.ctc.evaluation import Judgement, judge
from khmer_whisper.ctc.examples import Collator, Utterances
from khmer_whisper.ctc.model import from_base, from_scratch, save
from khmer_whisper.ctc.refine import learn
from khmer_whisper.ctc.trainer import CtcTrainer, finish
from khmer_whisper.ctc.word_times import TOO_FEW, Moved, Moves, move_words, read, write
from khmer_whisper.decode import is_out_of_memory
from khmer_whisper.evaluation import library_versions
from khmer_whisper.examples import data
from khmer_whisper.examples.data import Splits
from khmer_whisper.quiet import one_line_errors

_WORD_TIMES = "word_times.npz"  # among the checkpoints
OWN_LICENCE = "apache-2.0"  # of weights that no other weights went into


@dataclass(frozen=True, slots=True)
class Result:
    """A finished training, whose aligner lies in `folder`; judged on `split`, None without one.

    moves: how far the words of the training clips moved before their times were learned, None
    where they did not; word_times: what was done to them, in a line, None where none were learned.
    """

    folder: Path
    split: str | None
    judgement: Judgement | None
    moves: Moves | None
    word_times: str | None
    steps: int


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a training starts from, every name in `config` pinned to a revision."""

    config: CtcConfig
    aligner: CtcAligner
    base: Source | None
    splits: Splits
    rows: Dataset  # to learn from
    timed: bool  # whether they have word times

    @property
    def moves_words(self) -> bool:
        """Whether word times are learned, and moved before."""
        config = self.config
        return self.timed and config.refine > 0 and (config.targets > 0 or config.tolerance > 0)


def train_aligner(config: CtcConfig, out: Path) -> Result:
    """Train an aligner, judge it on the dataset's test split, and write its folder.

    A training that was interrupted goes on from its last checkpoint when it is started again with
    the same configuration, and ends with the same weights. Raises UserError when `out` holds
    something else, or there is nothing to learn from.
    """
    check_folder(out)
    transformers.set_seed(config.seed)  # before the weights of a new model or head are drawn
    inputs = _load(config)
    checkpoints = out / CHECKPOINTS
    checkpoints.mkdir(parents=True, exist_ok=True)
    with lock_folder(checkpoints):
        record = _record(inputs)
        if differs(checkpoints, record):
            (checkpoints / _WORD_TIMES).unlink(missing_ok=True)
            write_whole(checkpoints / RECORD, record)
        split = next((name for name in ("test", "validation") if inputs.splits.get(name)), None)
        moved = _move_words(inputs, split, checkpoints / _WORD_TIMES)
        times = {name: each.times for name, each in moved.items()}
        steps = _fit(inputs, times.get("train"), checkpoints)
        judgement = (
            judge(inputs.aligner, inputs.splits.splits[split], times.get(split)) if split else None
        )
        if judgement and judgement.lag is not None:
            inputs.aligner.model.config.update({LAG: judgement.lag})
        save(inputs.aligner, out)
        moves = moved["train"].moves if moved else None
        line = moves.summary() if moves else TOO_FEW if inputs.moves_words else None
        result = Result(out, split, judgement, moves, line, steps)
        _write_records(inputs, result)
    shutil.rmtree(checkpoints)
    return result


def _load(config: CtcConfig) -> Inputs:
    splits = data.load(config.dataset, language=LANGUAGE)
    rows = splits.get("train")
    if not isinstance(rows, Dataset):
        raise UserError(f"{config.dataset}: has no train split")
    rows = _usable(rows)
    if len(rows) == 0:
        raise UserError(f"{config.dataset}: its train split has no clip with text")
    base: Source | None = None
    if config.model:
        aligner, base = from_base(config.model, freeze=config.freeze)
    else:
        aligner = from_scratch()
    timed = any(words for words in rows["words"])
    pinned = replace(
        config,
        dataset=splits.source.pinned,
        model=base.pinned if base else config.model,
        learning_rate=config.rate(aligner.model.num_parameters()),
    )
    return Inputs(pinned, aligner, base, splits, rows, timed)


def _usable(rows: Dataset) -> Dataset:
    """The clips with a text."""
    kept = [i for i, text in enumerate(rows["text"]) if text and any(map(str.isalnum, text))]
    return rows if len(kept) == len(rows) else rows.select(kept)


def _record(inputs: Inputs) -> str:
    """TOML of what decides over the weights: not how a step is divided, nor who reads the clips."""
    config = inputs.config
    same = replace(
        config, batch_size=config.batch_size * config.accumulation, accumulation=1, workers=-1
    )
    return same.toml({"data": inputs.splits.source.version})


def _move_words(inputs: Inputs, split: str | None, file: Path) -> dict[str, Moved]:
    """The word times of the training clips and of `split`, moved to where the sounds begin; none
    where they are not to be moved or too few. Kept in `file`: what goes on learns the same."""
    config = inputs.config
    if not inputs.moves_words:
        return {}
    if file.exists():
        return read(file)
    refiner = learn(inputs.rows, config.refine, config.seed)
    if refiner is None:
        return {}
    moved = {"train": move_words(inputs.rows, refiner)}
    if split:
        moved[split] = move_words(inputs.splits.splits[split], refiner)
    write(file, moved)
    return moved


def _fit(inputs: Inputs, times: Sequence[np.ndarray] | None, checkpoints: Path) -> int:
    """Train to the end, the words at `times` where there are any; returns the number of steps."""
    config, aligner = inputs.config, inputs.aligner
    if not inputs.timed:
        config = replace(config, targets=0.0, tolerance=0.0)
    utterances = Utterances(inputs.rows, aligner, config, times)
    sampler = utterances.sampler()
    seconds = sum(inputs.rows["duration"]) / len(inputs.rows)
    progress = Progress(seconds * config.batch_size * config.accumulation)
    trainer = CtcTrainer(
        aligner,
        config,
        utterances,
        Collator(aligner, targets=config.targets > 0, tolerance=config.tolerance),
        checkpoints,
        sampler=sampler,
        callbacks=[SetEpoch(sampler), progress],
    )
    checkpoint = last_checkpoint(checkpoints)
    try:
        with one_line_errors():
            trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        raise UserError(
            f"out of memory with batches of {config.batch_size}: give a smaller --batch-size and "
            "more --accumulation"
        ) from error
    finally:
        progress.close()
    finish(aligner)
    return trainer.state.global_step


def _write_records(inputs: Inputs, result: Result) -> None:
    """metrics.json, training.toml and the card."""
    splits, out, judgement = inputs.splits, result.folder, result.judgement
    hours = sum(inputs.rows["duration"]) / 3600
    provenance = {
        "dataset_version": splits.source.version,
        "clips": len(inputs.rows),
        "hours": round(hours, 3),
        "word_times": inputs.timed,
        "licence": licence(inputs.base) if inputs.base else OWN_LICENCE,
        "parameters": inputs.aligner.model.num_parameters(),
        "steps": result.steps,
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
        "versions": library_versions(),
    }
    if inputs.base:
        provenance["model_version"] = inputs.base.version
    metrics: dict[str, Any] = {
        "split": result.split if judgement else None,
        "dataset": splits.source.identity,
    }
    if judgement:
        metrics |= asdict(judgement) | {"letter_error_rate": judgement.letter_error_rate}
    metrics["word_times"] = result.word_times
    if result.moves:
        metrics["moves"] = asdict(result.moves)
    write_whole(out / "metrics.json", json.dumps(metrics, ensure_ascii=False, indent=2) + "\n")
    write_whole(out / "training.toml", inputs.config.toml(provenance))
    write_card(out)
