"""Who may use the application: this machine, or whoever has the token; no page of another site."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response

LOOPBACK = ("127.0.0.1", "localhost", "::1")
_COOKIE = "khmer-aligned-token"
_MAX_BODY = 1 << 20  # bytes of a decision
_HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}

Next = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True)
class Guard:
    """Lets a request through, or refuses it.

    token: without one, only names of this machine are answered, so that no name which another
    site points here can reach it. With one, every request has it, as a cookie after the first.
    """

    token: str | None = None

    async def __call__(self, request: Request, call_next: Next) -> Response:
        refused = self._refuse(request)
        response = await call_next(request) if refused is None else refused
        response.headers.update(_HEADERS)
        return response

    def _refuse(self, request: Request) -> Response | None:
        if self.token is None:
            if _host_name(request.headers.get("host", "")) not in LOOPBACK:
                return PlainTextResponse("this name is not served here\n", 421)
        elif not self._has_token(request):
            given = request.query_params.get("token", "")
            if request.method == "GET" and _same(given, self.token):
                welcome = RedirectResponse(request.url.path, 303)
                welcome.set_cookie(_COOKIE, self.token, httponly=True, samesite="strict")
                return welcome
            return PlainTextResponse(
                "open the address that `review` printed, with its token\n", 403
            )
        return None if request.method in ("GET", "HEAD") else _refuse_post(request)

    def _has_token(self, request: Request) -> bool:
        assert self.token is not None
        return _same(request.cookies.get(_COOKIE, ""), self.token)


def _refuse_post(request: Request) -> Response | None:
    """A form of another site cannot send JSON, and a script of one cannot without being asked."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        return PlainTextResponse("send JSON\n", 415)
    origin = request.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
        return PlainTextResponse("not from another site\n", 403)
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return PlainTextResponse("not from another site\n", 403)
    length = request.headers.get("content-length", "")
    if not length.isdecimal() or int(length) > _MAX_BODY:
        return PlainTextResponse("too long\n", 413)
    return None


def _same(given: str, token: str) -> bool:
    return secrets.compare_digest(given.encode(), token.encode())


def _host_name(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""
