"""Parquet files of clips, written whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from datasets.config import DEFAULT_CDC_OPTIONS

from khmer_aligned.files import replace_whole
from khmer_aligned.hub.folder import sha256
from khmer_aligned.schema import CLIP_FEATURES

_ROW_GROUP = 100  # clips: what a reader of the published files fetches at least


@dataclass(frozen=True)
class WrittenFile:
    """What is known of a file when it is written, so that nobody reads it again."""

    sha256: str
    bytes: int  # that a reader of the whole file decompresses it to
    stored_bytes: int


def write_clips(tables: Iterable[pa.Table], path: Path) -> WrittenFile:
    """Write rows of CLIP_FEATURES; no more than a row group and one of `tables` is in memory.

    As `datasets` writes parquet: chunks are defined by content and pages have an index, so that a
    changed version uploads little, and a viewer reads a page without the file.
    """
    with replace_whole(path) as partial:
        with pq.ParquetWriter(
            partial,
            CLIP_FEATURES.arrow_schema,
            use_content_defined_chunking=DEFAULT_CDC_OPTIONS,
            write_page_index=True,
        ) as writer:
            for group in _regroup(tables):
                writer.write_table(group, row_group_size=_ROW_GROUP)
            options = json.dumps(DEFAULT_CDC_OPTIONS)
            writer.add_key_value_metadata({"content_defined_chunking": options})
        return WrittenFile(sha256(partial), uncompressed_size(partial), partial.stat().st_size)


def uncompressed_size(path: Path) -> int:
    """Bytes that a reader of the whole file decompresses it to."""
    metadata = pq.read_metadata(path)
    return sum(metadata.row_group(i).total_byte_size for i in range(metadata.num_row_groups))


def _regroup(tables: Iterable[pa.Table]) -> Iterable[pa.Table]:
    """The same rows, _ROW_GROUP of them in each table but the last."""
    waiting: list[pa.Table] = []
    for table in tables:
        for start in range(0, len(table), _ROW_GROUP):
            waiting.append(table.slice(start, _ROW_GROUP))
            rows = pa.concat_tables(waiting)
            if len(rows) >= _ROW_GROUP:
                yield rows.slice(0, _ROW_GROUP)
                rows = rows.slice(_ROW_GROUP)
            waiting = [rows] if len(rows) else []
    if waiting:
        yield pa.concat_tables(waiting)
