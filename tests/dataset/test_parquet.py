"""The published files as the Hub likes them."""

import json

import pyarrow.parquet as pq
from datasets import Dataset

from khmer_aligned.dataset.parquet import write_parquet


def test_chunks_are_defined_by_content_and_pages_have_an_index(tmp_path):
    """So a changed version uploads little, and a viewer reads a page without the file."""
    path = tmp_path / "clips.parquet"
    write_parquet(Dataset.from_dict({"id": [str(i) for i in range(250)]}), path)
    metadata = pq.read_metadata(path)
    assert json.loads(metadata.metadata[b"content_defined_chunking"])["min_chunk_size"] > 0
    assert metadata.num_row_groups == 3 and metadata.row_group(0).num_rows == 100
    column = metadata.row_group(0).column(0)
    assert column.has_offset_index and column.has_column_index
    assert [path.name for path in tmp_path.iterdir()] == ["clips.parquet"]
