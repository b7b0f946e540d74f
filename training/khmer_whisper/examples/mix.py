"""One dataset or several with weights: which clips an epoch holds, each an example by its key."""

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
from khmer_whisper.examples.data import Fitting
from khmer_whisper.examples.make import Maker, Row
from khmer_whisper.model import Whisper

MAX_PAUSE = 1.0  # seconds between clips of which one goes on where the other ended


@dataclass(frozen=True, slots=True)
class Part:
    """The training clips of one dataset, each seen `weight` times an epoch.

    Raises UserError when that gives no clip at all.
    """

    name: str
    fitting: Fitting
    weight: float = 1.0
    language: str = LANGUAGE

    def __post_init__(self) -> None:
        if round(self.weight * len(self.fitting)) == 0:
            raise UserError(
                f"{self.name}: a weight of {self.weight:g} gives none of its {len(self.fitting)} "
                "clips that fit the model; give more"
            )


class Key(NamedTuple):
    """One example: the clip, counted over all parts, and which of its copies in the epoch."""

    epoch: int
    clip: int
    copy: int = 0


class Figures:
    """How much there is to learn from; the first of `parts` is the dataset that is scored on."""

    parts: Sequence[Part]

    @property
    def mean_seconds(self) -> float:
        """Of an example, before anything is joined."""
        seconds = sum(p.weight * float(p.fitting.seconds.sum()) for p in self.parts)
        return seconds / sum(p.weight * len(p.fitting) for p in self.parts)

    @property
    def usual_seconds(self) -> float:
        """As long as 95 % of the scored dataset's clips, or shorter."""
        return round(float(np.percentile(self.parts[0].fitting.seconds, 95)), 2)


class Clips(Figures, torch.utils.data.Dataset):
    """Training examples by `Key`, as `Epochs` draws them.

    What is drawn for an example (timestamps, neighbours, augmentation) is drawn from the seed and
    its key alone: the number of workers, the batch and what was trained before change nothing.
    """

    def __init__(self, parts: Sequence[Part], whisper: Whisper, config: Config) -> None:
        self.parts = parts
        self.config = config
        self.rows: list[Dataset] = [part.fitting.rows for part in parts]
        self.makers = [Maker(whisper, config, part.language) for part in parts]
        self.neighbours = [_neighbours(rows) for rows in self.rows]
        self.starts = np.cumsum([0, *map(len, self.rows)])

    def __len__(self) -> int:
        """Examples of an epoch."""
        return len(self.sampler(self.config))

    def __getitem__(self, key: Key) -> Example:
        part = int(np.searchsorted(self.starts, key.clip, side="right")) - 1
        index = key.clip - int(self.starts[part])
        rows, (before, after) = self.rows[part], self.neighbours[part]
        return self.makers[part].example(
            rows[index],
            np.random.default_rng([self.config.seed, *key]),
            following=_chain(rows, after, index),
            before=lambda: rows[before[index]] if before[index] >= 0 else None,
        )

    def sampler(self, config: Config) -> Epochs:
        """The keys in the order in which they are learned."""
        sizes = [len(rows) for rows in self.rows]
        return Epochs(sizes, [part.weight for part in self.parts], config.seed)


class Epochs(torch.utils.data.Sampler):
    """Keys of `Clips`, drawn and ordered anew from the seed in each epoch.

    A weight's whole part is copies of each clip; its fraction, a share of the clips. The Trainer's
    own sampler draws from the global generator, and so from all that ran before: a run that was
    killed and resumed would see other orders. `epoch` is set before each pass.
    """

    def __init__(self, sizes: Sequence[int], weights: Sequence[float], seed: int) -> None:
        self.sizes = sizes
        self.weights = weights
        self.seed = seed
        self.epoch = 0

    def __len__(self) -> int:
        return sum(int(w) * n + _share(w, n) for w, n in zip(self.weights, self.sizes, strict=True))

    def __iter__(self) -> Iterator[Key]:
        draw = np.random.default_rng([self.seed, self.epoch])
        clips: list[np.ndarray] = []
        copies: list[np.ndarray] = []
        starts = np.cumsum([0, *self.sizes])
        for first, size, weight in zip(starts, self.sizes, self.weights, strict=False):
            share = _share(weight, size)
            drawn = [np.arange(size)] * int(weight)
            drawn += [draw.permutation(size)[:share]] if share else []
            clips += [first + clip for clip in drawn]
            copies += [np.full(len(clip), copy) for copy, clip in enumerate(drawn)]
        clip, copy = np.concatenate(clips), np.concatenate(copies)
        for i in draw.permutation(len(clip)):
            yield Key(self.epoch, int(clip[i]), int(copy[i]))


def _share(weight: float, size: int) -> int:
    """Clips of the fractional part of a weight."""
    return round(weight % 1 * size)


def _chain(rows: Dataset, after: list[int], index: int) -> Iterator[Row]:
    while (index := after[index]) >= 0:
        yield rows[index]


def _neighbours(rows: Dataset) -> tuple[list[int], list[int]]:
    """For each row the one before and the one after it in its recording; -1 where none is near."""
    columns = rows.select_columns(["recording", "start", "end"])[:]
    order = sorted(range(len(rows)), key=lambda i: (columns["recording"][i], columns["start"][i]))
    before, after = [-1] * len(rows), [-1] * len(rows)
    for first, second in pairwise(order):
        pause = columns["start"][second] - columns["end"][first]
        same = columns["recording"][first] == columns["recording"][second]
        if same and 0 <= pause <= MAX_PAUSE:
            after[first], before[second] = second, first
    return before, after
