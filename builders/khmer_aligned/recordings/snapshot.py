"""The files of a source: their sizes and times, and their contents, hashed once and remembered.

A start on a source that did not change costs a look at each file's size and time. A file whose
time is younger than two seconds before it was hashed is hashed again: it may have changed since
within one tick of the file system's clock.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from khmer_aligned.files import fetch, read_parquet, replace_whole
from khmer_aligned.recordings import folder
from khmer_aligned.stores import FileInfo, is_remote, list_store, stat_file

_SCHEMA = pa.schema(
    {
        "path": pa.string(),  # in the source's folder
        "size": pa.int64(),
        "mtime_ns": pa.int64(),
        "sha256": pa.string(),  # null: cannot be opened, or is a link that leaves the folder
        "hashed_ns": pa.int64(),  # when
    }
)
_TICK_NS = 2_000_000_000  # the coarsest clock of a file system: FAT's
_KEEP_SECONDS = 60.0  # between two writings of what is hashed so far
_READERS = 8  # files that are hashed at once


class SourceFiles(NamedTuple):
    """Which files of a folder a source reads.

    is_read: by the file's name. may_link: whether a file of that name may be a link that leaves
    the folder, as those are that `datasets` fetched.
    """

    root: Path
    is_read: Callable[[str], bool]
    may_link: Callable[[str], bool]


class Snapshot:
    """Sizes, times and hashes of the files that a source reads, at one moment."""

    def __init__(self, files: SourceFiles, table: pa.Table) -> None:
        self._files, self._table = files, table
        self._prefix = f"{files.root}/"
        hashes = np.fromiter(map(hash, _values(table["path"])), np.int64, len(table))
        self._order = np.argsort(hashes, kind="stable")
        self._hashes = hashes[self._order]

    @classmethod
    def take(cls, files: SourceFiles, memory: Path | None = None) -> Snapshot:
        """Look at all files, and hash those that `memory` does not know as they are now.

        memory: a file that keeps the hashes for the next time.
        """
        table = _scan(files)
        known = read_parquet(memory) if memory is not None and memory.is_file() else None
        return cls(files, _hash_unknown(files, _recall(table, known), memory))

    @property
    def content(self) -> str:
        """One hash over the names and contents of all files."""
        digest = hashlib.sha256()
        pairs = zip(_values(self._table["path"]), _values(self._table["sha256"]), strict=True)
        for path, content in pairs:
            digest.update(f"{path}\0{content}\n".encode())
        return digest.hexdigest()

    def sha256_of(self, path: Path) -> str | None:
        """The hash of a file in the folder; None where it cannot be opened."""
        name = str(path).removeprefix(self._prefix)
        first = int(np.searchsorted(self._hashes, hash(name)))
        while first < len(self._hashes) and self._hashes[first] == hash(name):
            row = int(self._order[first])
            if self._table["path"][row].as_py() == name:
                content: str | None = self._table["sha256"][row].as_py()
                return content
            first += 1
        return sha256_of_file(path)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Snapshot) and self.content == other.content

    def __hash__(self) -> int:
        return hash(self.content)

    def save(self, path: Path) -> None:
        """Keep what is known now, for `changed_since` and the next `take`."""
        _write(self._table, path)


def changed_since(files: SourceFiles, kept: Path) -> list[str]:
    """Files that are new, gone, or of another size or time than a saved snapshot says; sorted."""
    before, now = read_parquet(kept), _scan(files)
    match = pc.index_in(now["path"], before["path"])
    is_known = pc.is_valid(match)
    rows = before.take(pc.fill_null(match, 0)) if len(before) else now
    same = pc.and_(
        is_known,
        pc.and_(pc.equal(now["size"], rows["size"]), pc.equal(now["mtime_ns"], rows["mtime_ns"])),
    )
    gone = before.filter(pc.invert(pc.is_in(before["path"], now["path"])))
    different = now.filter(pc.invert(same))
    return sorted([*different["path"].to_pylist(), *gone["path"].to_pylist()])


def changed_files(root: Path, paths: list[Path], kept: Path) -> set[Path]:
    """Those of some files in `root` whose size or time is not that of a saved snapshot."""
    names = {path.relative_to(root).as_posix(): path for path in paths}
    if not names:
        return set()
    rows = read_parquet(kept, filters=[("path", "in", [*names])]).to_pylist()
    before = {row["path"]: (row["size"], row["mtime_ns"]) for row in rows}
    changed = set()
    for name, path in names.items():
        try:
            if before.get(name) != stat_file(path):
                changed.add(path)
        except OSError:
            changed.add(path)
    return changed


def sha256_of_file(path: Path) -> str | None:
    """The hash of a file's content; None where it cannot be opened."""
    with fetch(path) as here:
        try:
            with here.open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        except OSError:
            return None


