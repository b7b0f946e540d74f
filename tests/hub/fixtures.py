"""The fixture `hub`: a fresh loopback Hub, and the clients run against it as a user runs them.

tests/conftest.py imports it, so that every test may ask for it.
"""

from __future__ import annotations

import base64
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from .handler import Fault, Request
from .server import Server
from .store import Commit, File, Repo, User

SOURCES = [str(Path(__file__).parents[2] / name) for name in ("builders", "training")]
TIMEOUT = 240  # seconds for one run; a slow machine needs some for importing torch


class Hub:
    """A loopback Hub with one organisation, `org`, and what happened on it.

    Accounts: `hub.token` (user sokha, may write to org), `hub.reader` (user dara, a member of org
    who may only read), `hub.stranger` (user bopha, not a member).

    `run` starts a program against it; HF_ENDPOINT is read when the clients are imported, so that
    each run is a process of its own, with an empty HF_HOME of its own unless `home` names one:

        done = hub.run(["khmer-aligned", "push-dataset", "out", "org/khmer-aligned"])
        done = hub.run("from datasets import load_dataset; print(load_dataset('org/x'))", token="")
        assert done.returncode == 0, done.stderr

    No run may print a token: `run` itself raises AssertionError. What the Hub holds then is in
    `repo`, `commits`, `files` and `read`; what it was asked in `requests` and `uploads`; and
    `fail`, `cut`, `kill` and `meanwhile` make the next such request go wrong.
    """

    token = "hf_" + "Sokha" * 7
    reader = "hf_" + "Daraa" * 7
    stranger = "hf_" + "Bopha" * 7

    def __init__(self, server: Server, folder: Path) -> None:
        self.server = server
        self.url = server.url
        self._folder = folder
        self._process: subprocess.Popen[str] | None = None
        server.store.orgs.add("org")
        server.store.users |= {
            self.token: User("sokha", {"org": "write"}),
            self.reader: User("dara", {"org": "read"}),
            self.stranger: User("bopha"),
        }

    @property
    def requests(self) -> list[Request]:
        """Every request so far, oldest first; clear() it to watch what one run asks."""
        return self.server.requests

    @property
    def uploads(self) -> list[Request]:
        """The requests that carried content to storage: LFS objects, Xet xorbs."""
        return [
            request
            for request in self.requests
            if request.method in ("PUT", "POST")
            and request.path.startswith(("/storage/", "/xet/v1/xorbs/"))
        ]

    def repo(self, repo_type: str, repo_id: str) -> Repo | None:
        """The repository (type dataset or model), or None."""
        return self.server.store.repos.get((repo_type, repo_id))

    def commits(self, repo_type: str, repo_id: str) -> list[Commit]:
        """From the newest to the one that created the repository; [] without a repository."""
        repo = self.repo(repo_type, repo_id)
        return repo.history() if repo else []

    def files(self, repo_type: str, repo_id: str, revision: str = "main") -> dict[str, File]:
        """The files of a revision by their paths."""
        repo = self.repo(repo_type, repo_id)
        assert repo is not None, f"there is no {repo_type} {repo_id}"
        return repo.find(revision).files

    def read(self, repo_type: str, repo_id: str, path: str, revision: str = "main") -> bytes:
        """The content of one file."""
        return self.server.store.read(self.files(repo_type, repo_id, revision)[path])

    def commit(self, repo_type: str, repo_id: str, files: dict[str, bytes], title: str) -> None:
        """Commit these files as somebody else would, past the clients."""
        header = {"key": "header", "value": {"summary": title}}
        lines = [
            {"key": "file", "value": {"path": path, "content": base64.b64encode(content)}}
            for path, content in files.items()
        ]
        repo, store = self.repo(repo_type, repo_id), self.server.store
        store.commit(repo, "main", [header, *lines], store.users[self.token])

    def fail(
        self,
        method: str,
        part: str,
        status: int,
        *,
        times: int = 1,
        skip: int = 0,
        headers: dict[str, str] | None = None,
    ) -> None:
        """Answer the next `times` requests whose path holds `part` with this status."""
        fault = Fault(method, part, skip=skip, times=times, status=status, headers=headers or {})
        self.server.faults.append(fault)

    def lose(self, method: str, part: str, *, skip: int = 0) -> None:
        """Carry out the next such request, and drop the connection instead of answering."""
        self.server.faults.append(Fault(method, part, skip=skip, late=True))

    def cut(self, method: str, part: str, *, after: int, skip: int = 0) -> None:
        """Drop the connection once, `after` bytes into the body, when `skip` of these went well."""
        self.server.faults.append(Fault(method, part, skip=skip, cut_after=after))

    def kill(self, method: str, part: str, *, after: int = 0, skip: int = 0) -> None:
        """The same, and the program that `run` started is killed at that moment.

        That is not before the `skip` requests before it are done: clients upload in parallel.
        """

        def action() -> None:
            until = time.monotonic() + 30
            while time.monotonic() < until:
                asked = (r for r in self.requests if r.method == method and part in r.path)
                if sum(request.status == 200 for request in asked) >= skip:
                    break
                time.sleep(0.01)
            assert self._process is not None
            self._process.kill()

        self.server.faults.append(Fault(method, part, skip=skip, cut_after=after, action=action))

    def meanwhile(self, method: str, part: str, action: Callable[[], None]) -> None:
        """Call `action` when the next such request arrives, before it is answered."""
        self.server.faults.append(Fault(method, part, action=action))

    def environment(
        self, token: str = token, *, home: Path | None = None, xet: bool = False
    ) -> dict[str, str]:
        """What a program needs in its environment to find this Hub, and nothing of the user's."""
        home = home or Path(tempfile.mkdtemp(dir=self._folder, prefix="home-"))
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("HF_", "HUGGING", "TRANSFORMERS_", "XDG_"))
        }
        return kept | {
            "HF_ENDPOINT": self.url,
            "HF_HOME": str(home),
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DISABLE_XET": "0" if xet else "1",
            "NO_PROXY": "127.0.0.1",
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
            "PYTHONPATH": os.pathsep.join(SOURCES),
            **({"HF_TOKEN": token} if token else {}),
        }

    def run(
        self,
        program: str | list[str],
        *,
        token: str = token,
        home: Path | None = None,
        xet: bool = False,
        cwd: Path | None = None,
        env: dict[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run Python code (a string) or a command (a list) to its end; no token where it is "".

        `home` is an HF_HOME to keep between runs; `xet` lets uploads go the way they go by
        default; `env` is added to the environment.
        """
        command = [sys.executable, "-c", program] if isinstance(program, str) else program
        environment = self.environment(token, home=home, xet=xet) | (env or {})
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            env=environment,
            cwd=cwd,
        )
        try:
            out, err = self._process.communicate(timeout=TIMEOUT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            out, err = self._process.communicate()
            pytest.fail(f"{command} took more than {TIMEOUT} s; its last words: {err[-2000:]}")
        secrets = [*self.server.store.users, environment.get("HF_TOKEN")]
        if any(secret in out + err for secret in filter(None, secrets)):
            raise AssertionError(f"{command} printed its token")
        return subprocess.CompletedProcess(command, self._process.returncode, out, err)


@pytest.fixture
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """A fresh Hub for this test; see `Hub`."""
    folder = tmp_path_factory.mktemp("hub")
    server = Server(folder)
    server.start()
    try:
        yield Hub(server, folder)
    finally:
        server.stop()
    assert not server.errors, f"the loopback Hub itself failed: {server.errors!r}"
