"""The form of a request, its file on disk, and no more of it than the limit."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse

from khmer_whisper.serving.errors import RequestError, idle, too_large
from khmer_whisper.serving.line import ClientGoneError

MEGABYTE = 1024 * 1024
DRAIN_SECONDS = 30.0
MAX_IDLE_SECONDS = 60.0  # a client that sends nothing for so long has lost its connection


@dataclass(frozen=True, slots=True)
class Upload:
    """fields: the form's; name: what the client calls its file, which lies at `path`."""

    fields: FormData
    name: str
    path: Path

    def text(self, field: str, default: str = "") -> str:
        """The value of a field that is no file."""
        value = self.fields.get(field)
        return value if isinstance(value, str) and value else default

    def texts(self, field: str) -> list[str]:
        """All values of a field that may be given several times."""
        return [value for value in self.fields.getlist(field) if isinstance(value, str)]


@asynccontextmanager
async def receive(request: Request, megabytes: int) -> AsyncIterator[Upload]:
    """Read the form of a request; its file is deleted afterwards.

    What is read goes to disk, and never more than the limit. Raises RequestError for a form that
    cannot be read, has no file, is too large, or stops coming; ClientGoneError when it ends early.
    """
    limit = megabytes * MEGABYTE
    stated = request.headers.get("content-length", "")
    if stated.isdecimal() and int(stated) > limit:
        raise too_large(megabytes)
    if not request.headers.get("content-type", "").startswith("multipart/form-data"):
        raise RequestError(400, "send the file as multipart/form-data", parameter="file")
    try:
        parser = MultiPartParser(request.headers, _limited(request, limit, megabytes))
        fields = await parser.parse()
    except MultiPartException as error:
        raise RequestError(400, f"the form cannot be read: {error.message}") from error
    except ClientDisconnect as error:
        raise ClientGoneError from error
    try:
        file = fields.get("file")
        if not isinstance(file, UploadFile):
            raise RequestError(400, "the form has no file", parameter="file")
        with TemporaryDirectory(prefix="khmer-whisper-") as folder:
            path = Path(folder) / "upload"
            with path.open("wb") as target:
                await asyncio.to_thread(shutil.copyfileobj, file.file, target)
            await file.close()  # the parser's copy
            yield Upload(fields, file.filename or "file", path)
    finally:
        await fields.close()


async def _limited(request: Request, limit: int, megabytes: int) -> AsyncGenerator[bytes, None]:
    """The body of a request. Raises RequestError where it is longer than the limit, or stops."""
    size = 0
    stream = request.stream()
    while True:
        try:
            block = await asyncio.wait_for(anext(stream), MAX_IDLE_SECONDS)
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise idle(MAX_IDLE_SECONDS) from None
        size += len(block)
        if size > limit:
            raise too_large(megabytes)
        yield block


def refuse(request: Request, error: RequestError) -> Response:
    """Answer a request whose body is not read to its end.

    Most clients read the answer only when they have sent everything, and a closed connection
    hides it: what they send is thrown away for a while.
    """
    plain = error.response()

    async def body() -> AsyncIterator[bytes]:
        yield bytes(plain.body)
        latest = time.monotonic() + DRAIN_SECONDS
        while time.monotonic() < latest:
            message = await request.receive()
            if message["type"] != "http.request" or not message.get("more_body"):
                return

    headers = dict(plain.headers) | {"Connection": "close"}
    return StreamingResponse(body(), plain.status_code, headers)
