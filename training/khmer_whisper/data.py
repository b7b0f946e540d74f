"""A built dataset to training examples, each a function of seed, epoch and clip alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from datasets import Audio, Dataset, DatasetDict, load_dataset
from datasets.exceptions import DataFilesNotFoundError, DatasetNotFoundError
from tqdm import tqdm

from khmer_aligned import audio
from khmer_aligned.hub import Source, resolve
from khmer_aligned.schema import CLIP_FEATURES, SAMPLE_RATE, UserError
from khmer_whisper.collate import Example
from khmer_whisper.config import Config
from khmer_whisper.model import Whisper


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A clip that this model cannot learn from, whole; it is listed and never cut."""

    id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Splits:
    """A dataset pinned to a revision; each split may be missing."""

    source: Source
    splits: dict[str, Dataset]

    def get(self, name: str) -> Dataset | None:
        """The split's rows, or None; audio stays encoded."""
        return self.splits.get(name)


def load(name: str) -> Splits:
    """The dataset at a Hub id (with @revision) or in a folder, with the columns of a clip.

    Raises UserError when it cannot be loaded or a column is missing.
    """
    source = resolve(name, "dataset")
    options = {"revision": source.revision} if source.revision else {}
    try:
        loaded: DatasetDict = load_dataset(source.path, **options)
    except (DatasetNotFoundError, DataFilesNotFoundError, FileNotFoundError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{name}: cannot be loaded as a dataset: {reason}") from error
    splits = {}
    for split, rows in loaded.items():
        missing = [column for column in CLIP_FEATURES if column not in rows.column_names]
        if missing:
            raise UserError(
                f"{name}: the {split} split has no column {', '.join(missing)}; build a dataset "
                "with `khmer-aligned build` first"
            )
        splits[str(split)] = rows.cast_column("audio", Audio(decode=False))
    return Splits(source, splits)


def waveform(row: dict[str, Any]) -> np.ndarray:
    """A row's samples (n,), mono float32 at 16 kHz. Raises UserError when they cannot be read."""
    return audio.load(row["audio"]["bytes"], name=f"clip {row['id']}")


def fitting(rows: Dataset, whisper: Whisper, text: str | None) -> tuple[Dataset, list[LeftOut]]:
    """The rows that fit the model's window and its decoder, and those that do not.

    `text` is the column to be learned; None where nothing is, and only the window counts. No
    audio is decoded for it.
    """
    kept, left_out = [], []
    batch = 1_000
    columns = rows.select_columns(["id", "duration", *([text] if text else [])])
    with tqdm(total=len(rows), desc="measuring clips", unit="clip", delay=2) as progress:
        for start in range(0, len(rows), batch):
            part = columns[start : start + batch]
            tokens = [0] * len(part["id"])
            if text:  # the end token is not read by the decoder
                tokens = [len(ids) - 1 for ids in whisper.tokenizer(part[text]).input_ids]
            measured = zip(part["id"], part["duration"], tokens, strict=True)
            for index, (clip, seconds, count) in enumerate(measured, start):
                reason = _too_long(seconds, count, whisper)
                if reason:
                    left_out.append(LeftOut(clip, reason))
                else:
                    kept.append(index)
            progress.update(len(part["id"]))
    return (rows.select(kept) if left_out else rows), left_out


def _too_long(seconds: float, tokens: int, whisper: Whisper) -> str | None:
    if round(seconds * SAMPLE_RATE) > whisper.extractor.n_samples:
        return f"{seconds:.2f} s of audio, over the model's {whisper.seconds:g} s"
    if tokens > whisper.max_tokens:
        return f"{tokens} label tokens, over the model's {whisper.max_tokens}"
    return None


class Clips(torch.utils.data.Dataset):
    """Training examples by key: epoch * len + index, as `Epochs` draws them."""

    def __init__(self, rows: Dataset, whisper: Whisper, config: Config) -> None:
        self.rows = rows
        self.labeller = whisper.labeller
        self.text = config.text

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def mean_seconds(self) -> float:
        """Of a clip."""
        return float(np.mean(self.rows["duration"]))

    @property
    def usual_seconds(self) -> float:
        """As long as 95 % of the clips, or shorter."""
        return round(float(np.percentile(self.rows["duration"], 95)), 2)

    def __getitem__(self, key: int) -> Example:
        row = self.rows[key % len(self)]
        return Example(waveform(row), self.labeller.plain(row[self.text]))


class Epochs(torch.utils.data.Sampler):
    """Keys of `Clips`, in an order drawn anew from the seed in each epoch.

    The Trainer's own sampler draws from the global generator, and so from all that ran before:
    a run that was killed and resumed would see other orders. `epoch` is set before each pass.
    """

    def __init__(self, size: int, seed: int) -> None:
        self.size = size
        self.seed = seed
        self.epoch = 0

    def __len__(self) -> int:
        return self.size

    def __iter__(self) -> Iterator[int]:
        order = np.random.default_rng([self.seed, self.epoch]).permutation(self.size)
        yield from (self.epoch * self.size + order).tolist()
