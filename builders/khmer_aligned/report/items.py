"""The clips and rejections of a built folder, without their audio."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from khmer_aligned.dataset.statistics import shards_of
from khmer_aligned.recordings.corrections import CLIP, REJECTION
from khmer_aligned.schema import SPLITS

_COLUMNS = ["id", "text", "spoken", "duration", "score", "recording", "speaker", "start", "end"]
_NUMBER = len("-00000")  # what a clip's id has behind its recording's


@dataclass(frozen=True, slots=True)
class Place:
    """Where a clip stands: the row of a parquet file."""

    shard: Path
    row: int


@dataclass(frozen=True, slots=True)
class Item:
    """A clip or a rejection: what can be listened to and judged.

    key: of a clip its id; of a rejection its recording's id and its seconds. recording_id: of the
    Recording. start, end: seconds in the file, None where nothing could be timed. span: characters
    of the Recording's text in the build, where they are known.
    """

    key: str
    kind: str  # CLIP or REJECTION
    recording_id: str
    recording: str
    text: str
    start: float | None
    end: float | None
    speaker: str | None = None
    split: str | None = None
    spoken: str = ""
    score: float | None = None
    reason: str = ""
    path: str = ""
    figures: dict[str, Any] = field(default_factory=dict)
    span: tuple[int, int] | None = None
    place: Place | None = None

    @property
    def seconds(self) -> float:
        """The length of its audio."""
        return (self.end or 0.0) - (self.start or 0.0)


def read_items(folder: Path) -> list[Item]:
    """The clips of a built folder, split by split, then its rejections."""
    return [*_clips(folder), *_rejections(folder)]


def _clips(folder: Path) -> Iterator[Item]:
    for split in SPLITS:
        for shard in shards_of(folder, split):
            for number, row in enumerate(pq.read_table(shard, columns=_COLUMNS).to_pylist()):
                yield Item(
                    key=row["id"],
                    kind=CLIP,
                    recording_id=row["id"][:-_NUMBER],
                    recording=row["recording"],
                    text=row["text"],
                    start=row["start"],
                    end=row["end"],
                    speaker=row["speaker"],
                    split=split,
                    spoken=row["spoken"],
                    score=row["score"],
                    place=Place(shard, number),
                )


def _rejections(folder: Path) -> Iterator[Item]:
    with (folder / "rejected.jsonl").open(encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            id, start, end = row.get("id", row["recording"]), row["start"], row["end"]
            yield Item(
                key=id if start is None else f"{id}@{start:.2f}-{end:.2f}",
                kind=REJECTION,
                recording_id=id,
                recording=row["recording"],
                text=row["text"],
                start=start,
                end=end,
                reason=row["reason"],
                path=row.get("path", ""),
                figures=row["figures"],
                span=tuple(row["span"]) if "span" in row else None,
            )


def read_clip(place: Place, columns: tuple[str, ...] | None = None) -> dict[str, Any]:
    """The row of a clip, with its words and its FLAC; of some columns where they are named."""
    row = place.row
    metadata = _open(place.shard).metadata
    for group in range(metadata.num_row_groups):
        count = metadata.row_group(group).num_rows
        if row < count:
            read = _read_group if columns is None else _read_columns
            result: dict[str, Any] = read(place.shard, group, columns).slice(row, 1).to_pylist()[0]
            return result
        row -= count
    raise IndexError(f"{place.shard} has no row {place.row}")


@lru_cache(maxsize=64)
def _open(shard: Path) -> pq.ParquetFile:
    return pq.ParquetFile(shard)


@lru_cache(maxsize=4)  # with audio
def _read_group(shard: Path, group: int, columns: tuple[str, ...] | None) -> pa.Table:
    return _open(shard).read_row_group(group)


@lru_cache(maxsize=256)
def _read_columns(shard: Path, group: int, columns: tuple[str, ...] | None) -> pa.Table:
    return _open(shard).read_row_group(group, columns=list(columns or ()))
