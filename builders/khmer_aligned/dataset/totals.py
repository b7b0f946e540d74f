"""The outcomes of all shards, added up one shard at a time: nothing of the audio is read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from khmer_aligned.dataset.report import UNITS, DifferingLag, Tally
from khmer_aligned.dataset.state import Plan


@dataclass(frozen=True)
class PlannedShard:
    """One shard of a plan: which of its recordings the plan has, and which not any more.

    rows: of the plan; place (m,): of each, among the outcomes of the shard.
    """

    name: str
    rows: slice
    place: np.ndarray


def planned_shards(plan: Plan, rows: pa.Table) -> Iterator[PlannedShard]:
    """The shards of a plan; rows: all of the plan's, or some of their columns."""
    shard, place = rows["shard"].to_numpy(), rows["place"].to_numpy()
    begins = np.searchsorted(shard, np.arange(len(plan.shards) + 1))
    for i, name in enumerate(plan.shards):
        part = slice(int(begins[i]), int(begins[i + 1]))
        yield PlannedShard(name, part, place[part])


@dataclass(frozen=True)
class Sizes:
    """Of each recording of a plan (n,): how many clips it gave, and the samples in them."""

    clips: np.ndarray
    samples: np.ndarray


def read_sizes(plan: Plan, shards: list[PlannedShard], count: int) -> Sizes:
    """The sizes of all `count` recordings."""
    sizes = Sizes(np.zeros(count, np.int32), np.zeros(count, np.int64))
    for shard in shards:
        lists = pq.read_table(plan.state.outcomes(shard.name), columns=["clip_samples"])
        column = lists["clip_samples"].combine_chunks()
        ends = np.concatenate(([0], np.cumsum(column.flatten().to_numpy())))
        offsets = column.offsets.to_numpy() - column.offsets[0].as_py()
        sizes.clips[shard.rows] = np.diff(offsets)[shard.place]
        sizes.samples[shard.rows] = np.diff(ends[offsets])[shard.place]
    return sizes


def tally_shard(plan: Plan, shard: PlannedShard) -> Tally:
    """What the planned recordings of a shard took in and gave."""
    table = pq.read_table(plan.state.outcomes(shard.name)).take(pa.array(shard.place))
    lines = table["rejections"].combine_chunks().flatten().to_pylist()
    texts = table["clip_texts"].combine_chunks().flatten()
    differing: list[DifferingLag] = [
        json.loads(line) for line in table["differing_lag"].to_pylist() if line is not None
    ]
    counts = {
        "clips": len(texts),
        "recordings": len(table),
        "unread": pc.sum(pc.equal(table["samples"], 0)).as_py() or 0,
        "clip_samples": pc.sum(table["clip_samples"].combine_chunks().flatten()).as_py() or 0,
        "clip_characters": pc.sum(pc.utf8_length(texts)).as_py() or 0,
    }
    for unit in UNITS:
        counts[unit] = pc.sum(table[unit]).as_py() or 0
        counts[f"rejected_{unit}"] = pc.sum(table[f"rejected_{unit}"]).as_py() or 0
    return Tally(counts, lines, differing)
