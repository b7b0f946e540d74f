"""Requests wait in a line of limited length, and one after the other has the model."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Event
from typing import TypeVar

from khmer_whisper.serving.errors import busy

Result = TypeVar("Result")


class ClientGoneError(Exception):
    """Nobody waits for the answer any more."""


class Line:
    """limit: of the requests that wait or are served at a time."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.length = 0
        self.pace = 1.0  # seconds that a request takes, the last ones counting most
        self._turn = asyncio.Lock()

    @contextmanager
    def place(self) -> Iterator[None]:
        """A place in the line. Raises RequestError (503) when there is none."""
        if self.length >= self.limit:
            raise busy(self.pace * self.length)
        self.length += 1
        try:
            yield
        finally:
            self.length -= 1

    async def run(
        self, work: Callable[[Event], Result], gone: Callable[[], Awaitable[None]]
    ) -> Result:
        """Run `work` in a thread when its turn comes.

        gone: returns when the client has gone. Work that waits is then dropped, and work that has
        begun is asked to stop by its event; the next begins when it has. Raises ClientGoneError.
        """
        stop, begun = Event(), Event()

        async def take_turn() -> Result:
            async with self._turn:
                begun.set()
                start = time.monotonic()
                result = await asyncio.to_thread(work, stop)
                self.pace += (time.monotonic() - start - self.pace) / 4
                return result

        job = asyncio.create_task(take_turn())
        watch = asyncio.ensure_future(gone())
        try:
            await asyncio.wait({job, watch}, return_when=asyncio.FIRST_COMPLETED)
            if job.done():
                return job.result()
            raise ClientGoneError
        finally:
            watch.cancel()
            stop.set()
            if not begun.is_set():
                job.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await job
