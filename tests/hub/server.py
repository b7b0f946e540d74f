"""A Hugging Face Hub on loopback, complete enough for the unmodified clients of the Hub.

It speaks what huggingface_hub, datasets and transformers ask when they create, publish, tag, list
and load. What it was asked is kept in `Server.requests`, and `Server.faults` makes it fail where a
test wants it to.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from pathlib import Path

from .handler import Fault, HttpServer, Request
from .routes import Routes
from .store import Store


@dataclass
class Server:
    """The Hub: start it with `start`, stop it with `stop`; `url` is its HF_ENDPOINT."""

    folder: Path
    requests: list[Request] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    errors: list[BaseException] = field(default_factory=list)  # of the server itself

    def __post_init__(self) -> None:
        self.store = Store(self.folder)
        self.xorbs: dict[str, bytes] = {}
        self._http = HttpServer(("127.0.0.1", 0), Routes)
        self._http.hub = self
        self.url = f"http://127.0.0.1:{self._http.server_port}"

    def start(self) -> None:
        threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        self._http.shutdown()
        self._http.server_close()

    def take_fault(self, method: str, path: str) -> Fault | None:
        with self.store.lock:
            for fault in self.faults:
                if fault.method in ("", method) and fault.part in path and fault.times:
                    if fault.skip:
                        fault.skip -= 1
                        continue
                    fault.times -= 1
                    return fault
        return None
