"""The application: one page, the stretches as JSON, their audio as WAV, and the acts on them."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import soundfile
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from khmer_aligned.errors import UserError
from khmer_aligned.report.assets import SCRIPTS, render
from khmer_aligned.review.guard import Guard
from khmer_aligned.review.realign import Realigner
from khmer_aligned.review.session import REASONS, Session
from khmer_aligned.schema import SAMPLE_RATE

_LONGEST = 1e7  # seconds; no recording is longer
PAGE = Path(__file__).with_name("page")
_SCRIPTS = [*SCRIPTS, *(PAGE / name for name in ("server.js", "edges.js", "rows.js", "review.js"))]


def make_app(
    session: Session, realigner: Realigner, *, name: str, first: int = 0, token: str | None = None
) -> Starlette:
    """The application on a session. name: of the dataset. first: the stretch that is shown."""
    views = _Views(session, realigner)
    page = render(
        PAGE / "review.html",
        {
            "name": name,
            "settings": {"reasons": REASONS, "first": first, "sample": bool(session.sample)},
        },
        _SCRIPTS,
    )

    async def show_page(request: Request) -> Response:
        return HTMLResponse(page)

    return Starlette(
        routes=[
            Route("/", show_page),
            Route("/api/rows", views.rows),
            Route("/api/stretch/{index:int}", views.stretch),
            Route("/api/audio/{index:int}", views.audio),
            Route("/api/align", views.align, methods=["POST"]),
            Route("/api/decide", views.decide, methods=["POST"]),
            Route("/api/undo", views.undo, methods=["POST"]),
        ],
        middleware=[Middleware(BaseHTTPMiddleware, dispatch=Guard(token))],
        exception_handlers={UserError: _refused},
    )


async def _refused(request: Request, error: Exception) -> Response:
    return JSONResponse({"error": str(error)}, 422)


class _Views:
    """The answers to requests; what computes or reads files does it in a thread."""

    def __init__(self, session: Session, realigner: Realigner) -> None:
        self._session, self._realigner = session, realigner

    async def rows(self, request: Request) -> Response:
        return JSONResponse(await run_in_threadpool(self._session.rows))

    async def stretch(self, request: Request) -> Response:
        view = await run_in_threadpool(self._session.view, request.path_params["index"])
        return JSONResponse(view)

    async def audio(self, request: Request) -> Response:
        index = request.path_params["index"]
        start, end = (_number(request.query_params, name) for name in ("low", "high"))

        def encode() -> bytes:
            buffer = io.BytesIO()
            waveform = self._session.waveform(index, start, end)
            soundfile.write(buffer, waveform, SAMPLE_RATE, format="WAV", subtype="PCM_16")
            return buffer.getvalue()

        return Response(await run_in_threadpool(encode), media_type="audio/wav")

    async def align(self, request: Request) -> Response:
        body = await _body(request)
        index, start, end = _index(body), _number(body, "start"), _number(body, "end")
        text = _text(body, "text")

        def align() -> dict[str, Any]:
            waveform = self._session.waveform(index, start, end)
            return self._realigner.align(waveform, text)

        return JSONResponse(await run_in_threadpool(align))

    async def decide(self, request: Request) -> Response:
        body = await _body(request)
        index = _index(body)

        def decide() -> dict[str, Any]:
            self._session.decide(
                index,
                _text(body, "verdict"),
                _text(body, "text"),
                (_number(body, "start"), _number(body, "end")),
                _text(body, "reason"),
            )
            return self._session.view(index)

        return JSONResponse(await run_in_threadpool(decide))

    async def undo(self, request: Request) -> Response:
        index = await run_in_threadpool(self._session.undo)
        if index is None:
            return JSONResponse({"index": None})
        return JSONResponse(await run_in_threadpool(self._session.view, index))


async def _body(request: Request) -> Mapping[str, Any]:
    try:
        body = await request.json()
    except ValueError:
        raise UserError("the request is no JSON") from None
    if not isinstance(body, dict):
        raise UserError("the request is no JSON object")
    return body


def _index(body: Mapping[str, Any]) -> int:
    index = body.get("index")
    if not isinstance(index, int) or isinstance(index, bool):
        raise UserError("the request names no stretch")
    return index


def _number(values: Mapping[str, Any], name: str) -> float:
    try:
        number = float(values[name])
    except (KeyError, TypeError, ValueError, OverflowError):
        raise UserError(f"{name} is no number of seconds") from None
    if not abs(number) < _LONGEST:  # NaN and infinity, too
        raise UserError(f"{name} is no time in a recording")
    return number


def _text(values: Mapping[str, Any], name: str) -> str:
    text = values.get(name, "")
    if not isinstance(text, str) or "\x00" in text:
        raise UserError(f"{name} is no text")
    # Half of a character, which no file in UTF-8 can hold.
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
