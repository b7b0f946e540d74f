"""Which format a place with recordings has, and its recordings: the table SOURCES.

A source never stops at one bad row: what cannot be aligned is yielded with its `problem`, and
ends as a rejection with that reason. A new format is one file beside this one, with ENDINGS,
`find` and `read`, and one row of SOURCES.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from khmer_aligned.console import note
from khmer_aligned.errors import UserError
from khmer_aligned.hub.resolve import resolve
from khmer_aligned.recordings import folder, hub_dataset, manifest, pairs
from khmer_aligned.recordings.corrections import (
    Decision,
    correct,
    corrections_file,
    latest,
    read_decisions,
)
from khmer_aligned.recordings.snapshot import Snapshot, SourceFiles, sha256_of_file
from khmer_aligned.schema import Problem, Recording
from khmer_aligned.stores import as_path, check_store, is_remote

_SHOWN_TWINS = 5


class Source(NamedTuple):
    """A format of recordings."""

    find: Callable[[Path], bool]  # whether a folder has this format
    read: Callable[[str], Iterator[Recording]]  # of the folder or the Hub id, in a fixed order
    endings: tuple[str, ...]  # of the names of the files that it reads beside audio


# A folder has the first of these formats that finds itself in it.
SOURCES = {
    "manifest": Source(manifest.find, manifest.read, manifest.ENDINGS),
    "pairs": Source(pairs.find, pairs.read, pairs.ENDINGS),
    "dataset": Source(hub_dataset.find, hub_dataset.read, hub_dataset.ENDINGS),
}


class Corpus(NamedTuple):
    """A collection of recordings: where it is, its format, and a hash of its content."""

    name: str  # as the user wrote it
    kind: str  # a key of SOURCES
    content: str  # changes when the recordings, their texts or the corrections do
    files: Snapshot | None = None  # of a folder
    corrections: str = ""  # the file of corrections; "" where there is none

    def decisions(self) -> list[Decision]:
        """What people decided by ear of these recordings, in order."""
        return read_decisions(as_path(self.corrections)) if self.corrections else []


class Place(NamedTuple):
    """Where recordings are."""

    name: str  # a folder, or the Hub id of a dataset
    kind: str  # a key of SOURCES
    identity: str | None  # of a dataset on the Hub: its id and commit; None for a folder


def locate(name: str) -> Place:
    """The place that `name` is: a folder, the manifest in a folder, or a dataset's Hub id.

    No recording is read. Raises UserError where there is none.
    """
    root, kind = _folder_and_kind(name)
    if root.is_dir():
        return Place(str(root), kind, None)
    return Place(name, kind, resolve(name, "dataset").identity)


def find(name: str, memory: Path | None = None, corrections: Path | None = None) -> Corpus:
    """The corpus that `name` is; see `locate` and `take`."""
    return take(locate(name), memory, corrections)


def take(place: Place, memory: Path | None = None, corrections: Path | None = None) -> Corpus:
    """The corpus at a place, its files hashed.

    memory: a file that keeps the hashes of a folder's files for the next time. corrections: the
    file of corrections; by default `corrections.jsonl` in the folder. Raises UserError where a
    given one is missing.
    """
    name, kind, identity = place
    if identity is None:
        files = Snapshot.take(files_of(as_path(name), kind), memory)
        corpus = Corpus(name, kind, files.content, files)
    else:
        corpus = Corpus(name, kind, identity)
    file = corrections_file(name, corrections)
    if file is None or not read_decisions(file):
        return corpus
    if corrections is None:
        folder.check_inside(file, as_path(name))
    content = f"{corpus.content}+corrections@sha256:{sha256_of_file(file)}"
    return corpus._replace(content=content, corrections=str(file.absolute()))


def _folder_and_kind(name: str) -> tuple[Path, str]:
    """The folder that `name` is, and its format; a name that is no folder is a Hub id."""
    root = as_path(name)
    if root.name in manifest.MANIFESTS and root.is_file():
        root = root.parent
    check_store(root)
    if is_remote(root) and not root.is_dir():
        raise UserError(f"{name}: nothing is there; see how the bucket and the folder are called")
    if not root.is_dir():
        return root, "dataset"
    for kind, source in SOURCES.items():
        if source.find(root):
            if kind == "dataset" and is_remote(root):
                raise UserError(
                    f"{name}: a dataset of parquet files is not read from an object store; copy it "
                    "to a folder, or put it on the Hub"
                )
            return root, kind
    raise UserError(
        f"{name}: holds no audio file, no {', '.join(manifest.MANIFESTS)} and no dataset; "
        f"put recordings and their .txt of the same name there"
    )


def read_uncorrected(name: str) -> Iterator[Recording]:
    """The recordings of a folder or a Hub id as they are there; no file is hashed.

    An audio file that a link puts into the folder from elsewhere is left out.
    """
    root, kind = _folder_and_kind(name)
    for recording in SOURCES[kind].read(name if kind == "dataset" else str(root)):
        audio = recording.audio
        if _is_outside(audio, root):
            recording = replace(recording, audio=None)
        yield recording


def read(corpus: Corpus) -> Iterator[Recording]:
    """The recordings of a corpus, in a fixed order, ids unique, each with its audio's hash.

    Each is corrected as the corpus has it; corrections that do not apply are noted. An audio file
    that a link puts into the folder from elsewhere is not read.
    """
    root = as_path(corpus.name)
    first_of: dict[str, str] = {}
    name_of: dict[str, str] = {}  # of a hash
    twins: list[str] = []
    decisions_of: dict[str, list[Decision]] = {}
    for decision in latest(corpus.decisions()):
        decisions_of.setdefault(decision.recording, []).append(decision)
    for recording in SOURCES[corpus.kind].read(corpus.name):
        if first := first_of.get(recording.id):
            detail = f"{recording.path}: {first} is called {recording.id}, too; rename one"
            recording = _with_problem(recording, Problem.DUPLICATE, detail)
        first_of.setdefault(recording.id, recording.path)
        audio = recording.audio
        if _is_outside(audio, root):
            detail = f"{recording.path}: is a link that leaves the folder; put the file there"
            recording = replace(recording, audio=None, text_file=None)
            recording = _with_problem(recording, Problem.OUTSIDE, detail)
        elif audio is not None and (content := _sha256(audio, corpus.files)):
            name = name_of.setdefault(content, recording.recording)
            if name != recording.recording:
                twins.append(f"{recording.recording} is {name}")
            recording = replace(recording, content=content)
        if recording.id in decisions_of and recording.problem != Problem.DUPLICATE:
            recording = correct(recording, decisions_of.pop(recording.id)).recording
            for line in recording.stale:
                note(f"{corpus.corrections}: not applied: {line}")
        yield recording
    for id in decisions_of:
        note(f"{corpus.corrections}: not applied: there is no recording {id}")
    if twins:
        shown = "; ".join(twins[:_SHOWN_TWINS]) + ("; ..." if len(twins) > _SHOWN_TWINS else "")
        note(f"{corpus.name}: {len(twins)} times the same audio under another name: {shown}")


def _is_outside(audio: Path | bytes | None, root: Path) -> bool:
    return not (audio is None or isinstance(audio, bytes) or folder.is_inside(audio, root))


def _with_problem(recording: Recording, problem: Problem, detail: str) -> Recording:
    return recording if recording.problem else replace(recording, problem=problem, detail=detail)


def files_of(root: Path, kind: str) -> SourceFiles:
    """Which files of a folder a source of this kind reads."""
    endings = SOURCES[kind].endings
    return SourceFiles(
        root,
        is_read=lambda name: folder.is_audio(Path(name)) or name.lower().endswith(endings),
        may_link=lambda name: name.lower().endswith(hub_dataset.ENDINGS),
    )


def _sha256(audio: Path | bytes, files: Snapshot | None) -> str | None:
    """None for a file that cannot be opened, which is said where it is decoded."""
    if isinstance(audio, bytes):
        return hashlib.sha256(audio).hexdigest()
    return files.sha256_of(audio) if files is not None else sha256_of_file(audio)
