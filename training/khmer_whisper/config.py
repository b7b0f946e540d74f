"""What a training run is made of: one frozen dataclass, read from TOML and written back."""

from __future__ import annotations

import json
import tomllib
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from khmer_aligned.schema import UserError

PROVENANCE = "provenance"  # a table of training.toml that tells, and is not read back


@dataclass(frozen=True, kw_only=True)
class Config:
    """One training run. Names that may be a Hub id take @revision, and so does training.toml.

    Raises UserError for a value that makes no sense.
    """

    dataset: str  # Hub id with optional @revision, or a folder built by khmer-aligned
    model: str = "openai/whisper-small"  # any multilingual Whisper, by Hub id or folder
    text: str = "text"  # learn the written form, or "spoken": numbers and signs as words
    seed: int = 42

    epochs: float = 3.0
    max_steps: int = 0  # optimizer steps; above 0 it decides instead of epochs
    batch_size: int = 16  # clips at a time on each device
    accumulation: int = 1  # batches before a step: the same loss and gradients, less memory
    learning_rate: float = 1e-5
    warmup: float = 0.1  # share of the steps in which the learning rate rises
    weight_decay: float = 0.0
    max_grad_norm: float = 1.0

    tune: str = "full"  # or "decoder" (frozen encoder), or "lora" (merged at the end)
    lora_rank: int = 32
    gradient_checkpointing: bool = False  # a third slower, for a fraction of the memory
    compile: bool = False  # torch.compile

    timestamps: float = 0.0  # share of examples whose labels carry timestamps
    previous_text: float = 0.0  # share of examples that are told the clip before
    join: float = 0.0  # share of examples joined with the clips that follow, up to the limits
    spec_augment: bool = False
    augment: float = 0.0  # share of examples with changed speed, noise and gain

    evaluate_every: int = 0  # optimizer steps; 0 for each epoch or 500 steps, whichever is less
    patience: int = 0  # evaluations without a lower CER before training stops; 0 for never
    workers: int = 0  # processes that read clips ahead
    trackers: tuple[str, ...] = ()  # beside TensorBoard: wandb, mlflow, ...

    def __post_init__(self) -> None:
        for name, allowed in (("text", ("text", "spoken")), ("tune", ("full", "decoder", "lora"))):
            if getattr(self, name) not in allowed:
                raise UserError(
                    f"{name} is {getattr(self, name)!r}: choose one of {', '.join(allowed)}"
                )
        for name in ("timestamps", "previous_text", "join", "augment"):
            if not 0 <= getattr(self, name) <= 1:
                raise UserError(f"{name} is {getattr(self, name)}: give a share from 0 to 1")
        if not 0 <= self.warmup < 1:
            raise UserError(f"warmup is {self.warmup}: give a share from 0 to below 1")
        for name in ("batch_size", "accumulation", "lora_rank"):
            if getattr(self, name) < 1:
                raise UserError(f"{name} is {getattr(self, name)}: give 1 or more")
        for name in ("max_steps", "evaluate_every", "patience", "workers", "weight_decay"):
            if getattr(self, name) < 0:
                raise UserError(f"{name} is {getattr(self, name)}: give 0 or more")
        for name in ("epochs", "learning_rate", "max_grad_norm"):
            if getattr(self, name) <= 0:
                raise UserError(f"{name} is {getattr(self, name)}: give more than 0")

    @classmethod
    def read(cls, path: Path, **overrides: Any) -> Config:
        """The configuration in a TOML file, with `overrides` before it.

        A training.toml that a run has written trains the same again.
        """
        try:
            table = tomllib.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise UserError(f"{path}: cannot be read ({error.strerror})") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise UserError(f"{path}: is not TOML ({error})") from error
        table.pop(PROVENANCE, None)
        return cls.of(table | overrides, where=str(path))

    @classmethod
    def of(cls, table: dict[str, Any], where: str = "configuration") -> Config:
        """A configuration from a table; unknown keys and wrong types are errors."""
        known = {field.name: field for field in fields(cls)}
        for key, value in table.items():
            if key not in known:
                raise UserError(f"{where}: unknown key {key!r}; known are {', '.join(known)}")
            table = table | {key: _typed(where, key, value, str(known[key].type))}
        if "dataset" not in table:
            raise UserError(f"{where}: names no dataset")
        return cls(**table)

    def with_(self, **changes: Any) -> Config:
        """The same run with some values changed."""
        return replace(self, **changes)

    def toml(self, provenance: dict[str, Any] | None = None) -> str:
        """TOML that `read` takes; `provenance` goes into a table of its own."""
        lines = [f"{key} = {_value(value)}" for key, value in asdict(self).items()]
        if provenance:
            lines += ["", f"[{PROVENANCE}]"]
            lines += [f"{key} = {_value(value)}" for key, value in provenance.items()]
        return "\n".join(lines) + "\n"


def _typed(where: str, key: str, value: Any, kind: str) -> Any:
    if kind == "float" and type(value) is int:
        return float(value)
    if kind == "tuple[str, ...]":
        if isinstance(value, (list, tuple)) and all(isinstance(v, str) for v in value):
            return tuple(value)
    elif type(value).__name__ == kind:
        return value
    raise UserError(f"{where}: {key} = {value!r} is not a {kind}")


def _value(value: Any) -> str:
    """A TOML value. JSON's strings, numbers, booleans and flat lists are TOML's too."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(k)} = {_value(v)}" for k, v in value.items()) + "}"
    return json.dumps(value, ensure_ascii=False)
