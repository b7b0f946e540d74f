"""The application: POST /v1/audio/transcriptions, GET /v1/models, and a page."""

from __future__ import annotations

import hmac
import time
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from khmer_aligned.errors import UserError
from khmer_whisper.serving.errors import RequestError
from khmer_whisper.serving.line import ClientGoneError, Line
from khmer_whisper.serving.replies import RESPONSE_FORMATS, render_reply
from khmer_whisper.serving.uploads import Upload, receive, refuse
from khmer_whisper.transcription.options import Options
from khmer_whisper.transcription.segments import Transcription
from khmer_whisper.transcription.transcriber import Transcriber

PAGE = Path(__file__).with_name("page")
PAGE_FILES = {"": "page.html", "page.css": "page.css", "page.js": "page.js"}
ALIAS = "whisper-1"  # the name that clients of OpenAI's have built in
GRANULARITIES = ("word", "segment")
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


@dataclass(frozen=True, slots=True)
class Limits:
    """queue_size: requests that wait or are served; megabytes: of an upload."""

    queue_size: int = 64
    megabytes: int = 500


@dataclass(frozen=True, slots=True)
class Task:
    """What a client asks for."""

    options: Options
    response_format: str
    granularities: frozenset[str]


class Server:
    """A model that is offered under a name.

    token: what clients have to send as their API key; None where none is needed
    """

    def __init__(
        self, transcriber: Transcriber, name: str, limits: Limits, token: str | None = None
    ) -> None:
        self.transcriber = transcriber
        self.name = name
        self.limits = limits
        self.line = Line(limits.queue_size)
        self._token = token
        self._created = int(time.time())

    async def transcribe(self, request: Request) -> Response:
        """Answer POST /v1/audio/transcriptions."""
        try:
            self._authorize(request)
            with self.line.place():
                async with receive(request, self.limits.megabytes) as upload:
                    return await self._answer(request, upload)
        except RequestError as error:
            return refuse(request, error)
        except ClientGoneError:
            return Response(status_code=499)  # nobody reads it

    async def _answer(self, request: Request, upload: Upload) -> Response:
        task = self._read(upload)

        def work(stop: Event) -> Transcription:
            stream = self.transcriber.transcribe(upload.path, task.options)
            segments = []
            for segment in stream:
                segments.append(segment)
                if stop.is_set():  # nobody reads the rest
                    break
            return Transcription(upload.name, stream.duration, stream.language, segments)

        async def gone() -> None:
            while (await request.receive())["type"] != "http.disconnect":
                pass

        try:
            transcription = await self.line.run(work, gone)
        except UserError as error:
            message = str(error).replace(str(upload.path), upload.name)
            raise RequestError(400, message.replace("upload:", f"{upload.name}:")) from error
        return render_reply(transcription, task.response_format, task.granularities)

    def _read(self, upload: Upload) -> Task:
        """The options of a form. Raises RequestError for what this server does not do."""
        model = upload.text("model", ALIAS)
        if model not in (self.name, ALIAS):
            raise RequestError(
                404,
                f"there is no model {model} here, only {self.name}",
                parameter="model",
                code="model_not_found",
            )
        form = upload.text("response_format", "json")
        if form not in RESPONSE_FORMATS:
            known = ", ".join(RESPONSE_FORMATS)
            raise RequestError(400, f"{form}: choose from {known}", parameter="response_format")
        if upload.text("temperature", "0").strip("0.") != "":
            raise RequestError(
                400,
                "0 is the only temperature: higher ones are tried where the text is improbable",
                parameter="temperature",
            )
        field = "timestamp_granularities[]"
        granularities = frozenset(upload.texts(field) or ["segment"])
        if unknown := granularities.difference(GRANULARITIES):
            raise RequestError(400, f"{min(unknown)}: choose from word, segment", parameter=field)
        word_times = "word" in granularities
        if word_times and form != "verbose_json":
            raise RequestError(
                400, "times of words need response_format verbose_json", parameter=field
            )
        try:
            options = Options(
                language=upload.text("language", "km"),
                initial_prompt=upload.text("prompt"),
                word_times=word_times,
            )
        except UserError as error:
            raise RequestError(400, str(error)) from error
        return Task(options, form, granularities)

    async def models(self, request: Request) -> Response:
        """Answer GET /v1/models."""
        try:
            self._authorize(request)
        except RequestError as error:
            return error.response()
        model = {
            "id": self.name,
            "object": "model",
            "created": self._created,
            "owned_by": "khmer-whisper",
        }
        return JSONResponse({"object": "list", "data": [model]})

    def _authorize(self, request: Request) -> None:
        if self._token is None:
            return
        given = request.headers.get("authorization", "").removeprefix("Bearer ")
        if not hmac.compare_digest(given.encode(), self._token.encode()):
            raise RequestError(401, "the API key is not this server's", code="invalid_api_key")


async def send_page(request: Request) -> Response:
    """A file of the page."""
    return FileResponse(PAGE / PAGE_FILES[request.url.path[1:]], headers=HEADERS)


def make_app(server: Server, hosts: list[str] | None = None) -> Starlette:
    """The application.

    hosts: the names that a browser may know it by, so that no page of another site reaches a
    server on this machine under a name of its own; None for any
    """
    routes = [
        Route("/v1/audio/transcriptions", server.transcribe, methods=["POST"]),
        Route("/v1/models", server.models),
        *(Route(f"/{path}", send_page) for path in PAGE_FILES),
    ]
    middleware = [Middleware(TrustedHostMiddleware, allowed_hosts=hosts)] if hosts else []
    return Starlette(routes=routes, middleware=middleware)
