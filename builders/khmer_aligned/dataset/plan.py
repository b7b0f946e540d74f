"""The first step of a build: which recordings there are, what they need, and in which shards.

A plan is made once and written down; whoever starts the same build finds it. A source that grew
or was corrected gets a new plan, which keeps the outcome of every recording that did not change.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from khmer_aligned.clips.labels import LabelCounter
from khmer_aligned.dataset.config import BuildConfig
from khmer_aligned.dataset.identity import check_settings, identify, pin_models
from khmer_aligned.dataset.lag import settle_lag
from khmer_aligned.dataset.passages import settle_texts
from khmer_aligned.dataset.rows import write_rows
from khmer_aligned.dataset.state import Plan, State, read_plan
from khmer_aligned.errors import UserError
from khmer_aligned.files import (
    lock_folder,
    make_folder,
    remove_folder,
    replace_folder_whole,
    write_whole,
)
from khmer_aligned.recordings import sources
from khmer_aligned.recordings.builder import read_recordings
from khmer_aligned.stores import as_path, check_store, is_remote, is_url


def make_plan(source: str, out: Path, config: BuildConfig, corrections: Path | None = None) -> Plan:
    """The plan of the build of `source` in `out`: the one that is written down, or a new one.

    corrections: their file, where it does not lie in the source's folder. Another process that
    plans in the same folder is waited for. Raises UserError where a model or the source is missing,
    or `out` holds something else.
    """
    check_store(out)
    check_folder(out)
    place = sources.locate(_absolute(source))
    config = pin_models(config)
    identity = identify(config)
    # A tokenizer that cannot be loaded is an error now, not after the first shard is aligned.
    LabelCounter(config.tokenizer)
    state = State(out.absolute())
    make_folder(state.folder)
    with lock_folder(state.folder, "plan.lock", wait=True):
        try:
            return _find_or_make(place, state, config, identity, corrections)
        except Exception:
            leave_free(state)
            raise


def _absolute(source: str) -> str:
    """A source by a name that holds for every working folder; a Hub id as it is."""
    if is_url(source) or not Path(source).exists():
        return source
    return str(Path(source).absolute())


def check_folder(out: Path) -> None:
    """Raises UserError where `out` is a file, or holds other files than a build's."""
    if out.exists() and not out.is_dir():
        raise UserError(f"{out}: is a file; name a folder to build into")
    if State(out).folder.is_dir() or not out.is_dir() or not any(out.iterdir()):
        return
    if (out / "build.json").is_file():
        raise UserError(
            f"{out}: holds a dataset without the state of its build ({State(out).folder.name}), "
            "so it cannot be built further; name a new folder"
        )
    raise UserError(f"{out}: holds other files; name a new folder")


def leave_free(state: State) -> None:
    """Remove the state of a build that failed before a shard was aligned, and an empty `out`."""
    if state.finished_shards():
        return
    remove_folder(state.folder)
    if not is_remote(state.out) and state.out.is_dir() and not any(state.out.iterdir()):
        state.out.rmdir()


def _find_or_make(
    place: sources.Place,
    state: State,
    config: BuildConfig,
    identity: dict[str, Any],
    corrections: Path | None,
) -> Plan:
    before = read_plan(state.out)
    if before is not None:
        check_settings(state.out, before.identity, identity)
    corpus = sources.take(place, state.files, corrections)
    identity = {"source": {"kind": corpus.kind, "content": corpus.content}, **identity}
    key = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
    if before is not None and before.key == key and not before.changed_outcomes():
        plan = replace(before, source=corpus.name, config=config)  # they may have been moved
        plan.save()
        return plan
    finished = state.finished_shards()
    increment = 1 + max((int(name.partition("-")[0]) for name in finished), default=-1)
    folder = state.plan_folder(increment, key)
    with replace_folder_whole(folder) as tables:
        recordings = read_recordings(corpus, tables)
        recordings, texts = settle_texts(recordings, corpus, config, tables)
        if before is not None and finished:
            lag = before.lag  # clips that stay have it
        else:
            lag = settle_lag(config, identity["config"]["aligner"], recordings)
        plan = Plan(state, corpus.name, corpus.kind, config, identity, key, increment, lag, texts)
        plan = replace(plan, shards=write_rows(plan, recordings, finished))
    if corpus.files is not None:
        corpus.files.save(plan.files)
    if corpus.corrections:
        corrections_text = as_path(corpus.corrections).read_text(encoding="utf-8")
        write_whole(state.corrections, corrections_text)
    else:
        state.corrections.unlink(missing_ok=True)
    plan.save()
    for earlier in list(state.folder.glob("plan-[0-9]*")):
        if earlier != folder:
            remove_folder(earlier)
    return plan
