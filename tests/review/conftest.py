"""A browser, where there is one, and the server that it is driven against."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from urllib.error import URLError
from urllib.request import urlopen

import pytest
import uvicorn

from khmer_aligned.dataset.config import BuildConfig
from khmer_aligned.dataset.verify import read_report
from khmer_aligned.review.app import make_app
from khmer_aligned.review.realign import Realigner
from khmer_aligned.review.serve import ReviewSettings, open_session

SOURCES = [str(Path(__file__).parents[2] / name) for name in ("builders", "training")]
_START = 120  # seconds until a server on a busy machine has imported torch


class Server:
    """`khmer-aligned review` as a process of its own, on a port that it chose."""

    def __init__(self, *arguments: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "khmer_aligned.cli", "review", *arguments, "--port", "0"],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(SOURCES)},
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self._process.stderr is not None
        for line in self._process.stderr:
            if line.startswith("open "):
                self.url = line.split()[1]
                break
        else:
            raise AssertionError("the server ended before it said where it is")
        self._wait()

    def _wait(self) -> None:
        deadline = time.monotonic() + _START
        while time.monotonic() < deadline:
            try:
                urlopen(self.url).close()
                return
            except URLError:
                time.sleep(0.1)
        raise AssertionError(f"{self.url} does not answer")

    def end(self) -> int:
        """As a service manager ends it; returns its exit status."""
        self._process.terminate()
        return self._process.wait()

    def kill(self) -> None:
        """As a power cut ends it."""
        self._process.kill()
        self._process.wait()
        assert self._process.stderr is not None
        self._process.stderr.close()


@pytest.fixture
def serve() -> Iterator:
    servers: list[Server] = []

    def start(*arguments: str) -> Server:
        servers.append(Server(*arguments))
        return servers[-1]

    yield start
    for server in servers:
        server.kill()


@pytest.fixture
def serve_here(aligner_folder: Path, tokenizer_folder: Path) -> Iterator:
    """`serve_here(out, source)`: the address of a review that this process serves."""
    running: list[tuple[uvicorn.Server, Thread]] = []

    def start(out: Path, source: Path) -> str:
        report = read_report(out)
        session, first = open_session(out, report, ReviewSettings(source=str(source), who="sokha"))
        config = BuildConfig(str(aligner_folder), str(tokenizer_folder), 72)
        app = make_app(session, Realigner(config, 0.038), name="small", first=first)
        listener = socket.create_server(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
        thread = Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        running.append((server, thread))
        return f"http://127.0.0.1:{listener.getsockname()[1]}/"

    yield start
    for server, thread in running:
        server.should_exit = True
        thread.join()
