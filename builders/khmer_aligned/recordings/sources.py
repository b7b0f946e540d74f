"""Which format a place with recordings has, and its recordings: the table SOURCES.

A source never stops at one bad row: what cannot be aligned is yielded with its `problem`, and
ends as a rejection with that reason. A new format is one file beside this one, with ENDINGS,
`find` and `read`, and one row of SOURCES.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from khmer_aligned.console import note
from khmer_aligned.errors import UserError
from khmer_aligned.hub.resolve import resolve
from khmer_aligned.recordings import folder, hub_dataset, manifest, pairs
from khmer_aligned.schema import Problem, Recording

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
    content: str  # changes when the recordings or their texts do


def find(name: str) -> Corpus:
    """The corpus that `name` is: a folder, the manifest in a folder, or a dataset's Hub id.

    Raises UserError where there is none.
    """
    root = Path(name)
    if root.is_file() and root.name in manifest.MANIFESTS:
        root = root.parent
    if not root.is_dir():
        return Corpus(name, "dataset", resolve(name, "dataset").identity)
    for kind, source in SOURCES.items():
        if source.find(root):
            return Corpus(str(root), kind, _folder_sha256(root, source))
    raise UserError(
        f"{name}: holds no audio file, no {', '.join(manifest.MANIFESTS)} and no dataset; "
        f"put recordings and their .txt of the same name there"
    )


def read(corpus: Corpus) -> Iterator[Recording]:
    """The recordings of a corpus, in a fixed order, ids unique, each with its audio's hash.

    An audio file that a link puts into the folder from elsewhere is not read.
    """
    root = Path(corpus.name)
    first_of: dict[str, str] = {}
    name_of: dict[str, str] = {}  # of a hash
    twins: list[str] = []
    for recording in SOURCES[corpus.kind].read(corpus.name):
        if first := first_of.get(recording.id):
            detail = f"{recording.path}: {first} is called {recording.id}, too; rename one"
            recording = _with_problem(recording, Problem.DUPLICATE, detail)
        first_of.setdefault(recording.id, recording.path)
        audio = recording.audio
        if isinstance(audio, Path) and not folder.is_inside(audio, root):
            detail = f"{recording.path}: is a link that leaves the folder; put the file there"
            recording = replace(recording, audio=None, text_file=None)
            recording = _with_problem(recording, Problem.OUTSIDE, detail)
        elif audio is not None and (content := _sha256(audio)):
            name = name_of.setdefault(content, recording.recording)
            if name != recording.recording:
                twins.append(f"{recording.recording} is {name}")
            recording = replace(recording, content=content)
        yield recording
    if twins:
        shown = "; ".join(twins[:_SHOWN_TWINS]) + ("; ..." if len(twins) > _SHOWN_TWINS else "")
        note(f"{corpus.name}: {len(twins)} times the same audio under another name: {shown}")


def _with_problem(recording: Recording, problem: Problem, detail: str) -> Recording:
    return recording if recording.problem else replace(recording, problem=problem, detail=detail)


def _sha256(content: Path | bytes) -> str | None:
    """None for a file that cannot be opened, which is said where it is decoded."""
    if isinstance(content, bytes):
        return hashlib.sha256(content).hexdigest()
    with suppress(OSError), content.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
    return None


def _folder_sha256(root: Path, source: Source) -> str:
    """One hash over the names and contents of all files that the source may read.

    The files of a dataset that `datasets` fetched are links to its cache; no other link out of the
    folder is followed.
    """
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*")):
        name = path.name.lower()
        is_read = folder.is_audio(path) or name.endswith(source.endings)
        if is_read and path.is_file():
            may_link = name.endswith(hub_dataset.ENDINGS)
            content = _sha256(path) if may_link or folder.is_inside(path, root) else None
            digest.update(f"{path.relative_to(root)}\0{content}\n".encode())
    return digest.hexdigest()
