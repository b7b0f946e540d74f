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

from khmer_aligned import audio
from khmer_aligned.errors import UserError
from khmer_aligned.hub.resolve import resolve
from khmer_aligned.recordings import hub_dataset, manifest, pairs
from khmer_aligned.schema import Recording


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
    """The recordings of a corpus, in a fixed order, ids unique."""
    first_of: dict[str, str] = {}
    for recording in SOURCES[corpus.kind].read(corpus.name):
        if first := first_of.get(recording.id):
            problem = f"duplicate id {recording.id}: {first} has it; rename one"
            yield replace(recording, problem=recording.problem or problem)
        else:
            first_of[recording.id] = recording.path
            yield recording


def _folder_sha256(root: Path, source: Source) -> str:
    """One hash over the names and contents of all files that the source may read."""
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*")):
        is_read = path.suffix.lower() in audio.SUFFIXES or path.name.endswith(source.endings)
        if path.is_file() and is_read:
            with path.open("rb") as file:
                content = hashlib.file_digest(file, "sha256").hexdigest()
            digest.update(f"{path.relative_to(root)}\0{content}\n".encode())
    return digest.hexdigest()
