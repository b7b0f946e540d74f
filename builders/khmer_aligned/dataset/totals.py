"""The outcomes of all shards, added up one shard at a time: nothing of the audio is read."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from khmer_aligned.clips.fingerprint import read_fingerprint
from khmer_aligned.dataset.outcomes import read_clip_lists
from khmer_aligned.dataset.report import UNITS, DifferingLag, Tally
from khmer_aligned.dataset.split import HELD_OUT
from khmer_aligned.dataset.state import Plan
from khmer_aligned.dataset.twins import Fingerprints
from khmer_aligned.files import read_parquet
from khmer_aligned.schema import Rejection

# Why a clip of train is rejected, by the split that has its sentence.
REASONS = {name: f"the same sentence is in {name}" for name in HELD_OUT}


@dataclass(frozen=True)
class PlannedShard:
    """One shard of a plan: which of its recordings the plan has, and which not any more.

    rows: of the plan; place (m,): of each, among the outcomes of the shard. clip_samples: a list
    for each outcome, of its clips.
    """

    name: str
    rows: slice
    place: np.ndarray
    clip_samples: pa.ListArray

    @property
    def clip_counts(self) -> np.ndarray:
        """The number of clips of each outcome."""
        return np.diff(self.clip_samples.offsets.to_numpy())


def planned_shards(plan: Plan, rows: pa.Table) -> Iterator[PlannedShard]:
    """The shards of a plan; rows: all of the plan's, or some of their columns."""
    shard, place = rows["shard"].to_numpy(), rows["place"].to_numpy()
    begins = np.searchsorted(shard, np.arange(len(plan.shards) + 1))
    for i, name in enumerate(plan.shards):
        part = slice(int(begins[i]), int(begins[i + 1]))
        lists = read_clip_lists(plan.state.outcomes(name), "clip_samples")
        yield PlannedShard(name, part, place[part], lists)


@dataclass(frozen=True, slots=True)
class DroppedClip:
    """A clip that is taken out of train."""

    index: int  # among the clips of its shard
    held_out: str  # the id of the clip that has the sentence
    split: str  # of that
    similarity: float
    is_equal: bool


@dataclass(frozen=True)
class Sizes:
    """Of each recording of a plan, (n,): its samples, its clips, and the samples in these."""

    recording: np.ndarray
    clips: np.ndarray
    in_clips: np.ndarray
    fingerprints: Fingerprints


def read_sizes(plan: Plan, shards: Sequence[PlannedShard], count: int) -> Sizes:
    """The sizes and fingerprints of all `count` recordings."""
    recording, in_clips = np.zeros(count, np.int64), np.zeros(count, np.int64)
    clips, numbers_of = np.zeros(count, np.int32), np.zeros(count, np.int32)
    numbers = [np.zeros(0, np.uint32)]
    for shard in shards:
        file = plan.state.outcomes(shard.name)
        table = read_parquet(file, ["samples", "fingerprint"]).take(pa.array(shard.place))
        offsets = shard.clip_samples.offsets.to_numpy()
        ends = np.concatenate(([0], np.cumsum(shard.clip_samples.values.to_numpy())))
        recording[shard.rows] = pc.fill_null(table["samples"], 0).to_numpy()
        clips[shard.rows] = shard.clip_counts[shard.place]
        in_clips[shard.rows] = np.diff(ends[offsets])[shard.place]
        fingerprints = [read_fingerprint(data or b"") for data in table["fingerprint"].to_pylist()]
        numbers_of[shard.rows] = [len(each) for each in fingerprints]
        numbers.append(np.concatenate([*fingerprints, numbers[0]]))
    every_number = np.concatenate(numbers)
    return Sizes(recording, clips, in_clips, Fingerprints(every_number, numbers_of))


def tally_shard(plan: Plan, shard: PlannedShard, dropped: Sequence[DroppedClip]) -> Tally:
    """What the planned recordings of a shard took in and gave; dropped: of its clips."""
    file = plan.state.outcomes(shard.name)
    every = read_parquet(file)
    table = every.take(pa.array(shard.place))
    lines = _flat(table["rejections"]).to_pylist()
    texts = _flat(table["clip_texts"])
    differing: list[DifferingLag] = [
        json.loads(line) for line in table["differing_lag"].to_pylist() if line is not None
    ]
    counts = {
        "clips": len(texts),
        "recordings": len(table) - table["samples"].null_count,
        "unread": pc.sum(pc.equal(table["samples"], 0)).as_py() or 0,
        "clip_samples": pc.sum(_flat(table["clip_samples"])).as_py() or 0,
        "clip_characters": pc.sum(pc.utf8_length(texts)).as_py() or 0,
    }
    for unit in UNITS:
        counts[unit] = pc.sum(table[unit]).as_py() or 0
        counts[f"rejected_{unit}"] = pc.sum(table[f"rejected_{unit}"]).as_py() or 0
    if dropped:
        columns = ["id", "recording", "start", "end"]
        clips = read_parquet(plan.state.clips(shard.name), columns)
        raw, samples = _flat(every["clip_texts"]), _flat(every["clip_samples"])
        for rejection in _rejections_of(dropped, clips, every):
            lines.append(json.dumps(rejection.as_row(), ensure_ascii=False))
        moved = {
            "samples": sum(samples[clip.index].as_py() for clip in dropped),
            "characters": sum(len(raw[clip.index].as_py()) for clip in dropped),
        }
        counts["clips"] -= len(dropped)
        for unit, size in moved.items():
            counts[f"clip_{unit}"] -= size
            counts[f"rejected_{unit}"] += size
    return Tally(counts, lines, differing)


def _rejections_of(
    dropped: Sequence[DroppedClip], clips: pa.Table, outcomes: pa.Table
) -> Iterator[Rejection]:
    """The rejections of clips that are taken out of train.

    clips: id, recording, start and end of all of a shard; outcomes: of its recordings.
    """
    texts, firsts = _flat(outcomes["clip_texts"]), _flat(outcomes["clip_firsts"])
    counts = pc.list_value_length(outcomes["clip_texts"]).to_numpy()
    recording = np.repeat(np.arange(len(outcomes)), counts)
    for clip in dropped:
        row = clips.slice(clip.index, 1).to_pylist()[0]
        text, first = texts[clip.index].as_py(), firsts[clip.index].as_py()
        yield Rejection(
            recording=row["recording"],
            id=row["id"].rpartition("-")[0],
            path=outcomes["path"][int(recording[clip.index])].as_py(),
            start=round(row["start"], 4),
            end=round(row["end"], 4),
            text=text,
            span=(first, first + len(text)),
            reason=REASONS[clip.split],
            figures={
                "clip": row["id"],
                "held_out": clip.held_out,
                "similarity": clip.similarity,
            },
        )


def _flat(lists: pa.ChunkedArray) -> pa.Array:
    """The values of all lists."""
    return pa.concat_arrays([chunk.flatten() for chunk in lists.chunks] or [pa.array([], "string")])
