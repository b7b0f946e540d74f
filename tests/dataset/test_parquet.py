"""The published files as the Hub likes them."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
from datasets import Dataset

from khmer_aligned.dataset.parquet import uncompressed_size, write_clips
from khmer_aligned.hub.folder import sha256
from khmer_aligned.schema import CLIP_FEATURES


def clips(first: int, last: int) -> pa.Table:
    rows = [
        {"id": str(i), "audio": {"bytes": bytes([i]) * 99, "path": None}}
        for i in range(first, last)
    ]
    return pa.Table.from_pylist(rows, schema=CLIP_FEATURES.arrow_schema)


def test_chunks_are_defined_by_content_and_pages_have_an_index(tmp_path):
    """So a changed version uploads little, and a viewer reads a page without the file."""
    path = tmp_path / "clips.parquet"
    written = write_clips([clips(0, 250)], path)
    metadata = pq.read_metadata(path)
    assert json.loads(metadata.metadata[b"content_defined_chunking"])["min_chunk_size"] > 0
    assert metadata.num_row_groups == 3 and metadata.row_group(0).num_rows == 100
    column = metadata.row_group(0).column(0)
    assert column.has_offset_index and column.has_column_index
    assert [path.name for path in tmp_path.iterdir()] == ["clips.parquet"]
    assert written.sha256 == sha256(path)
    assert (written.bytes, written.stored_bytes) == (uncompressed_size(path), path.stat().st_size)
    assert Dataset.from_parquet(str(path)).features == CLIP_FEATURES


def test_the_bytes_do_not_depend_on_how_the_rows_come(tmp_path):
    one, many = tmp_path / "one.parquet", tmp_path / "many.parquet"
    write_clips([clips(0, 250)], one)
    write_clips(
        [clips(0, 1), clips(1, 130), clips(130, 130), clips(130, 249), clips(249, 250)], many
    )
    assert one.read_bytes() == many.read_bytes()
