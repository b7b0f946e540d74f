"""The outcomes of a shard's recordings: what each took in and gave, beside the clips themselves."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from khmer_aligned.dataset.parquet import WrittenFile, write_clips
from khmer_aligned.files import fetch, make_folder, read_parquet, replace_whole
from khmer_aligned.schema import CLIP_FEATURES

# A row for each recording, in the order of its clips.
OUTCOME_SCHEMA = pa.schema(
    {
        "key": pa.binary(16),
        # Of the recording; 0 where its audio could not be read, null of a text without a recording.
        "samples": pa.int64(),
        "characters": pa.int64(),
        "clip_samples": pa.list_(pa.int64()),  # of each of its clips
        "clip_texts": pa.list_(pa.string()),  # raw; their lengths are the clips' characters
        "clip_firsts": pa.list_(pa.int64()),  # where those begin in the recording's text
        "rejected_samples": pa.int64(),
        "rejected_characters": pa.int64(),
        "rejections": pa.list_(pa.string()),  # lines of rejected.jsonl
        "differing_lag": pa.string(),  # JSON, where it tells another lag than the aligner's
        "fingerprint": pa.binary(),
        "path": pa.string(),  # of the audio file, as `Rejection.path`
    }
)
_CLIPS_FILE = b"clips"  # the key of the metadata that describe the file of clips


def write_outcomes(
    outcomes: datasets.Dataset, keys: pa.ChunkedArray, clips_file: Path, outcomes_file: Path
) -> None:
    """Write the clips, then the outcomes, of a shard.

    outcomes: rows of OUTCOME_FEATURES, those of a recording together; keys: of each recording.
    """
    table = outcomes.data.table
    is_clip = pc.is_null(table["rejection"])
    make_folder(clips_file.parent)
    clips = (
        pa.Table.from_batches([batch]).filter(pc.is_null(batch["rejection"]))
        for batch in table.to_batches(max_chunksize=100)
    )
    written = write_clips((group.select([*CLIP_FEATURES]) for group in clips), clips_file)
    small = table.drop_columns([*(set(CLIP_FEATURES) - {"id"})])
    begins = pc.indices_nonzero(pc.is_valid(small["recording_characters"])).to_numpy()
    recording = np.cumsum(pc.is_valid(small["recording_characters"]).to_numpy()) - 1
    count = len(begins)
    firsts = small.take(pa.array(begins))
    clip_rows, rejected_rows = small.filter(is_clip), small.filter(pc.invert(is_clip))
    is_clip_row = is_clip.to_numpy()
    of_clips, of_rejections = recording[is_clip_row], recording[~is_clip_row]

    def sums(column: str) -> pa.Array:
        values = rejected_rows[column].to_numpy()
        return pa.array(np.bincount(of_rejections, values, count).astype(np.int64))

    result = pa.table(
        [
            keys,
            firsts["recording_samples"],
            firsts["recording_characters"],
            _lists(clip_rows["samples"], of_clips, count),
            _lists(clip_rows["raw"], of_clips, count),
            _lists(clip_rows["raw_first"], of_clips, count),
            sums("samples"),
            sums("characters"),
            _lists(rejected_rows["rejection"], of_rejections, count),
            firsts["differing_lag"],
            firsts["fingerprint"],
            firsts["path"],
        ],
        schema=OUTCOME_SCHEMA.with_metadata({_CLIPS_FILE: json.dumps(asdict(written))}),
    )
    with replace_whole(outcomes_file) as partial:
        pq.write_table(result, partial)


def read_written(outcomes_file: Path) -> WrittenFile:
    """What is known of the file of clips beside a file of outcomes."""
    with fetch(outcomes_file) as file:
        return WrittenFile(**json.loads(pq.read_schema(file).metadata[_CLIPS_FILE]))


def read_clip_lists(outcomes_file: Path, column: str) -> pa.ListArray:
    """A column of outcomes that holds a list for each recording, with offsets from 0 on."""
    lists = read_parquet(outcomes_file, [column])[column].combine_chunks()
    return lists if isinstance(lists, pa.ListArray) else pa.concat_arrays(lists.chunks)


def _lists(values: pa.ChunkedArray, owner: np.ndarray, count: int) -> pa.Array:
    """Lists of values, one for each of `count` owners; owner (n,) rises."""
    offsets = np.searchsorted(owner, np.arange(count + 1))
    flat = pa.concat_arrays(values.chunks) if values.num_chunks else pa.array([], values.type)
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), flat)
