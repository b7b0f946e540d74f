"""What of a build's clips is in train and held out at once, so that train can be rid of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from khmer_aligned.dataset import split
from khmer_aligned.dataset.duplicates import Duplicate, HeldOutTexts, letters_of
from khmer_aligned.dataset.report import DuplicateReport
from khmer_aligned.dataset.state import Plan
from khmer_aligned.dataset.totals import DroppedClip, PlannedShard
from khmer_aligned.files import read_parquet
from khmer_aligned.schema import SPLITS


@dataclass
class Leaks:
    """The duplicates of a build, by shard, and how many phrases are too short to be ones."""

    is_kept: bool
    dropped: dict[str, list[DroppedClip]] = field(default_factory=dict)
    short: int = 0

    def report(self, twins: list[list[str]]) -> DuplicateReport:
        """The counts, for build.json; twins: the names of recordings that were given twice."""
        clips = [clip for dropped in self.dropped.values() for clip in dropped]
        equal = sum(clip.is_equal for clip in clips)
        return {
            "equal": equal,
            "nearly_equal": len(clips) - equal,
            "short": self.short,
            "kept": self.is_kept,
            "recordings": twins,
        }

    def taken_out(self, shard: str) -> list[DroppedClip]:
        """The clips of a shard that are not published."""
        return [] if self.is_kept else self.dropped.get(shard, [])


def clip_splits(shard: PlannedShard, splits: np.ndarray) -> np.ndarray:
    """The split of each clip in the file of a shard, NO_SPLIT of one that is not in the plan.

    splits (m,): of the planned recordings of the shard.
    """
    of_recording = np.full(len(shard.clip_samples), split.NO_SPLIT)
    of_recording[shard.place] = splits
    return np.repeat(of_recording, shard.clip_counts)


def find_leaks(plan: Plan, shards: Sequence[PlannedShard], splits: np.ndarray) -> Leaks:
    """The clips of train whose sentence is held out; splits (n,): of the plan's recordings."""
    held_out = _HeldOut(plan, shards, splits)
    leaks = Leaks(plan.config.keep_duplicates)
    for shard in shards:
        rows, table = _clips_of(plan, shard, splits, [split.TRAIN], ["text"])
        letters = [letters_of(text) for text in table["text"].to_pylist()]
        leaks.short += sum(map(held_out.texts.is_short_duplicate, letters))
        duplicates = held_out.texts.find(letters)
        if duplicates:
            leaks.dropped[shard.name] = [held_out.describe(rows, item) for item in duplicates]
    return leaks


class _HeldOut:
    """The clips of test, then those of validation: a sentence that is in both is called test's."""

    def __init__(self, plan: Plan, shards: Sequence[PlannedShard], splits: np.ndarray) -> None:
        self._ids: list[str] = []
        self._splits: list[str] = []
        texts: list[str] = []
        for name in split.HELD_OUT:
            for shard in shards:
                number = SPLITS.index(name)
                _, table = _clips_of(plan, shard, splits, [number], ["id", "text"])
                self._ids += table["id"].to_pylist()
                self._splits += [name] * len(table)
                texts += table["text"].to_pylist()
        self.texts = HeldOutTexts(texts)

    def describe(self, rows: np.ndarray, item: Duplicate) -> DroppedClip:
        return DroppedClip(
            index=int(rows[item.index]),
            held_out=self._ids[item.held_out],
            split=self._splits[item.held_out],
            similarity=round(item.similarity, 3),
            is_equal=item.is_equal,
        )


def _clips_of(
    plan: Plan,
    shard: PlannedShard,
    splits: np.ndarray,
    numbers: list[int],
    columns: list[str],
) -> tuple[np.ndarray, pa.Table]:
    """The rows of a shard's clips that are in some splits, and their columns."""
    rows = np.flatnonzero(np.isin(clip_splits(shard, splits[shard.rows]), numbers))
    if len(rows) == 0:
        return rows, pa.table({name: pa.array([], pa.string()) for name in columns})
    table = read_parquet(plan.state.clips(shard.name), columns)
    return rows, table.take(pa.array(rows))
