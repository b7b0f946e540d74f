"""A row for each recording of a plan: its shard, its place there, and the key of its outcome."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import NamedTuple

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from khmer_aligned.dataset import split
from khmer_aligned.dataset.identity import outcome_settings
from khmer_aligned.dataset.state import Plan
from khmer_aligned.errors import UserError
from khmer_aligned.files import read_parquet, replace_whole
from khmer_aligned.schema import Problem
from khmer_aligned.text import find_speakers

ROW_SCHEMA = pa.schema(
    {
        "shard": pa.int32(),  # a place in the plan's `shards`
        "place": pa.int32(),  # among the outcomes of the shard
        "row": pa.int64(),  # among the recordings
        "key": pa.binary(16),  # of the outcome
        "id": pa.string(),
        "recording": pa.string(),
        "speakers": pa.list_(pa.string()),  # the source's, or those that the text names
        "is_recording": pa.bool_(),  # no text without a recording
        "content": pa.string(),
        "split": pa.string(),
    }
)

# Characters of transcript in a shard: Khmer is read at 12 a second, so two and a half hours.
_SHARD_CHARACTERS = 100_000
_RECORDING_CHARACTERS = 20  # what a recording costs beside its text
_ROW_GROUP = 10_000  # recordings; a worker reads those that hold its shard
# Columns of a recording that decide nothing of its clips, or are hashed in `content`.
_NOT_IN_KEY = {
    "audio", "path", "split", "licence", "source", "stale", "text_file", "text_start"
}  # fmt: skip


def write_rows(plan: Plan, recordings: datasets.Dataset, finished: list[str]) -> tuple[str, ...]:
    """Write the rows of a plan; returns the names of its shards, those that are done first.

    finished: the shards whose outcomes can be kept. Raises UserError where the source puts one
    group into two splits, or where it has nothing in common with them.
    """
    columns = {
        name: recordings.data.column(name) for name in ("id", "recording", "content", "split")
    }
    columns["speakers"] = pa.array(list_speakers(recordings), pa.list_(pa.string()))
    problems = recordings.data.column("problem")
    unspoken = pc.equal(problems, str(Problem.UNSPOKEN_TEXT))
    columns["is_recording"] = pc.invert(pc.fill_null(unspoken, False))
    groups = split.find_groups(
        columns["recording"],
        columns["speakers"],
        columns["content"],
        is_recording=columns["is_recording"],
    )
    split.check_source_splits(groups, columns["split"])
    keys = pa.array(_hash_rows(recordings, _salt(plan)), pa.binary(16))
    shard, place = _recall_outcomes(plan, keys, finished)
    rank = _split_ranks(columns["split"])
    new = np.flatnonzero(shard < 0)
    # In the order in which groups are held out, so that most shards are wholly of one split.
    hashes = groups.hashes(plan.config.seed)
    new = new[np.lexsort((new, groups.code[new], hashes[groups.code[new]], rank[new]))]
    characters = pc.utf8_length(recordings.data.column("text")).to_numpy()[new]
    number = _divide(characters + _RECORDING_CHARACTERS, rank[new])
    shard[new] = len(finished) + number
    place[new] = np.arange(len(new)) - np.searchsorted(number, number)
    names = [*finished, *(f"{plan.increment:02d}-{i:05d}" for i in range(len(new)))]
    used, shard = np.unique(shard, return_inverse=True)
    rows = np.lexsort((place, shard))
    indices = pa.array(rows, pa.int64())
    table = pa.table(
        {
            "shard": pa.array(shard[rows], pa.int32()),
            "place": pa.array(place[rows], pa.int32()),
            "row": indices,
            "key": keys.take(indices),
            **{name: column.take(indices) for name, column in columns.items()},
        },
        schema=ROW_SCHEMA,
    )
    with replace_whole(plan.rows_file) as partial:
        pq.write_table(table, partial, row_group_size=_ROW_GROUP)
    return tuple(names[i] for i in used)


def list_speakers(recordings: datasets.Dataset) -> Iterator[list[str]]:
    """The speakers of each recording: that of the source, else those of a dialogue."""
    for batch in recordings.data.select(["speaker", "text"]).to_batches(max_chunksize=10_000):
        for row in batch.to_pylist():
            yield [row["speaker"]] if row["speaker"] else find_speakers(row["text"])


def _divide(weights: np.ndarray, rank: np.ndarray) -> np.ndarray:
    """The shard of each recording, from 0 up: runs of _SHARD_CHARACTERS, of one rank each."""
    begins = np.cumsum(weights) - weights
    cells = (begins - begins[np.searchsorted(rank, rank)]) // _SHARD_CHARACTERS
    begins_shard = (np.diff(rank, prepend=-1) != 0) | (np.diff(cells, prepend=-1) != 0)
    return np.cumsum(begins_shard) - 1


def _split_ranks(splits: pa.ChunkedArray) -> np.ndarray:
    """0 for test, 1 for validation, 2 for what is for training or open."""
    held_out = pa.array([*split.HELD_OUT])
    ranks = pc.fill_null(pc.index_in(splits, held_out), len(held_out))
    return ranks.to_numpy().astype(np.int64)


def _salt(plan: Plan) -> bytes:
    """A hash of what decides the outcome of every recording alike."""
    settings = [*outcome_settings(plan.identity), plan.lag["seconds"]]
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).digest()


def _hash_rows(recordings: datasets.Dataset, salt: bytes) -> Iterator[bytes]:
    """The key of each recording's outcome: audio, text, the rest of its row, the settings."""
    names = sorted(set(recordings.column_names) - _NOT_IN_KEY)
    table = recordings.data.select([*names, "path"])
    for batch in table.to_batches(max_chunksize=10_000):
        for row in batch.to_pylist():
            # It may hold the number of a line, and is in the outcome where there is a problem.
            path = row.pop("path")
            line = json.dumps([row, path if row["problem"] else None], ensure_ascii=False)
            yield hashlib.blake2b(line.encode(), key=salt, digest_size=16).digest()


class _Places(NamedTuple):
    """Where the outcome of each recording is, (n,) each; -1 where there is none."""

    shard: np.ndarray  # a place in `finished`
    place: np.ndarray


def _recall_outcomes(plan: Plan, keys: pa.Array, finished: list[str]) -> _Places:
    places = _Places(np.full(len(keys), -1), np.full(len(keys), -1))
    if not finished:
        return places
    known = [read_parquet(plan.state.outcomes(name), ["key"])["key"] for name in finished]
    shard = np.repeat(np.arange(len(known)), [len(column) for column in known])
    place = np.concatenate([np.arange(len(column)) for column in known])
    every_key = pa.chunked_array([chunk for column in known for chunk in column.chunks])
    match = pc.fill_null(pc.index_in(keys, every_key), -1).to_numpy(zero_copy_only=False)
    # Two rows that are equal in everything have an outcome each.
    _, first = np.unique(match, return_index=True)
    kept = first[match[first] >= 0]
    if len(kept) == 0:
        raise UserError(
            f"{plan.state.out}: holds a build of other recordings; name a new folder, or remove "
            "this one"
        )
    places.shard[kept], places.place[kept] = shard[match[kept]], place[match[kept]]
    return places
