"""Recordings to a folder in the Hub's own layout, shard by shard, with the balance.

A build that was killed goes on when it is started again, and ends with the same bytes as one that
was not killed.
"""

from __future__ import annotations

import json
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from khmer_aligned import aligners
from khmer_aligned.clips.labels import LabelCounter
from khmer_aligned.clips.make import MakeClips
from khmer_aligned.dataset.card import describe_splits, render_card, render_tasks
from khmer_aligned.dataset.config import BuildConfig
from khmer_aligned.dataset.join import join_shards
from khmer_aligned.dataset.lag import settle_lag
from khmer_aligned.dataset.passages import add_unspoken, find_passages, report_texts
from khmer_aligned.dataset.plan import Plan, divide, group, make_plan, read_recordings
from khmer_aligned.dataset.report import Report, sum_tallies, summary
from khmer_aligned.dataset.rights import write_rights
from khmer_aligned.dataset.shards import align_shard
from khmer_aligned.dataset.statistics import file_sums, measure
from khmer_aligned.errors import UserError
from khmer_aligned.files import lock_folder, write_whole
from khmer_aligned.hub.cards import check_licence, set_licence, set_title

_RECORD = "build.json"
_WORK = ".work"
_SHARD = "aligned-"


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
        """The numbers as a table for the screen, and what limits the splits."""
        return f"{summary(self.report)}\n{describe_splits(self.report)}"


def build(
    source: str | Path,
    out: str | Path,
    config: BuildConfig | None = None,
    *,
    licence: str | None = None,
    title: str | None = None,
    **options: Any,
) -> BuildResult:
    """Build the folder `out` from the recordings in `source`, or finish it if it was begun.

    source: a folder of recordings with their .txt, a folder with metadata.csv, .tsv or .jsonl, or
    a dataset with an audio and a text column, by folder or Hub id. options: fields of BuildConfig
    or of its Thresholds that differ from `config`, as in `build(source, out, max_misfit=0.5)`.
    licence, title: of the card; of a folder that is finished, they replace those it has.

    A folder that holds another build or other files is never overwritten. Raises UserError for
    what the user can mend; a bad recording is no error, but ends in rejected.jsonl.
    """
    out = Path(out)
    licence = None if licence is None else check_licence(licence)
    plan = make_plan(str(source), (config or BuildConfig()).with_options(**options))
    if (report := _finished(out, plan.key)) is not None:
        shutil.rmtree(out / _WORK, ignore_errors=True)  # of a build killed in its last line
        _dress_card(out / "README.md", licence, title)
        return BuildResult(out, report)
    # A tokenizer that cannot be loaded is an error now, not after the first shard is aligned.
    LabelCounter(plan.config.tokenizer)
    work = _work_folder(out, plan.key)
    with lock_folder(work):
        try:
            report = _run(plan, work, out)
        except BaseException:
            _leave_free(out, work)
            raise
        write_whole(out / "eval.yaml", render_tasks(report))
        write_whole(out / "README.md", render_card(report, licence, title))
        write_whole(out / _RECORD, json.dumps(report, ensure_ascii=False, indent=2))
    shutil.rmtree(work)
    return BuildResult(out, report)


def _run(plan: Plan, work: Path, out: Path) -> Report:
    """Write clips and rejections into `out`; `work` keeps the shards that are aligned."""
    cache, config = work / "cache", plan.config
    root = Path(plan.corpus.name)
    recordings = find_passages(read_recordings(plan.corpus, cache), config.aligner, config.track)
    texts = report_texts(recordings, root)
    grouping = group(recordings)
    lag = settle_lag(plan, recordings, work)
    make_clips = MakeClips(
        config.aligner,
        config.tokenizer,
        config.max_labels,
        lag["seconds"],
        config.thresholds,
        config.track,
    )
    shards = divide(add_unspoken(recordings, texts, root))
    paths = [work / f"{_SHARD}{i:05d}.parquet" for i in range(len(shards))]
    tallies = [
        align_shard(shard, path, make_clips, f"Aligning shard {i}/{len(shards)}")
        for i, (shard, path) in enumerate(zip(shards, paths, strict=True), start=1)
    ]
    totals = sum_tallies(tallies)
    sizes = join_shards(paths, grouping, config.seed, out, cache)
    lines = [line + "\n" for tally in tallies for line in tally.rejections]
    write_whole(out / "rejected.jsonl", "".join(lines))
    return {
        "key": plan.key,
        "source": plan.identity["source"],
        "config": plan.identity["config"],
        "versions": plan.identity["versions"],
        "aligner_licence": aligners.licence(config.aligner),
        "balance": totals["balance"],
        "recordings": totals["recordings"],
        "texts": texts,
        "rejected": totals["rejected"],
        "splits": sizes,
        "statistics": measure(out),
        "rights": write_rights(recordings, out),
        "files": file_sums(out),
        "lag": {**lag, "differing": [item for tally in tallies for item in tally.differing]},
    }


def _dress_card(card: Path, licence: str | None, title: str | None) -> None:
    text = before = card.read_text(encoding="utf-8")
    if licence is not None:
        text = set_licence(text, licence)
    if title is not None:
        text = set_title(text, title)
    if text != before:
        write_whole(card, text)


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


def _leave_free(out: Path, work: Path) -> None:
    """Remove what a build made that failed before its first shard was aligned."""
    if not any(work.glob(f"{_SHARD}*.json")):
        shutil.rmtree(work, ignore_errors=True)
        for folder in (out / "data", out):
            with suppress(OSError):  # not empty
                folder.rmdir()
