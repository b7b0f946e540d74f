"""A dataset and a base model to a folder that is a Hub repository."""

from __future__ import annotations

import gc
import json
import shutil
import tomllib
from contextlib import nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
import transformers
from accelerate import PartialState
from tqdm import tqdm

from khmer_aligned.errors import UserError
from khmer_aligned.files import lock_folder, write_whole
from khmer_aligned.hub.resolve import Source
from khmer_whisper import decode, metrics
from khmer_whisper import model as models
from khmer_whisper.card import write_card
from khmer_whisper.config import PROVENANCE, Config, Mixed
from khmer_whisper.evaluation import (
    Evaluation,
    compare,
    evaluate,
    named,
    report,
    score,
    scored_split,
    versions,
)
from khmer_whisper.examples import data
from khmer_whisper.examples.data import LeftOut, Rows, Splits
from khmer_whisper.examples.mix import Clips, Part
from khmer_whisper.examples.stream import StreamedClips
from khmer_whisper.model import Whisper
from khmer_whisper.trainer import WhisperTrainer, check_trackers, finish, last_checkpoint

CHECKPOINTS = "checkpoints"  # of the running training; never published, gone when it is done
RECORD, BASE = "config.toml", "base.jsonl"  # in it: which training it is; what its base heard


@dataclass(frozen=True, slots=True)
class Result:
    """What a finished training left in `folder`."""

    folder: Path
    split: str  # that the scores are of
    base: metrics.Scores
    tuned: metrics.Scores
    difference: dict[str, metrics.Difference]
    left_out: list[LeftOut]  # training clips that do not fit the model
    steps: int


def train(config: Config, out: Path) -> Result:
    """Fine-tune, score base and tuned model on the same clips, and write the model folder.

    A run that was cut off goes on from its last checkpoint when it is started again with the
    same configuration, and ends with the weights of a run that was not. Raises UserError when
    `out` holds something else, or the dataset gives nothing to learn from or to score on.
    """
    out = Path(out)
    check_trackers(config)
    _check_folder(out)
    # Told so, accelerate joins the processes on a machine without a GPU, too.
    state = PartialState(cpu=not torch.cuda.is_available())
    splits = data.load(config.dataset, streaming=config.streaming)
    mixed = [
        data.load(each.name, streaming=config.streaming, language=each.language)
        for each in config.mix
    ]
    whisper = models.load(config.model)
    pinned = config.with_(
        dataset=splits.source.pinned,
        mix=tuple(
            replace(each, name=other.source.pinned)
            for each, other in zip(config.mix, mixed, strict=True)
        ),
        model=whisper.source.pinned,
    )
    clips = _training_clips([splits, *mixed], whisper, pinned)
    split = scored_split(splits)
    validation = _validation(splits, whisper)
    if config.patience and validation is None:
        raise UserError("patience needs a validation split to watch: leave it out")
    checkpoints = out / CHECKPOINTS
    checkpoints.mkdir(parents=True, exist_ok=True)
    with lock_folder(checkpoints) if state.is_main_process else nullcontext():
        with state.main_process_first():
            _claim(checkpoints, pinned, [splits.source, *(m.source for m in mixed)])
        base = _base_scores(whisper, splits, split, checkpoints)
        if state.is_main_process:
            for clip in base.left_out:
                tqdm.write(f"not scored: {clip.id}: {clip.reason}")
        whisper, trainer = _trained(whisper, validation, clips, pinned, checkpoints)
        tuned = evaluate(whisper, splits, split, description="scoring the tuned model")
        difference = compare(base, tuned)
        left_out = [clip for part in clips.parts for clip in part.fitting.left_out]
        result = Result(
            out, split, base.scores, tuned.scores, difference, left_out, trainer.state.global_step
        )
        if state.is_main_process:
            whisper.model.config.clip_seconds = clips.usual_seconds
            whisper.save(out)
            found = report(splits, {"base": base, "tuned": tuned}, {"base": whisper.source}) | {
                "difference": {name: asdict(value) for name, value in difference.items()},
                "seen_recordings": _seen(splits, split, mixed),
                "mixed": [
                    {**named(other.source), "language": part.language, "weight": part.weight}
                    for other, part in zip(mixed, clips.parts[1:], strict=True)
                ],
            }
            write_whole(
                out / "metrics.json", json.dumps(found, ensure_ascii=False, indent=2) + "\n"
            )
            decode.write(
                out / "predictions.jsonl",
                [
                    row | {"base": before.hypothesis}
                    for row, before in zip(tuned.rows(), base.predictions, strict=True)
                ],
            )
            provenance = _provenance([splits, *mixed], whisper, clips, trainer)
            write_whole(out / "training.toml", pinned.toml(provenance))
            write_card(out)
    if state.is_main_process:
        shutil.rmtree(checkpoints)
    state.wait_for_everyone()
    return result


