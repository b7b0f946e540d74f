"""The published files of clips, made of the shards' own: linked where a shard is wholly of one
split, else rewritten row group by row group."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from khmer_aligned.dataset.outcomes import read_written
from khmer_aligned.dataset.parquet import WrittenFile, write_clips
from khmer_aligned.dataset.state import State
from khmer_aligned.files import fetch, link_file

_FILE_SECONDS = 3 * 3600  # of audio in a published file: about 200 MB
_WRITERS = 4  # files that are written at once


@dataclass(frozen=True)
class Part:
    """The clips of a shard that are published in one split; is_published (m,): by the clip."""

    shard: str
    is_published: np.ndarray
    seconds: float

    @property
    def is_whole(self) -> bool:
        """Whether it is the shard's file as it is."""
        return bool(self.is_published.all())


def write_split(parts: Sequence[Part], split: str, state: State, folder: Path) -> list[WrittenFile]:
    """Write the files of a split into `folder`: what is known of each, in order of their names."""
    files = list(_pack(parts))
    paths = [folder / f"{split}-{i:05d}-of-{len(files):05d}.parquet" for i in range(len(files))]
    with ThreadPoolExecutor(_WRITERS) as writers:
        return list(writers.map(lambda file, path: _write_file(file, state, path), files, paths))


def _pack(parts: Sequence[Part]) -> Iterator[list[Part]]:
    """The parts of each file. A large part that is whole has one for itself, so that it stays as
    it is whatever becomes of its neighbours; small ones are put together."""
    small: list[Part] = []
    for part in parts:
        if part.is_whole and part.seconds >= _FILE_SECONDS / 4:
            yield [part]
            continue
        small.append(part)
        if sum(each.seconds for each in small) >= _FILE_SECONDS / 2:
            yield small
            small = []
    if small:
        yield small


def _write_file(parts: list[Part], state: State, path: Path) -> WrittenFile:
    if len(parts) == 1 and parts[0].is_whole:
        link_file(state.clips(parts[0].shard), path)
        return read_written(state.outcomes(parts[0].shard))
    return write_clips((rows for part in parts for rows in _read_part(part, state)), path)


def _read_part(part: Part, state: State) -> Iterator[pa.Table]:
    """The published rows of a shard, a row group at a time."""
    with fetch(state.clips(part.shard)) as clips, pq.ParquetFile(clips) as file:
        begin = 0
        for i in range(file.num_row_groups):
            count = file.metadata.row_group(i).num_rows
            mask = part.is_published[begin : begin + count]
            if mask.any():
                yield file.read_row_group(i).filter(pa.array(mask))
            begin += count
