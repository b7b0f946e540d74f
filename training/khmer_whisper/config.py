"""What a training run is made of: one frozen dataclass, read from TOML and written back."""

from __future__ import annotations

import json
import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from khmer_aligned.errors import UserError

LANGUAGE = "km"
HEAVIEST = 1_000  # times an epoch; every copy of a clip is drawn one by one
# By what is tuned: what the guides of transformers and of peft take for a Whisper.
RATES = {"full": 1e-5, "decoder": 1e-5, "lora": 1e-3}
PROVENANCE = "provenance"  # a table of training.toml that tells, and is not read back


def _option(default: Any, text: str, choices: tuple[str, ...] = ()) -> Any:
    return field(default=default, metadata={"help": text, "choices": choices})


@dataclass(frozen=True, slots=True)
class Mixed:
    """A further training dataset.

    Each of its clips is seen `weight` times an epoch: with 0.5 half of them, other ones in each
    epoch. `language` is the code of its labels' language token; it is not scored on.
    """

    name: str
    weight: float
    language: str = LANGUAGE

    def __post_init__(self) -> None:
        object.__setattr__(self, "weight", float(self.weight))  # 1 and 1.0 are one configuration
        if not 0 < self.weight <= HEAVIEST:
            raise UserError(
                f"mix {self.name}: the weight is {self.weight}: give more than 0 and at most "
                f"{HEAVIEST}"
            )

    @classmethod
    def parse(cls, text: str) -> Mixed:
        """NAME=WEIGHT or NAME=WEIGHT:LANGUAGE, as it is typed on the command line."""
        name, _, rest = text.rpartition("=")
        weight, _, language = rest.partition(":")
        try:
            return cls(name, float(weight), language or LANGUAGE)
        except ValueError:
            raise UserError(f"mix {text}: give NAME=WEIGHT or NAME=WEIGHT:LANGUAGE") from None

    def toml(self) -> str:
        """A line of the table [mix]."""
        value: Any = self.weight
        if self.language != LANGUAGE:
            value = {"weight": self.weight, "language": self.language}
        return f"{json.dumps(self.name, ensure_ascii=False)} = {_value(value)}"