def _check_folder(out: Path) -> None:
    """Raises UserError where a training would overwrite something, before anything is loaded."""
    if (out / "config.json").exists() and not (out / CHECKPOINTS / RECORD).is_file():
        raise UserError(f"{out}: holds a finished model; train into another folder")


def _claim(checkpoints: Path, config: Config, datasets: list[Source]) -> None:
    """Make `checkpoints` those of this run. Raises UserError where they are another's.

    The same run is what ends with the same weights: readers and trackers do not matter, nor how a
    step is divided. A run without any checkpoint gives way.
    """
    record = checkpoints / RECORD
    processes = PartialState().num_processes
    whole_step = config.batch_size * config.accumulation * processes
    same = config.with_(batch_size=whole_step, accumulation=1, workers=-1, trackers=())
    # A folder may have been built anew since; a stream is dealt out by its readers.
    more = {"data": [source.version for source in datasets]}
    run = same.toml(more | ({"processes": processes} if config.streaming else {}))
    before, now = (_flat(record.read_text("utf-8") if record.is_file() else ""), _flat(run))
    differing = [key for key in now | before if before.get(key) != now.get(key)]
    if differing and last_checkpoint(checkpoints):
        raise UserError(
            f"{checkpoints.parent}: holds an unfinished run that differs in "
            f"{', '.join(differing)}; give the same to finish it, or delete {checkpoints} to give "
            "it up"
        )
    if differing and PartialState().is_main_process:
        (checkpoints / BASE).unlink(missing_ok=True)
        write_whole(record, run)


def _flat(toml: str) -> dict[str, Any]:
    table = tomllib.loads(toml)
    return table | table.pop(PROVENANCE, {})


def _training_clips(
    datasets: list[Splits], whisper: Whisper, config: Config
) -> Clips | StreamedClips:
    """The clips of the scored dataset and of those mixed in, without those that do not fit."""
    parts = []
    wanted = [Mixed(config.dataset, 1.0), *config.mix]
    for splits, each in zip(datasets, wanted, strict=True):
        if splits.get("train") is None:
            raise UserError(f"{each.name}: has no train split")
        fitting = data.fitting(splits, "train", whisper, config.text)
        if PartialState().is_main_process:
            for clip in fitting.left_out:
                tqdm.write(f"left out of training: {clip.id}: {clip.reason}")
        if len(fitting) == 0:
            why = fitting.left_out[0].reason if fitting.left_out else "the train split is empty"
            raise UserError(f"{each.name}: nothing for {config.model} to learn from: {why}")
        parts.append(Part(each.name, fitting, each.weight, each.language))
    return (StreamedClips if config.streaming else Clips)(parts, whisper, config)


def _seen(splits: Splits, scored: str, mixed: list[Splits]) -> list[str]:
    """Recordings of the scored split that were also trained on, or chose the checkpoint."""
    known = set()
    for name in ("train", "validation"):
        if name != scored and splits.get(name) is not None:
            known |= _recordings(splits, name)
    for other in mixed:
        known |= _recordings(other, "train")
    return sorted(known & _recordings(splits, scored))


