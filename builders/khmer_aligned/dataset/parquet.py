"""Parquet files of clips, written whole or not at all."""

from __future__ import annotations

from pathlib import Path

import datasets
import pyarrow.parquet as pq

_ROW_GROUP = 100  # clips: what a reader of the published files fetches at least


def write_parquet(clips: datasets.Dataset, path: Path) -> None:
    """Write the rows so that a reader sees a whole file or none."""
    partial = path.with_name(path.name + ".partial")
    datasets.disable_progress_bars()  # a bar for each file tells nothing
    try:
        clips.to_parquet(partial, batch_size=_ROW_GROUP)
    finally:
        datasets.enable_progress_bars()
    partial.replace(path)


def uncompressed_size(path: Path) -> int:
    """Bytes that a reader of the whole file decompresses it to."""
    metadata = pq.read_metadata(path)
    return sum(metadata.row_group(i).total_byte_size for i in range(metadata.num_row_groups))
