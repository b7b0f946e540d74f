"""The folder of checkpoints of an unfinished training: whose it is, and where to go on."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

from accelerate import PartialState

from khmer_aligned.errors import UserError
from khmer_aligned.files import lock_folder, write_whole
from khmer_whisper.config import PROVENANCE
from khmer_whisper.inputs import Inputs

CHECKPOINTS = "checkpoints"  # in the model folder; never published, deleted at the end
RECORD = "config.toml"  # the training that the checkpoints belong to
BASE_PREDICTIONS = "base.jsonl"
STOCK_PREDICTIONS = "stock.jsonl"  # of the model that an extended one was made from
ROWS = "rows"  # the folder of the steps in which only the rows of new entries learn
UNTUNED = "untuned.json"  # what the base scores on the validation clips


def check_folder(out: Path) -> None:
    """Raises UserError where a training would overwrite a finished model."""
    if (out / "config.json").exists() and not (out / CHECKPOINTS / RECORD).is_file():
        raise UserError(f"{out}: holds a finished model; train into another folder")


@contextmanager
def claim_checkpoints(out: Path, inputs: Inputs) -> Iterator[Path]:
    """Make the checkpoints in `out` those of this training, and keep other processes out.

    Raises UserError where they are those of another training, see `differs`.
    """
    folder = out / CHECKPOINTS
    folder.mkdir(parents=True, exist_ok=True)
    state = PartialState()
    with lock_folder(folder) if state.is_main_process else nullcontext():
        with state.main_process_first():
            _write_record(folder, inputs)
        yield folder


def last_checkpoint(folder: Path) -> Path | None:
    """The newest checkpoint that was written whole; the Trainer writes its state last."""
    checkpoints = sorted(folder.glob("checkpoint-*"), key=lambda path: int(path.name.split("-")[1]))
    for checkpoint in reversed(checkpoints):
        try:
            json.loads((checkpoint / "trainer_state.json").read_text(encoding="utf-8"))
        except (OSError, json.JSONDecodeError):
            continue
        return checkpoint
    return None


def differs(folder: Path, record: str) -> bool:
    """Whether the checkpoints' `folder` has no record, or one that says other than `record`.

    record: TOML. Raises UserError when they differ and there is a checkpoint: its weights would
    not be those of this training.
    """
    path = folder / RECORD
    before = _settings(path.read_text("utf-8") if path.is_file() else "")
    now = _settings(record)
    differing = [key for key in now | before if before.get(key) != now.get(key)]
    if differing and (last_checkpoint(folder) or (folder / ROWS).exists()):
        raise UserError(
            f"{folder.parent}: holds an unfinished run that differs in {', '.join(differing)}; "
            f"give the same to finish it, or delete {folder} to give it up"
        )
    return bool(differing)


def _write_record(folder: Path, inputs: Inputs) -> None:
    """Record this training where another is recorded, and forget what that one had measured."""
    record = _record(inputs)
    if differs(folder, record) and PartialState().is_main_process:
        for name in (BASE_PREDICTIONS, STOCK_PREDICTIONS, UNTUNED):
            (folder / name).unlink(missing_ok=True)
        write_whole(folder / RECORD, record)


def _record(inputs: Inputs) -> str:
    """TOML of what decides over the weights: not of workers, trackers or the division of a step."""
    config, processes = inputs.config, PartialState().num_processes
    whole_step = config.batch_size * config.accumulation * processes
    same = replace(config, batch_size=whole_step, accumulation=1, workers=-1, trackers=())
    # A dataset in a folder may be rebuilt under its name.
    more: dict[str, Any] = {"data": [splits.source.version for splits in inputs.datasets]}
    if config.streaming:  # a stream's order depends on how many processes read it
        more["processes"] = processes
    return same.toml(more)


def _settings(toml: str) -> dict[str, Any]:
    table = tomllib.loads(toml)
    return table | table.pop(PROVENANCE, {})
