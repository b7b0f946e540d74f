"""What the published files of a dataset hold: hours, speakers, lengths and scores of the clips."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TypedDict

from khmer_aligned.files import read_parquet
from khmer_aligned.hub.folder import sha256
from khmer_aligned.schema import MAX_CLIP_SECONDS, SPLITS

BIN_SECONDS = 5
SCORE_BINS = 10

_COLUMNS = ["duration", "score", "recording", "speaker"]


class SplitStatistics(TypedDict):
    """What one split holds."""

    clips: int
    recordings: int
    seconds: float
    speakers: int  # of those that are known
    unknown_speaker: int  # clips without one
    durations: list[int]  # clips of less than 5 s, less than 10 s, ... up to 30 s
    scores: list[int]  # clips with a score of less than 0.1, less than 0.2, ... up to 1


class Statistics(TypedDict):
    """What all splits hold."""

    splits: dict[str, SplitStatistics]
    shared_speakers: int  # who are in more than one split
    shared_recordings: int


def shards_of(folder: Path, split: str) -> list[Path]:
    """The parquet files of a split, in order."""
    return sorted((folder / "data").glob(f"{split}-*.parquet"))


def file_sums(folder: Path) -> dict[str, str]:
    """The sha256 of each file of clips, by its name in the repository."""
    return {
        path.relative_to(folder).as_posix(): sha256(path)
        for path in sorted((folder / "data").glob("*.parquet"))
    }


def measure(folder: Path) -> Statistics:
    """Count the clips of a built folder; reads no audio."""
    splits: dict[str, SplitStatistics] = {}
    speakers: dict[str, set[str]] = {}
    recordings: dict[str, set[str]] = {}
    for name in SPLITS:
        shards = shards_of(folder, name)
        if not shards:
            continue
        columns: dict[str, list] = {column: [] for column in _COLUMNS}
        for shard in shards:
            table = read_parquet(shard, _COLUMNS)
            for column in _COLUMNS:
                columns[column] += table[column].to_pylist()
        speakers[name] = {speaker for speaker in columns["speaker"] if speaker}
        recordings[name] = set(columns["recording"])
        splits[name] = {
            "clips": len(columns["duration"]),
            "recordings": len(recordings[name]),
            "seconds": round(math.fsum(columns["duration"]), 2),
            "speakers": len(speakers[name]),
            "unknown_speaker": sum(not speaker for speaker in columns["speaker"]),
            "durations": _histogram(
                columns["duration"], BIN_SECONDS, math.ceil(MAX_CLIP_SECONDS / BIN_SECONDS)
            ),
            "scores": _histogram(columns["score"], 1 / SCORE_BINS, SCORE_BINS),
        }
    return {
        "splits": splits,
        "shared_speakers": len(_shared(speakers)),
        "shared_recordings": len(_shared(recordings)),
    }


def _histogram(values: Sequence[float], width: float, bins: int) -> list[int]:
    counts = [0] * bins
    for value in values:
        counts[min(bins - 1, max(0, math.floor(value / width)))] += 1
    return counts


def _shared(members: dict[str, set[str]]) -> set[str]:
    """Who is in more than one split."""
    counts = Counter(name for names in members.values() for name in names)
    return {name for name, count in counts.items() if count > 1}
