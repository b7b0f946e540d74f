"""One HTTP request to the loopback Hub: who asks, what goes wrong on purpose, the answer."""

from __future__ import annotations

import json
import re
import socket
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast
from urllib.parse import parse_qs, unquote, urlsplit

from .store import HubError


@dataclass
class Request:
    """One request and its answer; `user` is the name behind its token."""

    method: str
    path: str  # with its query
    user: str | None = None
    received: int = 0  # bytes of the body
    status: int = 0


@dataclass
class Fault:
    """Something that goes wrong at requests of this method ("" for any) whose path holds `part`.

    `status` answers so, with `headers`; `cut_after` reads this many bytes of the body and drops
    the connection; `action` is called when the body has begun to arrive (with `cut_after`: before
    the drop).
    """

    method: str
    part: str
    skip: int = 0  # requests that go well before
    times: int = 1
    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    late: bool = False  # the request is carried out, and its answer lost
    cut_after: int | None = None
    action: Callable[[], None] | None = None


class DroppedError(Exception):
    """The connection ends here, without an answer."""


class HttpServer(ThreadingHTTPServer):
    """Knows the Hub whose requests it takes."""

    daemon_threads = True
    hub: Any  # server.Server


class Handler(BaseHTTPRequestHandler):
    """Answers with the method that the first matching row of `routes` names.

    The named groups of a row's pattern are the method's arguments.
    """

    protocol_version = "HTTP/1.1"
    routes: tuple[tuple[str, str, str], ...] = ()  # HTTP method, pattern of the path, our method

    def setup(self) -> None:
        super().setup()
        self.hub = cast(HttpServer, self.server).hub
        self.store = self.hub.store

    def log_message(self, *_: Any) -> None:
        pass

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except (ConnectionError, DroppedError):
            self.close_connection = True

    def _handle(self) -> None:
        split = urlsplit(self.path)
        self.query = parse_qs(split.query)
        self.entry = Request(self.command, self.path)
        self.hub.requests.append(self.entry)
        self.length = int(self.headers.get("Content-Length") or 0)
        self.body_read = False
        self.fault = self.hub.take_fault(self.command, self.path)
        try:
            if self.fault and not self.fault.late:
                self._fail(self.fault)
            authorization = self.headers.get("Authorization", "")
            token = authorization.removeprefix("Bearer ").strip() or None
            # The clients call storage without or with a token of its own, as they do in the wild.
            storage = split.path.startswith(("/storage/", "/xet/"))
            self.user = None if storage else self.store.user(token)
            self.entry.user = self.user.name if self.user else None
            for method, pattern, route in self.routes:
                if method == self.command and (match := re.fullmatch(pattern, split.path)):
                    groups = {
                        name: unquote(value)
                        for name, value in match.groupdict().items()
                        if value is not None
                    }
                    getattr(self, route)(**groups)
                    return
            raise HubError(404, "Not found")
        except HubError as error:
            headers = {"X-Error-Message": error.message, **error.headers}
            if error.code:
                headers["X-Error-Code"] = error.code
            self._reply(error.status, {"error": error.message}, headers)
        except (ConnectionError, DroppedError):
            raise
        except Exception as error:
            self.hub.errors.append(error)
            self._reply(500, {"error": repr(error)})

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = _handle  # noqa: N815

    def _fail(self, fault: Fault) -> None:
        if fault.cut_after is not None:
            chunked = self.headers.get("Transfer-Encoding") == "chunked"
            size = fault.cut_after if chunked else min(self.length, fault.cut_after)
            self.entry.received = len(self.rfile.read(size))
        if fault.action:
            fault.action()
        if fault.cut_after is not None:
            self._reset()
        if fault.status is not None:
            raise HubError(fault.status, "the test wants it so", headers=fault.headers)

    def _reset(self) -> None:
        # Linger 0 makes closing a reset: the client learns at once, as from a broken line.
        linger = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        raise DroppedError

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = b"".join(self._chunked())
        else:
            body = self.rfile.read(self.length)
            if len(body) < self.length:
                raise DroppedError  # the client is gone in the middle
        self.body_read = True
        self.entry.received = len(body)
        return body

    def _chunked(self) -> Iterator[bytes]:
        while size := int(self.rfile.readline().split(b";")[0], 16):
            chunk = self.rfile.read(size)
            self.rfile.readline()
            if len(chunk) < size:
                raise DroppedError
            yield chunk
        self.rfile.readline()

    def _json(self) -> Any:
        return json.loads(self._body() or b"{}")

    def _reply(self, status: int, content: Any = None, headers: dict | None = None) -> None:
        if not self.body_read:
            self._body()  # else the next request of this connection would begin with it
        if self.fault and self.fault.late:
            self._reset()
        self.entry.status = status
        content = {} if content is None else content
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        standard = {"Content-Type": "application/json", "Content-Length": len(body)}
        self.send_response(status)
        for name, value in (standard | (headers or {})).items():
            self.send_header(name, str(value))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
