"""The files of a published model that say what it is, and the dataset that they name."""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from khmer_aligned.errors import UserError
from khmer_aligned.hub.resolve import FOLDER_VERSION, Source, fetch, resolve
from khmer_whisper.card import EVAL_RESULTS
from khmer_whisper.config import PROVENANCE, Config
from khmer_whisper.examples import data
from khmer_whisper.examples.data import Splits

Table = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Published:
    """A model at a revision, or in a folder, as its own files describe it."""

    source: Source
    metrics: Table  # metrics.json
    training: Table  # training.toml
    predictions: list[Table]  # the rows of predictions.jsonl
    card: Path
    eval_results: str  # "" where there are none

    @property
    def provenance(self) -> Table:
        """What training.toml says of how it was trained."""
        provenance: Table = self.training[PROVENANCE]
        return provenance

    @property
    def split(self) -> str:
        """The split that it was scored on."""
        split: str = self.metrics["dataset"]["split"]
        return split


def load_published(name: str) -> Published:
    """Read the files of a model by Hub id (with @revision) or folder; its weights are not read.

    Raises UserError where one is missing or broken.
    """
    source = resolve(name, "model")
    texts = {}
    for file in ("metrics.json", "training.toml", "predictions.jsonl", "README.md"):
        path = fetch(source, file)
        if path is None:
            raise UserError(f"{name}: has no {file}: it was not trained by khmer-whisper train")
        texts[file] = path
    results = fetch(source, EVAL_RESULTS)
    try:
        published = Published(
            source=source,
            metrics=json.loads(_read(texts["metrics.json"])),
            training=tomllib.loads(_read(texts["training.toml"])),
            predictions=[
                json.loads(line)
                for line in _read(texts["predictions.jsonl"]).split("\n")
                if line  # not splitlines: a text may hold a separator of lines or paragraphs
            ],
            card=texts["README.md"],
            eval_results=_read(results) if results else "",
        )
    except ValueError as error:
        raise UserError(f"{name}: one of its files is broken ({error})") from error
    for table, keys in (
        (published.metrics, ("dataset", "models", "difference", "intervals")),
        (published.training, ("dataset", "model", PROVENANCE)),
    ):
        if missing := [key for key in keys if key not in table]:
            raise UserError(f"{name}: its files are of an earlier version: no {missing[0]}")
    return published


def locate(recorded: str, place: str | None, option: str) -> str:
    """Where a dataset or model of training.toml lies: `place` where it is given.

    Raises UserError where it was a folder and no place is given.
    """
    if place is None and FOLDER_VERSION in recorded:
        raise UserError(f"{recorded} was a folder of whoever trained it: name yours with {option}")
    return place or recorded


def load_dataset(published: Published, place: str | None) -> Splits:
    """The dataset that the model was trained and scored on, at its revision or in a folder."""
    return data.load(locate(published.training["dataset"], place, "--dataset"))


def config_of(published: Published, dataset: str | None, base: str | None) -> Config:
    """The configuration of its training. Raises UserError where a folder has to be named."""
    table = {key: value for key, value in published.training.items() if key != PROVENANCE}
    mixed = [name for name in table.get("mix", {}) if FOLDER_VERSION in name]
    if mixed:
        raise UserError(
            f"{mixed[0]} was a folder of whoever trained it: it cannot be trained again"
        )
    places = {
        "dataset": locate(table["dataset"], dataset, "--dataset"),
        "model": locate(table["model"], base, "--base"),
    }
    return Config.of(table | places, where="training.toml")


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")
