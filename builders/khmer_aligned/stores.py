"""Places in an object store: their paths, what is there, and what a store refuses.

A place has a URL that fsspec knows, as s3://bucket/folder, and is a `UPath`, which has the methods
of a Path. A store puts an object whole or not at all and copies within itself; it has neither
folders, nor links, nor locks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from khmer_aligned.errors import UserError

if TYPE_CHECKING:
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


def as_store(path: Path) -> UPath:
    """A place in a store as what it is: its `fs` and its `path` are fsspec's."""
    return cast("UPath", path)


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
        place = as_store(path)
        return _file_info(place.fs.info(place.path))
    status = path.stat()
    return FileInfo(status.st_size, status.st_mtime_ns)


def list_store(folder: Path) -> dict[str, FileInfo]:
    """All objects below a place in a store, by their names there, in the order of paths.

    Raises UserError for a name that would lead out of a folder.
    """
    place = as_store(folder)
    prefix = place.path.rstrip("/") + "/"
    with store_errors(folder):
        listed = place.fs.find(place.path, detail=True)
    names = {key.removeprefix(prefix): info for key, info in listed.items()}
    for name in names:
        if not {"", ".", ".."}.isdisjoint(name.split("/")):
            raise UserError(f"{folder}: holds {name!r}, which no folder can hold; rename it")
    return {name: _file_info(names[name]) for name in sorted(names, key=lambda n: n.split("/"))}


def put_file(local: Path, path: Path) -> None:
    """Put a file of this machine into a store, whole or not at all."""
    with store_errors(path):
        as_store(path).fs.put_file(str(local), as_store(path).path)


def get_file(path: Path, local: Path) -> None:
    """Fetch a file from a store.

    Raises FileNotFoundError and PermissionError of the file, UserError where the store does not
    answer, which says nothing of the file.
    """
    try:
        as_store(path).fs.get_file(as_store(path).path, str(local))
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
