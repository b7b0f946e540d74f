"""Work in progress: files written whole or not at all, and a folder kept for one process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from filelock import FileLock, Timeout

from khmer_aligned.errors import UserError


def write_whole(path: Path, text: str) -> None:
    """Write `text` in UTF-8, so that a reader sees the old file or the new one, never a part."""
    with replace_whole(path) as partial:
        partial.write_text(text, encoding="utf-8")


@contextmanager
def replace_whole(path: Path) -> Iterator[Path]:
    """The name of a file to write in place of `path`, which it replaces when the block ends.

    A block that raises leaves `path` as it was.
    """
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
def lock_folder(folder: Path, name: str = "lock", *, wait: bool = False) -> Iterator[None]:
    """Keep other processes out of `folder` while work in it is in progress.

    The operating system holds the lock and releases it when the process ends, however it ends.
    name: of the lock, where a folder has several. Raises UserError when another process holds it,
    unless it is to `wait`: a worker may outlive its launcher.
    """
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
