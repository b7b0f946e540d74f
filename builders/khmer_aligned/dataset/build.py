"""Recordings to a folder in the Hub's own layout, shard by shard, with the balance.

A build that was killed goes on when it is started again, and ends with the same bytes as one that
was not killed.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from khmer_aligned.clips.labels import LabelCounter
from khmer_aligned.clips.make import MakeClips
from khmer_aligned.dataset.card import render_card
from khmer_aligned.dataset.config import BuildConfig
from khmer_aligned.dataset.join import join_shards
from khmer_aligned.dataset.plan import Plan, divide, make_plan, read_recordings, source_splits
from khmer_aligned.dataset.report import Report, sum_tallies, summary
from khmer_aligned.dataset.shards import align_shard
from khmer_aligned.errors import UserError
from khmer_aligned.files import lock_folder, write_whole

_RECORD = "build.json"
_WORK = ".work"


@dataclass(frozen=True)
class BuildResult:
    """A built folder, which `load_dataset(str(result.folder))` reads, and its build.json."""

    folder: Path
    report: Report

    @property
    def clips(self) -> int:
        """The number of clips in all splits."""
        return sum(size["clips"] for size in self.report["splits"].values())

    @property
    def seconds(self) -> float:
        """The audio in all clips."""
        return sum(size["seconds"] for size in self.report["splits"].values())

    def summary(self) -> str:
        """The numbers as a table for the screen."""
        return summary(self.report)


def build(
    source: str | Path, out: str | Path, config: BuildConfig | None = None, **options: Any
) -> BuildResult:
    """Build the folder `out` from the recordings in `source`, or finish it if it was begun.

    source: a folder of recordings with their .txt, a folder with metadata.csv, .tsv or .jsonl, or
    a dataset with an audio and a text column, by folder or Hub id. options: fields of BuildConfig
    or of its Thresholds that differ from `config`, as in `build(source, out, max_misfit=0.5)`.

    A folder that holds another build or other files is never overwritten. Raises UserError for
    what the user can mend; a bad recording is no error, but ends in rejected.jsonl.
    """
    out = Path(out)
    plan = make_plan(str(source), (config or BuildConfig()).with_options(**options))
    if (report := _finished(out, plan.key)) is not None:
        shutil.rmtree(out / _WORK, ignore_errors=True)  # of a build killed in its last line
        return BuildResult(out, report)
    # A tokenizer that cannot be loaded is an error now, not after the first shard is aligned.
    LabelCounter(plan.config.tokenizer)
    work = _work_folder(out, plan.key)
    with lock_folder(work):
        report = _run(plan, work, out)
        write_whole(out / "README.md", render_card(report))
        write_whole(out / _RECORD, json.dumps(report, ensure_ascii=False, indent=2))
    shutil.rmtree(work)
    return BuildResult(out, report)


def _run(plan: Plan, work: Path, out: Path) -> Report:
    """Write clips and rejections into `out`; `work` keeps the shards that are aligned."""
    cache, config = work / "cache", plan.config
    recordings = read_recordings(plan.corpus, cache)
    splits_of_source = source_splits(recordings)
    make_clips = MakeClips(
        config.aligner, config.tokenizer, config.max_labels, config.lag, config.thresholds
    )
    shards = divide(recordings)
    paths = [work / f"aligned-{i:05d}.parquet" for i in range(len(shards))]
    tallies = [
        align_shard(shard, path, make_clips, f"Aligning shard {i}/{len(shards)}")
        for i, (shard, path) in enumerate(zip(shards, paths, strict=True), start=1)
    ]
    totals = sum_tallies(tallies)
    sizes = join_shards(paths, splits_of_source, config.seed, out, cache)
    lines = [line + "\n" for tally in tallies for line in tally.rejections]
    write_whole(out / "rejected.jsonl", "".join(lines))
    return {
        "key": plan.key,
        "source": plan.identity["source"],
        "config": plan.identity["config"],
        "versions": plan.identity["versions"],
        "balance": totals["balance"],
        "rejected": totals["rejected"],
        "splits": sizes,
    }


def _finished(out: Path, key: str) -> Report | None:
    """The report of this very build in `out`, if it is finished."""
    if not (out / _RECORD).is_file():
        return None
    report: Report = json.loads((out / _RECORD).read_text(encoding="utf-8"))
    if report["key"] != key:
        raise UserError(
            f"{out}: holds a build of other recordings, settings or versions; name a new folder, "
            "or remove this one"
        )
    return report


def _work_folder(out: Path, key: str) -> Path:
    """The folder in `out` for work in progress, made or found; it belongs to the build `key`."""
    work = out / _WORK
    if out.exists() and not out.is_dir():
        raise UserError(f"{out}: is a file; name a folder to build into")
    if out.is_dir() and any(out.iterdir()) and not (work / "key").is_file():
        raise UserError(f"{out}: holds other files; name a new folder")
    if (work / "key").is_file() and (work / "key").read_text() != key:
        raise UserError(
            f"{out}: holds an unfinished build of other recordings, settings or versions; name a "
            "new folder, or remove this one"
        )
    (out / "data").mkdir(parents=True, exist_ok=True)
    work.mkdir(exist_ok=True)
    write_whole(work / "key", key)
    return work
