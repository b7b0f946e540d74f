"""Which examples an epoch holds and in which order, over one dataset or several with weights."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from datasets import Dataset

from khmer_aligned.errors import UserError
from khmer_whisper.config import LANGUAGE, Config
from khmer_whisper.examples.collate import Example
from khmer_whisper.examples.fitting import Fitting
from khmer_whisper.examples.make import ExampleMaker
from khmer_whisper.examples.rows import Row
from khmer_whisper.model import Whisper

MAX_PAUSE = 1.0  # seconds between two clips of a recording that count as neighbours


@dataclass(frozen=True, slots=True)
class Part:
    """The training clips of one dataset, each seen `weight` times an epoch.

    Raises UserError when the weight leaves no clip at all.
    """

    name: str
    fitting: Fitting
    weight: float = 1.0
    language: str = LANGUAGE

    def __post_init__(self) -> None:
        if round(self.weight * len(self.fitting)) == 0:
            raise UserError(
                f"{self.name}: a weight of {self.weight:g} takes none of its {len(self.fitting)} "
                "clips that fit the model; give a higher one"
            )


class Key(NamedTuple):
    """One example: the clip, counted over all parts, and which of its copies in the epoch."""

    epoch: int
    clip: int
    copy: int = 0


def mean_seconds(parts: Sequence[Part]) -> float:
    """The mean duration of an example, before clips are joined."""
    seconds = sum(p.weight * float(p.fitting.seconds.sum()) for p in parts)
    return seconds / sum(p.weight * len(p.fitting) for p in parts)


class Clips(torch.utils.data.Dataset):
    """Training examples by `Key`, in the order of `Epochs`.

    The random draws of an example (timestamps, neighbours, augmentation) depend on the seed and
    its key alone: not on the workers, the batch or the examples before it.
    """

    def __init__(self, parts: Sequence[Part], whisper: Whisper, config: Config) -> None:
        self.parts = parts
        self.config = config
        self.rows: list[Dataset] = [part.fitting.rows for part in parts]
        self.makers = [ExampleMaker(whisper, config, part.language) for part in parts]
        self.neighbours = [_neighbours(rows) for rows in self.rows]
        self.starts = np.cumsum([0, *map(len, self.rows)])

    def __len__(self) -> int:
        """Examples of an epoch."""
        return len(self.sampler(self.config))

    def __getitem__(self, key: Key) -> Example:
        part = int(np.searchsorted(self.starts, key.clip, side="right")) - 1
        index = key.clip - int(self.starts[part])
        rows, (before, after) = self.rows[part], self.neighbours[part]
        return self.makers[part].make(
            rows[index],
            np.random.default_rng([self.config.seed, *key]),
            following=_following(rows, after, index),
            before=lambda: rows[before[index]] if before[index] >= 0 else None,
        )

    def sampler(self, config: Config) -> Epochs:
        """The keys in training order."""
        sizes = [len(rows) for rows in self.rows]
        return Epochs(sizes, [part.weight for part in self.parts], config.seed)


class Epochs(torch.utils.data.Sampler):
    """Keys of `Clips`, drawn and shuffled by the seed and `epoch`, which is set before each pass.

    The whole part of a weight is copies of each clip; its fraction, a share of the clips. The
    sampler of the Trainer draws from the global generator: after a resume its order would differ.
    """

    def __init__(self, sizes: Sequence[int], weights: Sequence[float], seed: int) -> None:
        self.sizes = sizes
        self.weights = weights
        self.seed = seed
        self.epoch = 0

    def __len__(self) -> int:
        return sum(int(w) * n + _share(w, n) for w, n in zip(self.weights, self.sizes, strict=True))

    def __iter__(self) -> Iterator[Key]:
        generator = np.random.default_rng([self.seed, self.epoch])
        clips: list[np.ndarray] = []
        copies: list[np.ndarray] = []
        starts = np.cumsum([0, *self.sizes])
        for first, size, weight in zip(starts, self.sizes, self.weights, strict=False):
            share = _share(weight, size)
            drawn = [np.arange(size)] * int(weight)
            drawn += [generator.permutation(size)[:share]] if share else []
            clips += [first + clip for clip in drawn]
            copies += [np.full(len(clip), copy) for copy, clip in enumerate(drawn)]
        clip, copy = np.concatenate(clips), np.concatenate(copies)
        for i in generator.permutation(len(clip)):
            yield Key(self.epoch, int(clip[i]), int(copy[i]))


def _share(weight: float, size: int) -> int:
    """How many clips the fraction of a weight takes."""
    return round(weight % 1 * size)


def _following(rows: Dataset, after: list[int], index: int) -> Iterator[Row]:
    """The rows that follow row `index`, each within MAX_PAUSE of the one before."""
    while (index := after[index]) >= 0:
        yield rows[index]


def _neighbours(rows: Dataset) -> tuple[list[int], list[int]]:
    """For each row the indices of the one before and the one after it in its recording, or -1."""
    columns = rows.select_columns(["recording", "start", "end"])[:]
    order = sorted(range(len(rows)), key=lambda i: (columns["recording"][i], columns["start"][i]))
    before, after = [-1] * len(rows), [-1] * len(rows)
    for first, second in pairwise(order):
        pause = columns["start"][second] - columns["end"][first]
        same_recording = columns["recording"][first] == columns["recording"][second]
        if same_recording and 0 <= pause <= MAX_PAUSE:
            after[first], before[second] = second, first
    return before, after
