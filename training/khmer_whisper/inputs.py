"""Everything that a training starts from: model and datasets, pinned, loaded and checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from accelerate import PartialState
from tqdm import tqdm

from khmer_aligned.errors import UserError
from khmer_whisper import model as models
from khmer_whisper.config import Config, Mixed
from khmer_whisper.evaluation import choose_scored_split, compare_versions
from khmer_whisper.examples import data
from khmer_whisper.examples.data import Splits
from khmer_whisper.examples.fitting import select_fitting
from khmer_whisper.examples.mix import Clips, Part
from khmer_whisper.examples.rows import Rows
from khmer_whisper.examples.stream import StreamedClips, TrainingClips
from khmer_whisper.model import Whisper


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a training starts from. The parts of `clips` are those of `splits`, then of `mixed`."""

    config: Config  # with every name pinned to a revision
    whisper: Whisper  # the base model
    splits: Splits  # the dataset that is learned from and scored on
    mixed: list[Splits]
    clips: TrainingClips
    validation: Rows | None  # the clips that choose the checkpoint
    scored_split: str
    extended_from: str | None  # the model before new entries that are still to be learned

    @property
    def datasets(self) -> list[Splits]:
        return [self.splits, *self.mixed]


def load_inputs(config: Config) -> Inputs:
    """Load model and datasets. Raises UserError when there is nothing to learn from or score on."""
    splits = data.load(config.dataset, streaming=config.streaming)
    mixed = [
        # It is learned from and never scored on.
        data.load(part.name, streaming=config.streaming, language=part.language, only_train=True)
        for part in config.mix
    ]
    whisper = models.load(config.model)
    pinned = _pin(config, splits, mixed, whisper)
    _check_rows(config, whisper)
    clips = _training_clips([splits, *mixed], whisper, pinned)
    scored_split = choose_scored_split(splits)
    validation = _validation_rows(splits, whisper)
    if config.patience and validation is None:
        raise UserError("--patience needs a validation split to watch: leave it out")
    base = _extended_from(whisper)
    return Inputs(pinned, whisper, splits, mixed, clips, validation, scored_split, base)


def _check_rows(config: Config, whisper: Whisper) -> None:
    if config.warm_rows and not whisper.khmer_vocabulary:
        raise UserError(f"--warm-rows: {config.model} has no new tokens; see khmer-whisper extend")
    if config.tune == "lora" and not config.warm_rows and _extended_from(whisper):
        raise UserError(
            f"--tune lora never learns the new tokens of {config.model}: give --warm-rows 500"
        )


def _extended_from(whisper: Whisper) -> str | None:
    """The model that an extended one was made from; None once it has been trained."""
    if whisper.khmer_vocabulary is None or whisper.clip_seconds is not None:
        return None
    return str(whisper.khmer_vocabulary["base"])


def check_provenance(inputs: Inputs, expected: Mapping[str, Any]) -> None:
    """Raises UserError where a model's training.toml names another dataset, base or library."""
    if differences := compare_provenance(inputs, expected):
        raise UserError(
            f"{'; '.join(differences)}: the result would be another model. Give "
            "--allow-differences to train all the same"
        )


def compare_provenance(inputs: Inputs, expected: Mapping[str, Any]) -> list[str]:
    """What differs from the provenance of a training.toml; [] for an empty one."""
    pairs = [
        ("the dataset", expected.get("dataset_version"), inputs.splits.source.version),
        ("the base model", expected.get("model_version"), inputs.whisper.source.version),
    ]
    mixed = [part.get("dataset_version") for part in expected.get("mix", {}).values()]
    if expected:
        now = [splits.source.version for splits in inputs.mixed]
        pairs.append(("the mixed datasets", ", ".join(map(str, mixed)), ", ".join(now)))
    differences = [
        f"{name} was {_short(before)} and is {_short(now)} here"
        for name, before, now in pairs
        if before is not None and before != now
    ]
    return differences + compare_versions(expected.get("versions", {}))


def _short(version: str) -> str:
    return version[:19] or "none"


def _pin(config: Config, splits: Splits, mixed: list[Splits], whisper: Whisper) -> Config:
    mix = tuple(
        replace(part, name=dataset.source.pinned)
        for part, dataset in zip(config.mix, mixed, strict=True)
    )
    return replace(config, dataset=splits.source.pinned, mix=mix, model=whisper.source.pinned)


def _training_clips(datasets: list[Splits], whisper: Whisper, config: Config) -> TrainingClips:
    """The training clips that fit the model; the others are shown."""
    parts = []
    for splits, mixed in zip(datasets, [Mixed(config.dataset, 1.0), *config.mix], strict=True):
        if splits.get("train") is None:
            raise UserError(f"{mixed.name}: has no train split")
        fitting = select_fitting(splits, "train", whisper, config.text)
        if PartialState().is_main_process:
            for clip in fitting.left_out:
                tqdm.write(f"left out of training: {clip.id}: {clip.reason}")
        if len(fitting) == 0:
            reason = fitting.left_out[0].reason if fitting.left_out else "the train split is empty"
            raise UserError(f"{mixed.name}: nothing for {config.model} to learn from: {reason}")
        parts.append(Part(mixed.name, fitting, mixed.weight, mixed.language))
    if config.streaming:
        return StreamedClips(parts, whisper, config)
    return Clips(parts, whisper, config)


def _validation_rows(splits: Splits, whisper: Whisper) -> Rows | None:
    if splits.get("validation") is None:
        return None
    fitting = select_fitting(splits, "validation", whisper, text=None)
    return fitting.rows if len(fitting) else None
