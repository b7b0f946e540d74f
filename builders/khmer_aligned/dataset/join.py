"""The clips of all shards, joined into the published files of each split."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import datasets

from khmer_aligned.dataset import split
from khmer_aligned.dataset.parquet import uncompressed_size, write_parquet
from khmer_aligned.dataset.plan import Grouping
from khmer_aligned.dataset.report import SplitSize
from khmer_aligned.schema import CLIP_FEATURES, SPLITS

_FILE_SECONDS = 3 * 3600  # of audio in a published file: about 200 MB


def join_shards(
    shards: Sequence[Path], grouping: Grouping, seed: int, out: Path, cache: Path
) -> dict[str, SplitSize]:
    """Write out/data/SPLIT-*.parquet from the shards' files; returns the size of each split.

    Splits are made of what became clips, so that none of them is empty. cache: a folder for
    `datasets`' own files.
    """
    clips = datasets.Dataset.from_parquet(
        [str(path) for path in shards], features=CLIP_FEATURES, cache_dir=str(cache)
    )
    split_of = _split_recordings(clips, grouping, seed)
    labels = [split_of[recording] for recording in clips["recording"]]
    sizes = {}
    for name in SPLITS:
        if name in labels:
            rows = clips.select([i for i, label in enumerate(labels) if label == name])
            sizes[name] = _write_split(rows, name, out / "data")
    return sizes


def _split_recordings(clips: datasets.Dataset, grouping: Grouping, seed: int) -> dict[str, str]:
    """The split of each recording, by the seconds of its clips."""
    seconds: Counter[str] = Counter()
    for recording, duration in zip(clips["recording"][:], clips["duration"][:], strict=True):
        seconds[recording] += duration
    names = sorted(seconds)
    labels = split.assign(
        [grouping.group_of[name] for name in names],
        [round(seconds[name]) for name in names],
        [grouping.source_splits.get(name) for name in names],
        seed,
    )
    return dict(zip(names, labels, strict=True))


def _write_split(clips: datasets.Dataset, name: str, folder: Path) -> SplitSize:
    seconds = math.fsum(clips["duration"])
    count = min(len(clips), math.ceil(seconds / _FILE_SECONDS))
    paths = [folder / f"{name}-{i:05d}-of-{count:05d}.parquet" for i in range(count)]
    for i, path in enumerate(paths):
        write_parquet(clips.shard(count, i, contiguous=True), path)
    return {
        "recordings": len(set(clips["recording"])),
        "clips": len(clips),
        "seconds": round(seconds, 2),
        "bytes": sum(map(uncompressed_size, paths)),
        "stored_bytes": sum(path.stat().st_size for path in paths),
    }
