"""The last step of a build: splits are assigned and the published files are written.

It reads the small columns of the shards and links their files of clips; no audio is decoded, and
none is copied but that of shards in which two splits meet.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from khmer_aligned import aligners
from khmer_aligned.dataset import split
from khmer_aligned.dataset.card import describe_splits, render_tasks, renew_card
from khmer_aligned.dataset.checked import Checked, count_checked
from khmer_aligned.dataset.clip_files import Part, write_split
from khmer_aligned.dataset.leaks import Leaks, clip_splits, find_leaks
from khmer_aligned.dataset.parquet import WrittenFile
from khmer_aligned.dataset.ready import check_complete, check_unchanged
from khmer_aligned.dataset.report import (
    DifferingLag,
    Report,
    SplitSize,
    Tally,
    Totals,
    sum_tallies,
    summary,
)
from khmer_aligned.dataset.rights import RECORD as RIGHTS
from khmer_aligned.dataset.rights import write_rights
from khmer_aligned.dataset.state import Plan, State, require_plan
from khmer_aligned.dataset.statistics import Statistics, measure
from khmer_aligned.dataset.totals import (
    PlannedShard,
    Sizes,
    planned_shards,
    read_sizes,
    tally_shard,
)
from khmer_aligned.dataset.twins import find_twins
from khmer_aligned.files import (
    lock_folder,
    make_folder,
    move_file,
    move_folder,
    read_parquet,
    remove_folder,
    replace_whole,
    write_whole,
)
from khmer_aligned.hub.cards import check_licence
from khmer_aligned.recordings.corrections import read_decisions
from khmer_aligned.schema import SAMPLE_RATE, SPLITS
from khmer_aligned.stores import as_path, check_store

_RECORD = "build.json"


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


def join(out: str | Path, *, licence: str | None = None, title: str | None = None) -> BuildResult:
    """Write the published files of a build whose shards are aligned, in a folder or by URL.

    licence, title: of the card; by default what it has. Raises UserError where a shard is missing,
    or nothing became a clip.
    """
    licence = None if licence is None else check_licence(licence)
    out = as_path(out)
    check_store(out)
    plan = require_plan(out)
    with lock_folder(plan.state.folder):
        return BuildResult(out, join_shards(plan, licence, title))


def join_shards(plan: Plan, licence: str | None, title: str | None) -> Report:
    """`join`, for whoever holds the lock of the state."""
    check_complete(plan)
    check_unchanged(plan)
    stage = plan.state.stage
    remove_folder(stage)  # of a join that was killed
    make_folder(stage / "data")
    rows = plan.rows()
    shards = list(planned_shards(plan, rows))
    sizes = read_sizes(plan, shards, len(rows))
    twins = find_twins(sizes.fingerprints, sizes.recording)
    splits = _assign_splits(plan, rows, sizes, twins)
    leaks = find_leaks(plan, shards, splits)
    totals, differing = _write_rejections(plan, shards, leaks, stage)
    files = _write_clips(plan, shards, splits, leaks, stage)
    statistics = measure(stage)
    report: Report = {
        "key": plan.key,
        "source": plan.identity["source"],
        "config": plan.identity["config"],
        "versions": plan.identity["versions"],
        "increment": plan.increment,
        "aligner_licence": aligners.licence(plan.config.aligner),
        "balance": totals["balance"],
        "recordings": totals["recordings"],
        "texts": plan.texts,
        "rejected": totals["rejected"],
        "splits": _split_sizes(statistics, files),
        "statistics": statistics,
        "rights": write_rights(plan.recordings(), stage),
        "files": {f"data/{name}": file.sha256 for name, file in sorted(files.items())},
        "lag": {**plan.lag, "differing": differing},
        "duplicates": leaks.report(_name_twins(rows, twins)),
    }
    if checked := _count_checked(plan):
        report["checked"] = checked
    _write_texts(report, plan.state, licence, title)
    _keep_splits(plan, rows, sizes, splits)
    _publish_stage(plan.state)
    return report


def _count_checked(plan: Plan) -> Checked | None:
    """What people checked by ear; None where nobody did."""
    if not plan.state.corrections.is_file():
        return None
    decisions = read_decisions(plan.state.corrections)
    recordings = plan.recordings()
    unknown = {item.recording for item in decisions} - set(recordings["id"])
    stale = sum(map(len, recordings["stale"])) + sum(d.recording in unknown for d in decisions)
    return count_checked(decisions, stale)


def _name_twins(rows: pa.Table, twins: np.ndarray) -> list[list[str]]:
    """The names of recordings that sound the same, each pair once."""
    names = [rows["recording"].take(pa.array(side)).to_pylist() for side in twins.T]
    pairs = {tuple(sorted(pair)) for pair in zip(*names, strict=True)}
    return sorted([first, second] for first, second in pairs if first != second)


def _assign_splits(plan: Plan, rows: pa.Table, sizes: Sizes, twins: np.ndarray) -> np.ndarray:
    """The split of each recording, (n,) as places in SPLITS."""
    published = _read_splits(plan, rows)
    if split.is_decided(rows["split"]):
        twins = twins[:0]  # the source may have put two of one sound into two splits
    groups = split.find_groups(
        rows["recording"],
        rows["speakers"],
        rows["content"],
        twins,
        is_recording=rows["is_recording"],
    )
    seconds = np.maximum(1, np.round(sizes.in_clips / SAMPLE_RATE)).astype(np.int64)
    weights = np.where(sizes.clips > 0, seconds, 0)
    return split.assign(groups, weights, rows["split"], plan.config.seed, published)


def _read_splits(plan: Plan, rows: pa.Table) -> np.ndarray | None:
    """The split in which each recording was published before this plan, or NO_SPLIT."""
    before = [plan.state.splits(i) for i in range(plan.increment)]
    kept = [path for path in before if path.is_file()]
    if not kept:
        return None
    table = read_parquet(kept[-1])
    match = pc.index_in(rows["recording"], table["recording"])
    number = table["split"].take(pc.fill_null(match, 0))
    return pc.if_else(pc.is_valid(match), number, split.NO_SPLIT).to_numpy().astype(np.int64)


def _keep_splits(plan: Plan, rows: pa.Table, sizes: Sizes, splits: np.ndarray) -> None:
    """Write down where each recording is published, for the plans that follow."""
    has_clips = sizes.clips > 0
    recordings = rows["recording"].filter(pa.array(has_clips))
    table = pa.table({"recording": recordings, "split": pa.array(splits[has_clips], pa.int8())})
    with replace_whole(plan.state.splits(plan.increment)) as partial:
        pq.write_table(table, partial)


def _write_rejections(
    plan: Plan, shards: list[PlannedShard], leaks: Leaks, stage: Path
) -> tuple[Totals, list[DifferingLag]]:
    """Write rejected.jsonl; returns what all shards took in and gave."""
    differing: list[DifferingLag] = []
    with (
        replace_whole(stage / "rejected.jsonl") as partial,
        partial.open("w", encoding="utf-8") as file,
    ):

        def tallies() -> Iterator[Tally]:
            for shard in shards:
                tally = tally_shard(plan, shard, leaks.taken_out(shard.name))
                file.writelines(line + "\n" for line in tally.rejections)
                differing.extend(tally.differing)
                yield tally

        totals = sum_tallies(tallies())
    return totals, differing


def _write_clips(
    plan: Plan, shards: list[PlannedShard], splits: np.ndarray, leaks: Leaks, stage: Path
) -> dict[str, WrittenFile]:
    """Write the files of clips of all splits: what is known of each, by its name."""
    parts: dict[int, list[Part]] = {number: [] for number in range(len(SPLITS))}
    for shard in shards:
        for number, part in _parts(shard, splits[shard.rows], leaks):
            parts[number].append(part)
    files = {}
    for number, name in enumerate(SPLITS):
        written = write_split(parts[number], name, plan.state, stage / "data")
        for i, file in enumerate(written):
            files[f"{name}-{i:05d}-of-{len(written):05d}.parquet"] = file
    return files


def _parts(shard: PlannedShard, splits: np.ndarray, leaks: Leaks) -> Iterator[tuple[int, Part]]:
    """The parts of a shard, each with the number of its split."""
    of_clip = clip_splits(shard, splits)
    of_clip[[clip.index for clip in leaks.taken_out(shard.name)]] = split.NO_SPLIT
    samples = shard.clip_samples.values.to_numpy()
    for number in np.unique(of_clip[of_clip >= 0]).tolist():
        chosen = of_clip == number
        yield number, Part(shard.name, chosen, float(samples[chosen].sum()) / SAMPLE_RATE)


def _split_sizes(statistics: Statistics, files: dict[str, WrittenFile]) -> dict[str, SplitSize]:
    return {
        name: {
            "recordings": split["recordings"],
            "clips": split["clips"],
            "seconds": split["seconds"],
            "bytes": sum(f.bytes for file, f in files.items() if file.startswith(f"{name}-")),
            "stored_bytes": sum(
                f.stored_bytes for file, f in files.items() if file.startswith(f"{name}-")
            ),
        }
        for name, split in statistics["splits"].items()
    }


def _write_texts(report: Report, state: State, licence: str | None, title: str | None) -> None:
    """Write the card, with what its publisher gave it before, the tasks and build.json."""
    card = renew_card(report, state.out / "README.md", licence, title)
    write_whole(state.stage / "README.md", card)
    write_whole(state.stage / "eval.yaml", render_tasks(report))
    write_whole(state.stage / _RECORD, json.dumps(report, ensure_ascii=False, indent=2))


def _publish_stage(state: State) -> None:
    """Put the files of the stage in place of those before; build.json is there at the end only."""
    out, stage = state.out, state.stage
    (out / _RECORD).unlink(missing_ok=True)
    move_folder(stage / "data", out / "data")
    if not (stage / RIGHTS).is_file():
        (out / RIGHTS).unlink(missing_ok=True)
    for path in sorted(stage.iterdir(), key=lambda path: path.name == _RECORD):
        if path.is_file():
            move_file(path, out / path.name)
    remove_folder(stage)