def _scan(files: SourceFiles) -> pa.Table:
    """Path, size and time of each file, folder by folder, by name."""
    paths, sizes, times = [], [], []
    for name, info in _list(files):
        paths.append(name)
        sizes.append(info.size)
        times.append(info.mtime_ns)
    unknown: list[None] = [None] * len(paths)
    return pa.table([paths, sizes, times, unknown, unknown], schema=_SCHEMA)


def _list(files: SourceFiles) -> Iterable[tuple[str, FileInfo]]:
    if not is_remote(files.root):
        return _walk(files, files.root, "")
    listed = list_store(files.root).items()
    return ((name, info) for name, info in listed if files.is_read(name.rpartition("/")[2]))


def _walk(files: SourceFiles, directory: Path, prefix: str) -> Iterator[tuple[str, FileInfo]]:
    with os.scandir(directory) as entries:
        listed = sorted(entries, key=lambda entry: entry.name)
    for entry in listed:
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(files, Path(entry.path), f"{prefix}{entry.name}/")
        elif files.is_read(entry.name):
            try:
                if entry.is_file():
                    status = entry.stat()
                    yield f"{prefix}{entry.name}", FileInfo(status.st_size, status.st_mtime_ns)
            except OSError:  # a link in a circle
                continue


def _recall(table: pa.Table, known: pa.Table | None) -> pa.Table:
    """`table` with the hashes that are known of files of the same size and time."""
    if known is None or len(known) == 0:
        return table
    rows = known.take(pc.fill_null(pc.index_in(table["path"], known["path"]), 0))
    settled = pc.less(rows["mtime_ns"], pc.subtract(rows["hashed_ns"], _TICK_NS))
    same = pc.and_(
        pc.and_(pc.equal(rows["path"], table["path"]), settled),
        pc.and_(
            pc.equal(rows["size"], table["size"]), pc.equal(rows["mtime_ns"], table["mtime_ns"])
        ),
    )
    for column in ("sha256", "hashed_ns"):
        values = pc.if_else(same, rows[column], None)
        table = table.set_column(table.schema.get_field_index(column), column, values)
    return table


def _hash_unknown(files: SourceFiles, table: pa.Table, memory: Path | None) -> pa.Table:
    """`table` with every hash; `memory` is written now and then, and at the end."""
    missing = pc.indices_nonzero(pc.is_null(table["hashed_ns"])).to_numpy()
    if len(missing) == 0:
        return table
    hashes = np.array(table["sha256"].to_pylist(), dtype=object)
    times = pc.fill_null(table["hashed_ns"], 0).to_numpy().copy()
    paths = table["path"].take(pa.array(missing))
    written = time.monotonic()
    with ThreadPoolExecutor(_READERS) as readers:
        results = readers.map(lambda name: _hash_file(files, name), _values(paths))
        for row, (content, hashed_ns) in zip(missing, results, strict=True):
            hashes[row], times[row] = content, hashed_ns
            if memory is not None and time.monotonic() - written > _KEEP_SECONDS:
                _write(_with_hashes(table, hashes, times), memory)
                written = time.monotonic()
    table = _with_hashes(table, hashes, times)
    if memory is not None:
        _write(table, memory)
    return table


def _hash_file(files: SourceFiles, name: str) -> tuple[str | None, int]:
    path, now = files.root / name, time.time_ns()
    is_link = not is_remote(path) and path.is_symlink()
    leaves = is_link and not folder.is_inside(path, files.root)
    if leaves and not files.may_link(path.name):
        return None, now
    return sha256_of_file(path), now


def _with_hashes(table: pa.Table, hashes: np.ndarray, times: np.ndarray) -> pa.Table:
    done = pa.array(times, mask=times == 0)
    columns = {"sha256": pa.array(hashes, pa.string()), "hashed_ns": done}
    for column, values in columns.items():
        table = table.set_column(table.schema.get_field_index(column), column, values)
    return table


def _write(table: pa.Table, path: Path) -> None:
    with replace_whole(path) as partial:
        pq.write_table(table, partial)


def _values(column: pa.ChunkedArray) -> Iterator[str]:
    """The values, converted a few at a time."""
    for batch in pa.table({"value": column}).to_batches(max_chunksize=10_000):
        yield from batch["value"].to_pylist()
