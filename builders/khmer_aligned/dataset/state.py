"""What a build keeps beside the published files: the folder OUT/.build, which is never published.

    source.json        where the recordings and the models lie on this machine
    corrections.jsonl  what people decided by ear, as the plan has it
    files.parquet      sizes, times and hashes of the source's files
    plan.json          the plan: its identity, lag and shards; names the folder of its tables
    plan-00-1a2b3c4d/  rows.parquet (a row for each recording), files.parquet, the recordings
    shards/            of each shard its clips and the outcomes of its recordings
    splits-00.parquet  the split of each recording that was published
    lock, plan.lock    held by a build or a join, and by whoever makes the plan

It stays after the build, so that a source that grew is built further.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa

from khmer_aligned.alignment.thresholds import Thresholds
from khmer_aligned.dataset.config import BuildConfig
from khmer_aligned.dataset.report import LagReport, TextReport
from khmer_aligned.errors import UserError
from khmer_aligned.files import keep_copies, read_parquet, read_whole, write_whole
from khmer_aligned.recordings.builder import open_recordings
from khmer_aligned.recordings.corrections import FILE as CORRECTIONS

_FOLDER = ".build"
_CLIPS, _OUTCOMES = ".clips.parquet", ".outcomes.parquet"


@dataclass(frozen=True)
class State:
    """The places of a build's own files."""

    out: Path

    @property
    def folder(self) -> Path:
        """OUT/.build."""
        return self.out / _FOLDER

    @property
    def files(self) -> Path:
        """The hashes of the source's files that are known."""
        return self.folder / "files.parquet"

    @property
    def corrections(self) -> Path:
        """The decisions by ear that the plan has; not there where it has none."""
        return self.folder / CORRECTIONS

    @property
    def stage(self) -> Path:
        """Where published files lie until all of them are written."""
        return self.folder / "stage"

    def plan_folder(self, increment: int, key: str) -> Path:
        """The tables of a plan."""
        return self.folder / f"plan-{increment:02d}-{key[:8]}"

    def clips(self, shard: str) -> Path:
        """The clips of a shard: rows of CLIP_FEATURES."""
        return self.folder / "shards" / f"{shard}{_CLIPS}"

    def outcomes(self, shard: str) -> Path:
        """The outcomes of a shard's recordings; written last, so a shard that has it is done."""
        return self.folder / "shards" / f"{shard}{_OUTCOMES}"

    def finished_shards(self) -> list[str]:
        """The names of all shards that are done, of this plan and of earlier ones; sorted."""
        found = (self.folder / "shards").glob(f"[!.]*{_OUTCOMES}")
        return sorted(path.name.removesuffix(_OUTCOMES) for path in found)

    def splits(self, increment: int) -> Path:
        """The split of each recording, as the join of an increment published it."""
        return self.folder / f"splits-{increment:02d}.parquet"


@dataclass(frozen=True)
class Plan:
    """A build that is to be done, as it is written down in its state.

    identity: what decides its result, as build.json records it: the source, the configuration
    with pinned models, the versions. key: a hash of the identity. increment: how many plans with
    outcomes there were before. texts: those that are of several recordings. shards: names; a
    recording's number of its shard is a place here.
    """

    state: State
    source: str  # a folder, or a Hub id
    kind: str  # of the source: a key of SOURCES
    config: BuildConfig
    identity: dict[str, Any]
    key: str
    increment: int
    lag: LagReport
    texts: dict[str, TextReport]
    shards: tuple[str, ...] = ()

    @property
    def folder(self) -> Path:
        """Where its tables are written."""
        return self.state.plan_folder(self.increment, self.key)

    @property
    def tables(self) -> Path:
        """Where its tables are read: the same folder, or a copy where that is in a store."""
        return keep_copies(self.folder)

    @property
    def rows_file(self) -> Path:
        """The rows of ROW_SCHEMA, a row for each recording, in order of shard and place."""
        return self.folder / "rows.parquet"

    @property
    def files(self) -> Path:
        """Sizes, times and hashes of the source's files as they were planned."""
        return self.folder / "files.parquet"

    @property
    def missing(self) -> list[int]:
        """The numbers of the shards that are not done."""
        finished = set(self.state.finished_shards())
        return [i for i, name in enumerate(self.shards) if name not in finished]

    def rows(self, shard: int | None = None, columns: list[str] | None = None) -> pa.Table:
        """The rows of all recordings, or of one shard."""
        filters = None if shard is None else [("shard", "=", shard)]
        return read_parquet(self.tables / self.rows_file.name, columns, filters)

    def changed_outcomes(self) -> bool:
        """Whether a file changed while its shard was aligned, so that its outcome is of no use."""
        finished = set(self.state.finished_shards())
        for name in self.shards:
            if name.startswith(f"{self.increment:02d}-") and name in finished:
                keys = read_parquet(self.state.outcomes(name), ["key"])["key"]
                if keys.null_count:
                    return True
        return False

    def recordings(self) -> datasets.Dataset:
        """The rows of RECORDING_FEATURES, in the source's order, mapped from disk."""
        return open_recordings(self.tables)

    def save(self) -> None:
        """Write it down; its tables are there already."""
        record = {
            "key": self.key,
            "identity": self.identity,
            "config": asdict(self.config),
            "kind": self.kind,
            "increment": self.increment,
            "lag": self.lag,
            "texts": self.texts,
            "shards": self.shards,
        }
        config = self.config
        places = {"source": self.source, "aligner": config.aligner, "tokenizer": config.tokenizer}
        _write_json(self.state.folder / "source.json", places)
        _write_json(self.state.folder / "plan.json", record)


def read_plan(out: Path) -> Plan | None:
    """The plan of a build in `out`; None where none is written down."""
    state = State(out)
    file = state.folder / "plan.json"
    if not file.is_file():
        return None
    record = json.loads(read_whole(file))
    places = json.loads(read_whole(state.folder / "source.json"))
    config = record["config"]
    thresholds = Thresholds(**config.pop("thresholds"))
    return Plan(
        state,
        places["source"],
        record["kind"],
        BuildConfig(**config, thresholds=thresholds),
        record["identity"],
        record["key"],
        record["increment"],
        record["lag"],
        record["texts"],
        tuple(record["shards"]),
    )


def require_plan(out: Path) -> Plan:
    """The plan of a build in `out`; raises UserError where there is none."""
    plan = read_plan(out)
    if plan is None:
        raise UserError(
            f"{out}: holds no planned build; begin it with: khmer-aligned build SOURCE {out}"
        )
    return plan


def _write_json(path: Path, content: dict[str, Any]) -> None:
    write_whole(path, json.dumps(content, ensure_ascii=False, indent=1))
