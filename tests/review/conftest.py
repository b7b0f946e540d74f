"""A browser, where there is one, and the server that it is driven against."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest

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
