"""Training clips that are read as they are needed, for datasets larger than the disk.

The sampler alone reads rows and hands their encoded audio to the workers of the data loader, which
decode it. So neither the order nor the examples depend on the workers, and a resumed run skips the
rows before its checkpoint without decoding them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import blake2b
from itertools import count
from typing import NamedTuple, TypeAlias

import numpy as np
import torch
from accelerate import PartialState
from datasets import IterableDataset
from datasets.distributed import split_dataset_by_node

from khmer_aligned.errors import UserError
from khmer_whisper.config import Config
from khmer_whisper.examples.collate import Example
from khmer_whisper.examples.make import ExampleMaker
from khmer_whisper.examples.mix import Clips, Part
from khmer_whisper.examples.rows import Row
from khmer_whisper.model import Whisper

SHUFFLE_BUFFER = 1_000  # rows


class StreamedRow(NamedTuple):
    """A row, and what its random draws depend on beside its id."""

    part: int
    epoch: int  # of its dataset
    row: Row


class StreamedClips(torch.utils.data.Dataset):
    """Training examples by `StreamedRow`.

    The random draws of an example depend on the seed, its dataset, its epoch and its id alone.
    """

    def __init__(self, parts: Sequence[Part], whisper: Whisper, config: Config) -> None:
        self.parts = parts
        self.config = config
        self.makers = [ExampleMaker(whisper, config, part.language) for part in parts]

    def __len__(self) -> int:
        """Examples of an epoch."""
        return round(sum(part.weight * len(part.fitting) for part in self.parts))

    def __getitem__(self, item: StreamedRow) -> Example:
        identity = int.from_bytes(blake2b(item.row["id"].encode(), digest_size=8).digest())
        generator = np.random.default_rng([self.config.seed, item.part, item.epoch, identity])
        return self.makers[item.part].make(item.row, generator)

    def sampler(self, config: Config) -> Stream:
        """The rows in the training order of this process."""
        return Stream(self.parts, config)


class Stream(torch.utils.data.Sampler):
    """Rows for `max_steps` steps, shuffled by the seed anew in each pass through a dataset.

    Shards (row groups of parquet files) are shuffled, and rows in a buffer of SHUFFLE_BUFFER. Of
    several datasets each row is drawn from one by weight and size. Each process reads its own
    shards. accelerate deals batches out to the processes in turn; those for other processes are
    empty here.
    """

    def __init__(self, parts: Sequence[Part], config: Config) -> None:
        self.parts = parts
        self.seed = config.seed
        self.batch_size = config.batch_size
        self.batches = config.max_steps * config.accumulation
        self.epoch = 0  # set by the Trainer; a stream counts its own, by dataset
        state = PartialState()
        self.process, self.processes = state.process_index, state.num_processes

    def __len__(self) -> int:
        return self.batches * self.batch_size * self.processes

    def __iter__(self) -> Iterator[StreamedRow | None]:
        rows = self._rows()
        for _ in range(self.batches):
            for process in range(self.processes):
                for _ in range(self.batch_size):
                    yield next(rows) if process == self.process else None

    def _rows(self) -> Iterator[StreamedRow]:
        weights = np.array([part.weight * len(part.fitting) for part in self.parts])
        readers = [self._read(number) for number in range(len(self.parts))]
        generator = np.random.default_rng([self.seed, self.process])
        while True:
            yield next(readers[generator.choice(len(readers), p=weights / weights.sum())])

    def _read(self, number: int) -> Iterator[StreamedRow]:
        rows: IterableDataset = self.parts[number].fitting.rows.reshard()
        # With more input shards at a time threads would read them, which take seconds to end.
        rows = rows.shuffle(self.seed, buffer_size=SHUFFLE_BUFFER, max_buffer_input_shards=1)
        strategy = "shards" if rows.num_shards >= self.processes else "examples"
        rows = split_dataset_by_node(rows, self.process, self.processes, strategy=strategy)
        for epoch in count():
            rows.set_epoch(epoch)
            row = None
            for row in rows:
                yield StreamedRow(number, epoch, row)
            if row is None:
                raise UserError(
                    f"{self.parts[number].name}: has no clip for one of {self.processes} processes"
                )


TrainingClips: TypeAlias = Clips | StreamedClips
