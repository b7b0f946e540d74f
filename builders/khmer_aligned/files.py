"""Files and folders on this machine or in an object store: the acts in which the two differ.

A place in a store has a URL that fsspec knows, as s3://bucket/folder, and is a `UPath`, which has
the methods of a Path. A store puts an object whole or not at all and copies within itself; it has
neither folders, nor links, nor locks.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, NamedTuple, cast
from uuid import uuid4

from filelock import FileLock, Timeout

from khmer_aligned.errors import UserError

if TYPE_CHECKING:
    import pyarrow as pa
    from upath import UPath

_URL = re.compile(r"[a-z][a-z0-9+.-]+://")
_NS = 1_000_000_000
# What stores call the time at which an object changed.
_TIMES = ("LastModified", "last_modified", "mtime", "updated", "created")


class FileInfo(NamedTuple):
    """Size in bytes, and when the file changed: in a store, to the second."""

    size: int
    mtime_ns: int


def is_url(name: str | Path) -> bool:
    """Whether a name is a URL, and so a place in an object store."""
    return isinstance(name, str) and _URL.match(name) is not None


def as_path(name: str | Path) -> Path:
    """A path on this machine, or the place in an object store that a URL names.

    Nothing is looked up. Raises UserError for a store that no installed package knows.
    """
    if not is_url(name):
        return Path(name)
    from upath import UPath

    try:
        # Other processes put objects there, so no listing is kept.
        place = UPath(name, use_listings_cache=False)
        _ = place.fs
    except (ImportError, ValueError) as error:
        raise UserError(
            f"{name}: {error}; S3 and its like need: pip install 'khmer-aligned[s3]'"
        ) from error
    return cast(Path, place)


def require_folder(name: str) -> Path:
    """The path of a folder for what works on this machine only; raises UserError for a URL."""
    if is_url(name):
        raise UserError(
            f"{name}: is in an object store; copy it to a folder first, say with `aws s3 sync`, "
            "and name that"
        )
    return Path(name)


def is_remote(path: Path) -> bool:
    """Whether a path is a place in an object store."""
    return not isinstance(path, Path)


def check_store(path: Path) -> None:
    """Raises UserError where `path` is in an object store that does not answer."""
    if is_remote(path):
        with store_errors(path):
            path.exists()


@contextmanager
def store_errors(path: Path) -> Iterator[None]:
    """Whatever a store raises, each its own errors, as one line with the way out."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        if not is_remote(path):
            raise
        reason = " ".join(str(error).split()).rstrip(".") or type(error).__name__
        raise UserError(
            f"{path}: the object store refuses it ({reason}); see that the bucket is there, and "
            "that this machine has credentials for it and the right endpoint"
        ) from error


def stat_file(path: Path) -> FileInfo:
    """Size and time of a file. Raises OSError where there is none."""
    if is_remote(path):
        place = _store(path)
        return _file_info(place.fs.info(place.path))
    status = path.stat()
    return FileInfo(status.st_size, status.st_mtime_ns)


def list_store(folder: Path) -> dict[str, FileInfo]:
    """All objects below a place in a store, by their names there, in the order of paths."""
    place = _store(folder)
    prefix = place.path.rstrip("/") + "/"
    with store_errors(folder):
        listed = place.fs.find(place.path, detail=True)
    names = {key.removeprefix(prefix): info for key, info in listed.items()}
    return {name: _file_info(names[name]) for name in sorted(names, key=lambda n: n.split("/"))}


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
            _put(partial, path)
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
                _put(path, folder / path.relative_to(local).as_posix())


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
            _get(path, copy)
        yield copy


def keep_copies(folder: Path, pattern: str) -> Path:
    """A folder on this machine with the files of such names: `folder`, or copies of its files.

    Copies are shared by the processes of this machine; a file that changed has a new one.
    """
    if not is_remote(folder):
        return folder
    from platformdirs import user_cache_path

    listed = {name: info for name, info in list_store(folder).items() if Path(name).match(pattern)}
    key = hashlib.sha256(f"{folder}{sorted(listed.items())}".encode()).hexdigest()
    copies = user_cache_path("khmer-aligned") / "stores" / key[:32]
    for name in listed:
        copy = copies / name
        if not copy.is_file():
            copy.parent.mkdir(parents=True, exist_ok=True)
            with replace_whole(copy) as partial:
                _get(folder / name, partial)
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

    place = _store(path)
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
    place = _store(folder)
    with store_errors(folder):
        if found := place.fs.find(place.path):
            place.fs.rm(found)


def link_file(source: Path, target: Path) -> None:
    """Make `target` the same file as `source`, without reading it where that can be."""
    if is_remote(source):
        with store_errors(source):
            _store(source).fs.cp_file(_store(source).path, _store(target).path)
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
        for name in names:
            move_file(source / name, target / name)
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


def _store(path: Path) -> UPath:
    """A path in a store as what it is; its `fs` and `path` are fsspec's."""
    return cast("UPath", path)


def _put(local: Path, path: Path) -> None:
    with store_errors(path):
        _store(path).fs.put_file(str(local), _store(path).path)


def _get(path: Path, local: Path) -> None:
    try:
        _store(path).fs.get_file(_store(path).path, str(local))
    except (FileNotFoundError, PermissionError):
        local.unlink(missing_ok=True)
        raise
    except Exception as error:
        with store_errors(path):
            raise error


def _file_info(info: dict[str, Any]) -> FileInfo:
    value = next((info[name] for name in _TIMES if info.get(name)), 0)
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    seconds = value.timestamp() if isinstance(value, datetime) else value
    return FileInfo(int(info["size"] or 0), int(seconds) * _NS)