@dataclass(frozen=True, kw_only=True)
class Config:
    """One training run. Names that may be a Hub id take @revision, and so does training.toml.

    Raises UserError for a value that makes no sense.
    """

    dataset: str = _option("", "Hub id or folder of a dataset built by khmer-aligned.")
    mix: tuple[Mixed, ...] = _option(
        (), "Also learn from NAME, each clip WEIGHT times an epoch: NAME=WEIGHT[:LANGUAGE]."
    )
    streaming: bool = _option(False, "Read the clips as they are needed; nothing is put on disk.")
    model: str = _option("openai/whisper-small", "Any multilingual Whisper, by Hub id or folder.")
    text: str = _option(
        "text", "Learn the written form, or numbers and signs as words.", ("text", "spoken")
    )
    seed: int = _option(42, "Of the order of the clips and of everything drawn.")

    epochs: float = _option(3.0, "Passes over the training clips.")
    max_steps: int = _option(0, "Optimizer steps; above 0 it decides instead of epochs.")
    batch_size: int = _option(16, "Clips at a time on each device.")
    accumulation: int = _option(1, "Batches before a step: the same result in less memory.")
    learning_rate: float = _option(
        0.0, "At its highest; it rises, then falls to 0. 0 for 1e-5, with --tune lora 1e-3."
    )
    warmup: float = _option(0.1, "Share of the steps in which the learning rate rises.")
    weight_decay: float = _option(0.0, "AdamW's.")
    max_grad_norm: float = _option(1.0, "Longer gradients are scaled down to it.")

    tune: str = _option(
        "full", "All weights, all but the encoder's, or adapters.", ("full", "decoder", "lora")
    )
    lora_rank: int = _option(32, "Of the adapters; they are merged into the weights at the end.")
    gradient_checkpointing: bool = _option(False, "A third slower in a fraction of the memory.")
    compile: bool = _option(False, "Run the model through torch.compile.")

    timestamps: float = _option(0.0, "Share of examples whose labels carry timestamps.")
    previous_text: float = _option(0.0, "Share of examples that are told what was said before.")
    join: float = _option(0.0, "Share of examples joined with the clips that follow them.")
    spec_augment: bool = _option(False, "Mask stretches of time and frequency while training.")
    augment: float = _option(0.0, "Share of examples with changed speed, noise and gain.")

    evaluate_every: int = _option(0, "Steps; 0 for an epoch or 500 steps, whichever is less.")
    patience: int = _option(0, "Evaluations without a lower CER before stopping; 0 for never.")
    workers: int = _option(-1, "Processes that read clips ahead; -1 for what a GPU asks for.")
    trackers: tuple[str, ...] = _option((), "Beside TensorBoard: wandb, mlflow, ...")

    def __post_init__(self) -> None:
        if not self.dataset:
            raise UserError("no dataset is named: give a Hub id or a folder")
        for option in fields(self):
            value, choices = getattr(self, option.name), option.metadata["choices"]
            if choices and value not in choices:
                raise UserError(f"{option.name} is {value!r}: choose {' or '.join(choices)}")
            if option.type == "float":  # 3 and 3.0 are one configuration
                object.__setattr__(self, option.name, float(value))
                if not math.isfinite(value):
                    raise UserError(f"{option.name} is {value}: give a number")
        if not 0 <= self.seed < 2**32:
            raise UserError(f"seed is {self.seed}: give 0 to {2**32 - 1}")
        if self.learning_rate == 0:
            object.__setattr__(self, "learning_rate", RATES[self.tune])
        for name in ("timestamps", "previous_text", "join", "augment"):
            if not 0 <= getattr(self, name) <= 1:
                raise UserError(f"{name} is {getattr(self, name)}: give a share from 0 to 1")
        if not 0 <= self.warmup < 1:
            raise UserError(f"warmup is {self.warmup}: give a share from 0 to below 1")
        for name in ("batch_size", "accumulation", "lora_rank"):
            if getattr(self, name) < 1:
                raise UserError(f"{name} is {getattr(self, name)}: give 1 or more")
        for name in ("max_steps", "evaluate_every", "patience", "weight_decay"):
            if getattr(self, name) < 0:
                raise UserError(f"{name} is {getattr(self, name)}: give 0 or more")
        if self.workers < -1:
            raise UserError(f"workers is {self.workers}: give -1 or more")
        for name in ("epochs", "learning_rate", "max_grad_norm"):
            if getattr(self, name) <= 0:
                raise UserError(f"{name} is {getattr(self, name)}: give more than 0")
        seen = set()
        for name in (self.dataset, *(mixed.name for mixed in self.mix)):
            found = Path(name).resolve() if Path(name).is_dir() else name
            if found in seen:
                raise UserError(f"{name} is named twice: once is enough, with a weight")
            seen.add(found)
        if self.streaming:
            self._check_streaming()

    def _check_streaming(self) -> None:
        if not self.max_steps:
            raise UserError("a stream has no end: give max_steps with streaming")
        for name in ("join", "previous_text"):
            if getattr(self, name):
                raise UserError(
                    f"{name} needs a clip's neighbours, which a stream does not have at hand: "
                    f"leave out {name} or streaming"
                )

    @classmethod
    def read(cls, path: Path, **overrides: Any) -> Config:
        """The configuration in a TOML file, with `overrides` before it.

        A training.toml that a run has written trains the same again.
        """
        try:
            table = tomllib.loads(path.read_text(encoding="utf-8-sig"))
        except OSError as error:
            raise UserError(f"{path}: cannot be read ({error.strerror})") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise UserError(f"{path}: is not TOML ({error})") from error
        table.pop(PROVENANCE, None)
        return cls.of(table | overrides, where=str(path))

    @classmethod
    def of(cls, table: dict[str, Any], where: str = "configuration") -> Config:
        """A configuration from a table; unknown keys and wrong types are errors."""
        known = {option.name: str(option.type) for option in fields(cls)}
        typed = {}
        for key, value in table.items():
            if key not in known:
                near = get_close_matches(key.replace("-", "_"), known, n=1) or sorted(known)
                raise UserError(f"{where}: unknown key {key!r}; known: {', '.join(near)}")
            typed[key] = (
                _mixed(where, value) if key == "mix" else _typed(where, key, value, known[key])
            )
        return cls(**typed)

    def with_(self, **changes: Any) -> Config:
        """The same run with some values changed."""
        return replace(self, **changes)

    def toml(self, provenance: dict[str, Any] | None = None) -> str:
        """TOML that `read` takes; `provenance` goes into a table of its own."""
        lines = [
            f"{option.name} = {_value(getattr(self, option.name))}"
            for option in fields(self)
            if option.name != "mix"
        ]
        if self.mix:
            lines += ["", "[mix]", *(mixed.toml() for mixed in self.mix)]
        if provenance:
            lines += ["", f"[{PROVENANCE}]"]
            lines += [f"{key} = {_value(value)}" for key, value in provenance.items()]
        return "\n".join(lines) + "\n"


def _mixed(where: str, value: Any) -> tuple[Mixed, ...]:
    """The table [mix], or what the command line gives in its place."""
    if isinstance(value, tuple):
        return value
    if not isinstance(value, Mapping):
        raise UserError(f'{where}: mix = {value!r} is not a table of "NAME" = WEIGHT')
    found = []
    for name, settings in value.items():
        table = settings if isinstance(settings, Mapping) else {"weight": settings}
        weight, language = table.get("weight"), table.get("language", LANGUAGE)
        unknown = set(table) - {"weight", "language"}
        if unknown or type(weight) not in (int, float) or not isinstance(language, str):
            raise UserError(
                f"{where}: mix {name!r} = {settings!r}: give a weight, or "
                '{weight = 0.1, language = "th"}'
            )
        found.append(Mixed(name, weight, language))
    return tuple(found)


def _typed(where: str, key: str, value: Any, kind: str) -> Any:
    if kind == "float" and type(value) is int:
        return float(value)
    if kind == "tuple[str, ...]":
        if isinstance(value, (list, tuple)) and all(isinstance(v, str) for v in value):
            return tuple(value)
    elif type(value).__name__ == kind:
        return value
    kind = {"tuple[str, ...]": 'list of strings, as in ["wandb"]'}.get(kind, kind)
    raise UserError(f"{where}: {key} = {value!r} is not a {kind}")


def _value(value: Any) -> str:
    """A TOML value. JSON's strings, numbers, booleans and flat lists are TOML's too."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_value(k)} = {_value(v)}" for k, v in value.items()) + "}"
    return json.dumps(value, ensure_ascii=False)
