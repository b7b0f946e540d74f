"""The configuration of a training run: one frozen dataclass, read from TOML and written back."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import tomli_w

from khmer_aligned.errors import UserError
from khmer_aligned.options import check_options, option

LANGUAGE = "km"
MAX_WEIGHT = 1_000  # copies of a clip in an epoch; each copy is drawn one by one
# Learning rates by what is tuned, as in the guides of transformers and of peft for Whisper.
LEARNING_RATES = {"full": 1e-5, "decoder": 1e-5, "lora": 1e-3}
PROVENANCE = "provenance"  # the table of training.toml that `Config.read` skips


@dataclass(frozen=True, slots=True)
class Mixed:
    """A further training dataset, which is not scored on.

    Each of its clips is seen `weight` times an epoch: with 0.5 a different half of the clips in
    each epoch. `language` is the code of the language label in its examples.
    """

    name: str
    weight: float
    language: str = LANGUAGE

    def __post_init__(self) -> None:
        object.__setattr__(self, "weight", float(self.weight))  # 1 and 1.0 are one configuration
        if not 0 < self.weight <= MAX_WEIGHT:
            raise UserError(
                f"mix {self.name}: the weight is {self.weight}: give more than 0 and at most "
                f"{MAX_WEIGHT}"
            )

    @classmethod
    def parse(cls, text: str) -> Mixed:
        """Parse NAME=WEIGHT or NAME=WEIGHT:LANGUAGE, the form of the command line."""
        name, _, settings = text.rpartition("=")
        weight, _, language = settings.partition(":")
        try:
            return cls(name, float(weight), language or LANGUAGE)
        except ValueError:
            raise UserError(f"mix {text}: give NAME=WEIGHT or NAME=WEIGHT:LANGUAGE") from None


@dataclass(frozen=True, kw_only=True)
class Config:
    """One training run. Names that may be a Hub id take @revision, and so does training.toml.

    Raises UserError for a value out of its bounds and for values that exclude each other.
    """

    dataset: str = ""  # Hub id or folder of a dataset built by khmer-aligned; must be given
    mix: tuple[Mixed, ...] = option(
        (), "Also learn from NAME, each clip WEIGHT times an epoch: NAME=WEIGHT[:LANGUAGE]."
    )
    streaming: bool = option(False, "Read the clips as they are needed; nothing is put on disk.")
    model: str = option("openai/whisper-small", "Any multilingual Whisper, by Hub id or folder.")
    text: str = option(
        "text", "Learn the written form, or numbers and signs as words.", choices=("text", "spoken")
    )
    seed: int = option(
        42,
        "Of the order of the clips and of all random draws.",
        at_least=0,
        at_most=2**32 - 1,
    )

    epochs: float = option(3.0, "Passes over the training clips.", above=0)
    max_steps: int = option(
        0, "Optimizer steps; above 0 they decide instead of epochs.", at_least=0
    )
    batch_size: int = option(16, "Clips at a time on each device.", at_least=1)
    accumulation: int = option(
        1, "Batches before a step: the same result in less memory.", at_least=1
    )
    learning_rate: float = option(
        0.0,
        "The highest learning rate, reached after the warm-up, from where it falls to 0. "
        "0 for 1e-5, with --tune lora 1e-3.",
        at_least=0,
    )
    warmup: float = option(
        0.1, "Share of the steps in which the learning rate rises.", at_least=0, below=1
    )
    weight_decay: float = option(0.0, "Weight decay of AdamW.", at_least=0)
    max_grad_norm: float = option(1.0, "Longer gradients are scaled down to this norm.", above=0)

    tune: str = option(
        "full",
        "Tune all weights, all but the encoder's, or adapters.",
        choices=("full", "decoder", "lora"),
    )
    warm_rows: int = option(
        0,
        "Steps at the beginning in which only the rows of new tokens learn, for a model made by "
        "extend.",
        at_least=0,
    )
    lora_rank: int = option(
        32, "Rank of the adapters, which are merged into the weights at the end.", at_least=1
    )
    gradient_checkpointing: bool = option(False, "A third slower in a fraction of the memory.")
    compile: bool = option(False, "Run the model through torch.compile.")

    timestamps: float = option(
        0.0, "Share of examples with timestamps in their labels.", at_least=0, at_most=1
    )
    previous_text: float = option(
        0.0, "Share of examples prompted with the text of the clip before.", at_least=0, at_most=1
    )
    join: float = option(
        0.0, "Share of examples joined with the clips that follow them.", at_least=0, at_most=1
    )
    spec_augment: bool = option(False, "Mask stretches of time and frequency while training.")
    augment: float = option(
        0.0, "Share of examples with changed speed, noise and gain.", at_least=0, at_most=1
    )

    evaluate_every: int = option(
        0, "Steps between evaluations; 0 for an epoch or 500 steps, the smaller.", at_least=0
    )
    patience: int = option(
        0, "Evaluations without a lower CER before stopping; 0 for never.", at_least=0
    )
    workers: int = option(
        -1,
        "Processes that read clips ahead; -1 for up to 8 with a GPU, none without.",
        at_least=-1,
    )
    trackers: tuple[str, ...] = option((), "Trackers beside TensorBoard: wandb, mlflow, ...")

    def __post_init__(self) -> None:
        if not self.dataset:
            raise UserError("no dataset is named: give a Hub id or a folder")
        check_options(self)
        if self.learning_rate == 0:
            object.__setattr__(self, "learning_rate", LEARNING_RATES[self.tune])
        self._check_names()
        if self.streaming:
            self._check_streaming()

    def _check_names(self) -> None:
        """Raises UserError for a dataset that is named twice, by one path or by two."""
        seen = set()
        for name in (self.dataset, *(mixed.name for mixed in self.mix)):
            identity = Path(name).resolve() if Path(name).is_dir() else name
            if identity in seen:
                raise UserError(f"{name} is named twice: name it once, with a weight")
            seen.add(identity)

    def _check_streaming(self) -> None:
        if not self.max_steps:
            raise UserError("a stream has no end: give --max-steps with --streaming")
        for field in ("join", "previous_text"):
            if getattr(self, field):
                name = "--" + field.replace("_", "-")
                raise UserError(
                    f"{name} needs a clip's neighbours, which a stream does not have at hand: "
                    f"leave out {name} or --streaming"
                )

    @classmethod
    def read(cls, path: Path, **overrides: Any) -> Config:
        """Read a TOML file; `overrides` replace its values.

        The training.toml of a trained model gives the configuration of its training.
        """
        return cls.of(read_table(path) | overrides, where=str(path))

    @classmethod
    def of(cls, table: Mapping[str, Any], where: str = "configuration") -> Config:
        """Make a configuration of a table. Raises UserError for unknown keys and wrong types."""
        return cls(**read_values(cls, table, where, mix=_read_mix))

    @staticmethod
    def read_provenance(path: Path) -> dict[str, Any]:
        """What the training.toml of a model says that it was trained with; {} for another file."""
        table = tomllib.loads(path.read_text(encoding="utf-8-sig"))
        provenance = table.get(PROVENANCE, {})
        return provenance if isinstance(provenance, dict) else {}

    def toml(self, provenance: Mapping[str, Any] | None = None) -> str:
        """Write TOML that `read` takes; `provenance` goes into a table that `read` skips."""
        table: dict[str, Any] = {
            field.name: getattr(self, field.name) for field in fields(self) if field.name != "mix"
        }
        if self.mix:  # tables alone: next to plain weights TOML would change their order
            table["mix"] = {
                mixed.name: {"weight": mixed.weight, "language": mixed.language}
                for mixed in self.mix
            }
        if provenance:
            table[PROVENANCE] = provenance
        return tomli_w.dumps(table)


def read_table(path: Path) -> dict[str, Any]:
    """The configuration in a TOML file, without its provenance."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: is not TOML ({error})") from error
    table.pop(PROVENANCE, None)
    return table


