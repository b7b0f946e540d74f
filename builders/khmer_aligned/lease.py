"""A lock in an object store: an object that one process alone can create, and has to renew.

Holders have numbers. Whoever creates `lock.000007` is the seventh, and has the lock while nobody
is the eighth: it writes the object anew every few seconds, and a last time when it is done. The
next one comes when that was seen, or when the object stayed as it was for a minute, as that of a
process that was killed does. A process that was halted for longer may go on beside its successor;
two that plan or join a build at once write the same bytes.

The store has to refuse to create an object that is there, as S3 and its like do.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import cast

from upath import UPath

from khmer_aligned.errors import UserError
from khmer_aligned.stores import store_errors

RENEW_SECONDS = 10.0
EXPIRE_SECONDS = 60.0
POLL_SECONDS = 1.0

_FREE = b"free"


@contextmanager
def hold(path: Path, *, wait: bool) -> Iterator[None]:
    """Hold the lock `path`, whose objects are called so with a number behind.

    Raises UserError where another process holds it, unless it is to `wait`, and where the store
    cannot be written.
    """
    with store_errors(path):
        held = _Lease(cast(UPath, path)).acquire(wait=wait)
    ended = threading.Event()
    renewing = threading.Thread(target=held.renew, args=(ended,), daemon=True)
    renewing.start()
    try:
        yield
    finally:
        ended.set()
        renewing.join()
        with store_errors(path):
            held.release()


class _Lease:
    """The objects of a lock; `acquire` makes one of them this process's."""

    def __init__(self, path: UPath) -> None:
        self._path, self._number = path, 0
        self._holder = f"{socket.gethostname()} process {os.getpid()}"

    def acquire(self, *, wait: bool) -> _Lease:
        """Wait until nobody else holds the lock, and take it."""
        seen: tuple[int, bytes] | None = None
        since = time.monotonic()
        while True:
            number = self._newest()
            content = self._read(number)
            if (number, content) != seen:
                if seen is not None and number and content != _FREE and not wait:
                    raise UserError(
                        f"{self._path.parent}: another process is at work in it "
                        f"({content.decode()}); wait for it, or end it"
                    )
                seen, since = (number, content), time.monotonic()
            is_stale = time.monotonic() - since >= EXPIRE_SECONDS
            if (content == _FREE or is_stale) and self._create(number + 1):
                return self
            time.sleep(0 if content == _FREE else POLL_SECONDS)

    def renew(self, ended: threading.Event) -> None:
        """Show every few seconds that this process is at work, until it has ended."""
        count = 0
        while not ended.wait(RENEW_SECONDS):
            count += 1
            with suppress(Exception):  # tried again soon; the work itself says what is wrong
                self._write(self._number, f"{self._holder}, renewed {count} times".encode())

    def release(self) -> None:
        """Let the next one come; nothing is left of a lock whose folder was removed."""
        if self._object(self._number).exists():
            self._write(self._number, _FREE)

    def _create(self, number: int) -> bool:
        """Whether this process, and no other one, is the holder of a number."""
        place = self._object(number)
        try:
            place.fs.pipe_file(place.path, self._holder.encode(), mode="create")
        except FileExistsError:
            return False
        if self._newest() != number:  # it was listed long ago, and its objects are removed
            place.unlink(missing_ok=True)
            return False
        self._number = number
        for earlier in self._numbers():
            if earlier < number:
                self._object(earlier).unlink(missing_ok=True)
        return True

    def _newest(self) -> int:
        return max(self._numbers(), default=0)

    def _numbers(self) -> list[int]:
        folder = self._path.parent
        try:
            keys = folder.fs.ls(folder.path, detail=False)
        except FileNotFoundError:
            return []
        prefix = f"{folder.path}/{self._path.name}."
        return [int(key.removeprefix(prefix)) for key in keys if key.startswith(prefix)]

    def _read(self, number: int) -> bytes:
        """What the holder of a number wrote last; _FREE where there is none."""
        try:
            place = self._object(number)
            return cast(bytes, place.fs.cat_file(place.path)) if number else _FREE
        except FileNotFoundError:  # its successor has removed it
            return _FREE

    def _write(self, number: int, content: bytes) -> None:
        place = self._object(number)
        place.fs.pipe_file(place.path, content)

    def _object(self, number: int) -> UPath:
        return self._path.with_name(f"{self._path.name}.{number:06d}")
