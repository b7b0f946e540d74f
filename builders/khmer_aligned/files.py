"""A folder that is being made: by one process, and its files whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from khmer_aligned.errors import UserError


def write_whole(path: Path, text: str) -> None:
    """Write `text`, in UTF-8; whoever looks finds the file as it was or as it is to be."""
    # Several processes of one run may write it at once; what is left of one that was killed has a
    # dot in front, and is not published.
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Keep other processes out of `folder`, which is for work in progress.

    The lock is the operating system's and ends with the process, however that ends. Raises
    UserError when another process is there: one whose launcher was killed may well live on.
    """
    lock = FileLock(folder / "lock")
    try:
        lock.acquire(blocking=False)
    except Timeout:
        raise UserError(
            f"{folder}: another process is at work in it; let it finish, or end it"
        ) from None
    try:
        yield
    finally:
        lock.release()
