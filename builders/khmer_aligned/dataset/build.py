"""Recordings to a folder in the Hub's own layout: the plan, its shards, the join.

Each step can be run again and goes on where it was. A build that was killed ends with the same
bytes as one that was not.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from khmer_aligned.dataset.config import BuildConfig
from khmer_aligned.dataset.engines import Engine, load_engine
from khmer_aligned.dataset.join import BuildResult, join_shards
from khmer_aligned.dataset.plan import leave_free, make_plan
from khmer_aligned.dataset.report import Report
from khmer_aligned.dataset.state import Plan
from khmer_aligned.files import lock_folder, write_whole
from khmer_aligned.hub.cards import check_licence, set_licence, set_title
from khmer_aligned.stores import as_path


def build(
    source: str | Path,
    out: str | Path,
    config: BuildConfig | None = None,
    *,
    licence: str | None = None,
    title: str | None = None,
    corrections: Path | None = None,
    engine: Engine = "local",
    **options: Any,
) -> BuildResult:
    """Build the folder `out` from the recordings in `source`, or finish it if it was begun.

    source: a folder of recordings with their .txt, a folder with metadata.csv, .tsv or .jsonl, or
    a dataset with an audio and a text column, by folder or Hub id. Folders and `out` may be in an
    object store, by URL. options: fields of BuildConfig or of its Thresholds that differ from
    `config`, as in `build(source, out, max_misfit=0.5)`.
    licence, title: of the card; of a folder that is finished, they replace those it has.
    corrections: what people decided by ear; by default corrections.jsonl in the source's folder.
    engine: this machine (`local`) or a Ray cluster aligns; the bytes are the same.

    Where the source grew or was corrected since, only what is new is aligned; all else keeps its
    clips and its split. A folder that holds a build with other settings or versions, or other
    files, is never overwritten. Raises UserError for what the user can mend; a bad recording is
    no error, but ends in rejected.jsonl.
    """
    out = as_path(out)
    licence = None if licence is None else check_licence(licence)
    run_shards = load_engine(engine)
    config = (config or BuildConfig()).with_options(**options)
    plan = make_plan(str(source), out, config, corrections)
    with lock_folder(plan.state.folder):
        if (report := _finished(plan)) is not None:
            _dress_card(out / "README.md", licence, title)
            return BuildResult(out, report)
        try:
            run_shards(out, plan.missing)
            return BuildResult(out, join_shards(plan, licence, title))
        except BaseException:
            leave_free(plan.state)
            raise


def build_shards(
    source: str | Path,
    out: str | Path,
    part: tuple[int, int],
    config: BuildConfig | None = None,
    corrections: Path | None = None,
    **options: Any,
) -> Plan:
    """Plan the build, unless that is done, and align a part of its shards; `join` does the rest.

    part: (i, n), the i-th of n, from 1 up: for n processes on one machine or on many that share
    `out`. Arguments are otherwise those of `build`.
    """
    number, count = part
    if not 1 <= number <= count:
        raise ValueError(f"part {number} of {count}")
    config = (config or BuildConfig()).with_options(**options)
    plan = make_plan(str(source), as_path(out), config, corrections)
    mine = range(number - 1, len(plan.shards), count)
    load_engine("local")(plan.state.out, [index for index in plan.missing if index in mine])
    return plan


def _finished(plan: Plan) -> Report | None:
    """The report of this very build, if it is finished."""
    record = plan.state.out / "build.json"
    if not record.is_file():
        return None
    report: Report = json.loads(record.read_text(encoding="utf-8"))
    return report if report["key"] == plan.key else None


def _dress_card(card: Path, licence: str | None, title: str | None) -> None:
    text = before = card.read_text(encoding="utf-8")
    if licence is not None:
        text = set_licence(text, licence)
    if title is not None:
        text = set_title(text, title)
    if text != before:
        write_whole(card, text)
