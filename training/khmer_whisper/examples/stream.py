"""Training clips read as they are needed, for sets larger than the disk.

The sampler reads the rows and is their only reader: it hands encoded audio to the loader's
workers, which decode it. So neither order nor examples depend on the workers, and a run that was
cut off skips what it has learned without decoding it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import blake2b
from itertools import count
from typing import NamedTuple

import numpy as np
import torch
from accelerate import PartialState
from datasets import IterableDataset
from datasets.distributed import split_dataset_by_node

from khmer_aligned.errors import UserError
from khmer_whisper.config import Config
from khmer_whisper.examples.collate import Example
from khmer_whisper.examples.make import Maker, Row
from khmer_whisper.examples.mix import Figures, Part
from khmer_whisper.model import Whisper

SHUFFLED = 1_000  # clips among which the next one is drawn


class Read(NamedTuple):
    """A row as the reader hands it on."""

    part: int
    epoch: int  # of its dataset
    row: Row


class StreamedClips(Figures, torch.utils.data.Dataset):
    """Training examples of rows that come with their keys.

    What is drawn for an example is drawn from the seed, its dataset's epoch and its id.
    """

    def __init__(self, parts: Sequence[Part], whisper: Whisper, config: Config) -> None:
        self.parts = parts
        self.config = config
        self.makers = [Maker(whisper, config, part.language) for part in parts]

    def __len__(self) -> int:
        """Examples of an epoch."""
        return round(sum(part.weight * len(part.fitting) for part in self.parts))

    def __getitem__(self, read: Read) -> Example:
        name = int.from_bytes(blake2b(read.row["id"].encode(), digest_size=8).digest())
        draw = np.random.default_rng([self.config.seed, read.part, read.epoch, name])
        return self.makers[read.part].example(read.row, draw)

    def sampler(self, config: Config) -> Stream:
        """The rows in the order in which they are learned by this process."""
        return Stream(self.parts, config)


class Stream(torch.utils.data.Sampler):
    """Rows for `max_steps` steps, shuffled anew from the seed in each pass through a dataset.

    The shards (a parquet file's row groups) are shuffled, and rows in a buffer of SHUFFLED. With
    several datasets each row's is drawn by weight and size. Each process reads its own shards: of
    the batches, which accelerate deals out in turn, it leaves the others' empty.
    """

    def __init__(self, parts: Sequence[Part], config: Config) -> None:
        self.parts = parts
        self.seed = config.seed
        self.batch_size = config.batch_size
        self.batches = config.max_steps * config.accumulation
        self.epoch = 0  # a stream has one
        state = PartialState()
        self.process, self.processes = state.process_index, state.num_processes

    def __len__(self) -> int:
        return self.batches * self.batch_size * self.processes

    def __iter__(self) -> Iterator[Read | None]:
        rows = self._rows()
        for _ in range(self.batches):
            for process in range(self.processes):
                for _ in range(self.batch_size):
                    yield next(rows) if process == self.process else None

    def _rows(self) -> Iterator[Read]:
        weights = np.array([part.weight * len(part.fitting) for part in self.parts])
        readers = [self._read(number) for number in range(len(self.parts))]
        draw = np.random.default_rng([self.seed, self.process])
        while True:
            yield next(readers[draw.choice(len(readers), p=weights / weights.sum())])

    def _read(self, number: int) -> Iterator[Read]:
        rows: IterableDataset = self.parts[number].fitting.rows.reshard()
        # More input shards at a time are read by threads, which take seconds to end.
        rows = rows.shuffle(self.seed, buffer_size=SHUFFLED, max_buffer_input_shards=1)
        by = "shards" if rows.num_shards >= self.processes else "examples"
        rows = split_dataset_by_node(rows, self.process, self.processes, strategy=by)
        for epoch in count():
            rows.set_epoch(epoch)
            row = None
            for row in rows:
                yield Read(number, epoch, row)
            if row is None:
                raise UserError(
                    f"{self.parts[number].name}: has no clip for one of {self.processes} processes"
                )