def read_values(
    config: type,
    table: Mapping[str, Any],
    where: str,
    **readers: Callable[[str, Any], Any],
) -> dict[str, Any]:
    """The values of a dataclass's fields in a table. `readers` read fields of types of their own.

    Raises UserError for unknown keys and wrong types.
    """
    types = {field.name: str(field.type) for field in fields(config)}
    values: dict[str, Any] = {}
    for key, value in table.items():
        if key not in types:
            near = get_close_matches(key.replace("-", "_"), types, n=1) or sorted(types)
            raise UserError(f"{where}: unknown key {key!r}; known: {', '.join(near)}")
        if key in readers:
            values[key] = readers[key](where, value)
        else:
            values[key] = _read_value(where, key, value, types[key])
    return values


def _read_mix(where: str, value: Any) -> tuple[Mixed, ...]:
    """The table [mix] of NAME = WEIGHT or NAME = {weight, language}, or `Mixed` as they are."""
    if isinstance(value, tuple):
        return value
    if not isinstance(value, Mapping):
        raise UserError(f'{where}: mix = {value!r} is not a table of "NAME" = WEIGHT')
    mix = []
    for name, settings in value.items():
        table = settings if isinstance(settings, Mapping) else {"weight": settings}
        weight, language = table.get("weight"), table.get("language", LANGUAGE)
        if (
            set(table) - {"weight", "language"}
            or not isinstance(weight, (int, float))
            or isinstance(weight, bool)
            or not isinstance(language, str)
        ):
            raise UserError(
                f"{where}: mix {name!r} = {settings!r}: give a weight, or "
                '{weight = 0.1, language = "th"}'
            )
        mix.append(Mixed(name, weight, language))
    return tuple(mix)


def _read_value(where: str, key: str, value: Any, kind: str) -> Any:
    """`value` if it is of the field's type. A whole number may stand for a float."""
    if kind == "float" and type(value) is int:
        return float(value)
    if kind == "tuple[str, ...]":
        if isinstance(value, (list, tuple)) and all(isinstance(v, str) for v in value):
            return tuple(value)
    elif type(value).__name__ == kind:
        return value
    words = {"tuple[str, ...]": 'a list of strings, as in ["wandb"]', "int": "a whole number"}
    raise UserError(f"{where}: {key} = {value!r} is not {words.get(kind, f'a {kind}')}")
