"""Work in progress: files written whole or not at all, and a folder kept for one process."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from khmer_aligned.errors import UserError


def write_whole(path: Path, text: str) -> None:
    """Write `text` in UTF-8, so that a reader sees the old file or the new one, never a part."""
    # Several processes of one run may write it at once. The partial file of a process that was
    # killed stays; its name begins with a dot, so it is never published.
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)


@contextmanager
def lock_folder(folder: Path) -> Iterator[None]:
    """Keep other processes out of `folder` while work in it is in progress.

    The operating system holds the lock and releases it when the process ends, however it ends.
    Raises UserError when another process holds it: a worker may outlive its launcher.
    """
    lock = FileLock(folder / "lock")
    try:
        lock.acquire(blocking=False)
    except Timeout:
        raise UserError(
            f"{folder}: another process is at work in it; wait for it, or end it"
        ) from None
    try:
        yield
    finally:
        lock.release()
