"""Files written whole or not at all, and folders kept for one process, here or in an object store.

What a file system does by a rename, a link or a lock, a store does in a way of its own.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, cast
from uuid import uuid4

from filelock import FileLock, Timeout

from khmer_aligned.errors import UserError
from khmer_aligned.stores import as_store, get_file, is_remote, list_store, put_file, store_errors

if TYPE_CHECKING:
    import pyarrow as pa

_MOVERS = 16  # files that a store copies at once


def read_whole(path: Path) -> str:
    """The text of a file that others may be replacing: the old one or the new one."""
    if is_remote(path):
        place = as_store(path)
        return cast(str, place.fs.cat_file(place.path).decode("utf-8"))
    return path.read_text(encoding="utf-8")


def write_whole(path: Path, text: str) -> None:
    """Write `text` in UTF-8, so that a reader sees the old file or the new one, never a part."""
    with replace_whole(path) as partial:
        partial.write_text(text, encoding="utf-8")


@contextmanager
def replace_whole(path: Path) -> Iterator[Path]:
    """The name of a file on this machine to write in place of `path`, when the block ends.

    A block that raises leaves `path` as it was.
    """
    if is_remote(path):
        with TemporaryDirectory(prefix="khmer-aligned-") as folder:
            yield (partial := Path(folder) / path.name)
            put_file(partial, path)
        return
    # Several processes, on several machines even, may write it at once. The partial file of a
    # process that was killed stays; its name begins with a dot, so it is never published.
    partial = path.with_name(f".{path.name}.{uuid4().hex[:12]}.partial")
    try:
        yield partial
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    partial.replace(path)


@contextmanager
def replace_folder_whole(folder: Path) -> Iterator[Path]:
    """An empty folder on this machine to fill: `folder`, or one that is put there at the end."""
    remove_folder(folder)
    if not is_remote(folder):
        yield folder
        return
    with TemporaryDirectory(prefix="khmer-aligned-") as local:
        yield Path(local)
        for path in sorted(Path(local).rglob("*")):
            if path.is_file():
                put_file(path, folder / path.relative_to(local).as_posix())


@contextmanager
def fetch(path: Path) -> Iterator[Path]:
    """A file on this machine: `path`, or a copy of it that is gone when the block ends.

    Of a file that is not there, or must not be read, there is no copy. Raises UserError where the
    store does not answer, which says nothing of the file.
    """
    if not is_remote(path):
        yield path
        return
    with TemporaryDirectory(prefix="khmer-aligned-") as folder:
        copy = Path(folder) / path.name
        with suppress(FileNotFoundError, PermissionError):
            get_file(path, copy)
        yield copy


def keep_copies(folder: Path) -> Path:
    """A folder on this machine with the same files: `folder`, or copies of what is in a store.

    The processes of this machine share them; where a file changed, all are copied anew.
    """
    if not is_remote(folder):
        return folder
    from platformdirs import user_cache_path

    listed = list_store(folder)
    key = hashlib.sha256(f"{folder}{sorted(listed.items())}".encode()).hexdigest()
    copies = user_cache_path("khmer-aligned") / "stores" / key[:32]
    for name in listed:
        copy = copies / name
        if not copy.is_file():
            copy.parent.mkdir(parents=True, exist_ok=True)
            with replace_whole(copy) as partial:
                get_file(folder / name, partial)
    return copies


def read_parquet(
    path: Path, columns: list[str] | None = None, filters: list[tuple] | None = None
) -> pa.Table:
    """Columns of a parquet file, of the rows that pass the filters; by default all of them.

    Of a file in a store, the bytes of these columns alone are fetched, all at once.
    """
    import pyarrow.parquet as pq

    if not is_remote(path):
        return pq.read_table(path, columns=columns, filters=filters)
    from fsspec.parquet import open_parquet_file

    place = as_store(path)
    with (
        store_errors(path),
        open_parquet_file(place.path, fs=place.fs, columns=columns, engine="pyarrow") as file,
    ):
        return pq.read_table(file, columns=columns, filters=filters)


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, where there are folders."""
    if not is_remote(folder):
        folder.mkdir(parents=True, exist_ok=True)


def remove_folder(folder: Path) -> None:
    """Remove a folder with all that is in it, if it is there."""
    if not is_remote(folder):
        shutil.rmtree(folder, ignore_errors=True)
        return
    place = as_store(folder)
    with store_errors(folder):
        if found := place.fs.find(place.path):
            place.fs.rm(found)


def link_file(source: Path, target: Path) -> None:
    """Make `target` the same file as `source`, without reading it where that can be."""
    if is_remote(source):
        with store_errors(source):
            as_store(source).fs.cp_file(as_store(source).path, as_store(target).path)
        return
    try:
        os.link(source, target)
    except OSError:  # a file system without links
        shutil.copyfile(source, target)


def move_file(source: Path, target: Path) -> None:
    """Put a file in place of another."""
    if is_remote(source):
        link_file(source, target)
        source.unlink()
    else:
        source.replace(target)


def move_folder(source: Path, target: Path) -> None:
    """Put a folder in place of another, which it removes."""
    if is_remote(source):
        names = list_store(source)
        for name in list_store(target).keys() - names:
            (target / name).unlink()
        with ThreadPoolExecutor(_MOVERS) as movers:
            list(movers.map(lambda name: move_file(source / name, target / name), names))
        return
    before = source.with_name(f".{source.name}.before")
    if target.is_dir():
        target.replace(before)
    source.replace(target)
    shutil.rmtree(before, ignore_errors=True)


@contextmanager
def lock_folder(folder: Path, name: str = "lock", *, wait: bool = False) -> Iterator[None]:
    """Keep other processes out of `folder` while work in it is in progress.

    The operating system holds the lock and releases it when the process ends, however it ends; in
    an object store it is a `lease`. name: of the lock, where a folder has several. Raises UserError
    when another process holds it, unless it is to `wait`: a worker may outlive its launcher.
    """
    if is_remote(folder):
        from khmer_aligned.lease import hold

        with hold(folder / name, wait=wait):
            yield
        return
    lock = FileLock(folder / name)
    try:
        lock.acquire(blocking=wait)
    except Timeout:
        raise UserError(
            f"{folder}: another process is at work in it; wait for it, or end it"
        ) from None
    try:
        yield
    finally:
        lock.release()