def _recordings(splits: Splits, split: str) -> set[str]:
    return {r for part in splits.columns(split, ["recording"]) for r in part["recording"]}


def _base_scores(whisper: Whisper, splits: Splits, split: str, checkpoints: Path) -> Evaluation:
    """The base model's evaluation, made once: a resumed run reads what it had predicted."""
    record = checkpoints / BASE
    if record.is_file():
        rows = map(json.loads, record.read_text(encoding="utf-8").splitlines())
        predictions = [decode.Prediction(**row) for row in rows]
        left_out = data.fitting(splits, split, whisper, text=None).left_out
        return Evaluation(split, predictions, score(predictions), left_out)
    whisper.model.to(PartialState().device)
    base = evaluate(whisper, splits, split, description="scoring the base model")
    if PartialState().is_main_process:
        decode.write(record, base.rows())
    return base


def _validation(splits: Splits, whisper: Whisper) -> Rows | None:
    """The clips that choose the checkpoint, if there are any."""
    if splits.get("validation") is None:
        return None
    fitting = data.fitting(splits, "validation", whisper, text=None)
    return fitting.rows if len(fitting) else None


def _trained(
    whisper: Whisper,
    validation: Rows | None,
    clips: Clips | StreamedClips,
    config: Config,
    checkpoints: Path,
) -> tuple[Whisper, WhisperTrainer]:
    """Train to the end. Out of memory on the GPU, with smaller batches and as many more of them
    a step, which changes neither loss nor gradients."""
    while True:
        transformers.set_seed(config.seed)
        trainer = WhisperTrainer(whisper, config, clips, validation, checkpoints)
        checkpoint = last_checkpoint(checkpoints)
        try:
            trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
        except RuntimeError as error:
            if not decode.out_of_memory(error):
                raise
            config = _smaller_batches(config)
            # Others hold the model, too: take from the GPU what it has there.
            whisper.model.zero_grad(set_to_none=True)
            whisper.model.to("cpu")
        except UserError as error:  # from a loader's process it comes with its whole traceback
            raise UserError(str(error).strip().splitlines()[-1].split("UserError: ")[-1]) from error
        else:
            finish(whisper, trainer)
            return whisper, trainer
        finally:
            trainer.progress.close()
        del trainer, whisper
        gc.collect()
        torch.cuda.empty_cache()
        whisper = models.load(config.model)


def _smaller_batches(config: Config) -> Config:
    if config.batch_size == 1 or PartialState().num_processes > 1:
        raise UserError(
            f"out of memory with batches of {config.batch_size}: give a smaller --batch-size and "
            "more --accumulation, --gradient-checkpointing, or --tune lora"
        )
    parts = next(n for n in range(2, config.batch_size + 1) if config.batch_size % n == 0)
    smaller = config.with_(
        batch_size=config.batch_size // parts, accumulation=config.accumulation * parts
    )
    tqdm.write(
        f"out of memory: going on with batches of {smaller.batch_size}, "
        f"{smaller.accumulation} a step"
    )
    return smaller


def _provenance(
    datasets: list[Splits], whisper: Whisper, clips: Clips | StreamedClips, trainer: WhisperTrainer
) -> dict:
    learned = [
        {
            "dataset_version": splits.source.version,
            "clips": len(part.fitting),
            "hours": round(float(part.fitting.seconds.sum()) / 3600, 3),
            "left_out": len(part.fitting.left_out),
        }
        for splits, part in zip(datasets, clips.parts, strict=True)
    ]
    names = [part.name for part in clips.parts]
    return learned[0] | {
        "mix": dict(zip(names[1:], learned[1:], strict=True)),
        "clip_seconds": clips.usual_seconds,
        "model_version": whisper.source.version,
        "steps": trainer.state.global_step,
        "best_step": trainer.state.best_global_step or trainer.state.global_step,
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
        "versions": versions(),
    }
