"""One shard of recordings, aligned into one parquet file: the unit of work.

Its file and its tally are written whole or not at all, so that a build which was killed goes on at
the shard it was in.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import datasets

from khmer_aligned.clips.make import OUTCOME_FEATURES, MakeClips
from khmer_aligned.dataset.parquet import write_parquet
from khmer_aligned.dataset.report import UNITS, Tally
from khmer_aligned.device import count_gpus
from khmer_aligned.files import write_whole
from khmer_aligned.schema import CLIP_FEATURES

# Characters of transcript in one call of the aligner: about half an hour of speech.
_BATCH_CHARACTERS = 20_000
_MAX_BATCH = 256  # recordings


def align_shard(
    recordings: datasets.Dataset, path: Path, make_clips: MakeClips, title: str
) -> Tally:
    """Write the clips of `recordings` to `path`, unless an earlier run did; return the tally.

    title: what the progress bar shows.
    """
    record = path.with_suffix(".json")
    if path.is_file() and record.is_file():
        return Tally(**json.loads(record.read_text(encoding="utf-8")))
    gpus = count_gpus()
    outcomes = recordings.map(
        make_clips,
        batched=True,
        batch_size=_batch_size(recordings),
        with_rank=True,
        num_proc=min(gpus, len(recordings)) if gpus > 1 else None,
        remove_columns=recordings.column_names,
        features=OUTCOME_FEATURES,
        keep_in_memory=True,
        desc=title,
    )
    rejections = outcomes["rejection"][:]
    clips = outcomes.select([i for i, line in enumerate(rejections) if line is None])
    tally = _count(outcomes, clips)
    write_parquet(clips.select_columns(list(CLIP_FEATURES)), path)
    write_whole(record, json.dumps(asdict(tally), ensure_ascii=False))
    return tally


def _batch_size(recordings: datasets.Dataset) -> int:
    characters = max(1, sum(len(text) for text in recordings["text"]))
    return min(_MAX_BATCH, max(1, _BATCH_CHARACTERS * len(recordings) // characters))


def _count(outcomes: datasets.Dataset, clips: datasets.Dataset) -> Tally:
    sizes = [samples for samples in outcomes["recording_samples"] if samples is not None]
    counts = {"clips": len(clips), "recordings": len(sizes), "unread": sizes.count(0)}
    for unit in UNITS:
        counts[unit] = sum(count or 0 for count in outcomes[f"recording_{unit}"])
        counts[f"clip_{unit}"] = sum(clips[unit])
        counts[f"rejected_{unit}"] = sum(outcomes[unit]) - sum(clips[unit])
    rejections, differing = (
        [line for line in outcomes[column][:] if line is not None]
        for column in ("rejection", "differing_lag")
    )
    return Tally(counts, rejections, [json.loads(line) for line in differing])
