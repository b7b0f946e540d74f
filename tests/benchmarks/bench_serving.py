"""`khmer-whisper serve` under load: many clients at once, large uploads, clients that go away.

    python tests/benchmarks/bench_serving.py MODEL AUDIO... [--clients 50] [--queue-size 64]

The server runs in a process of its own with MODEL. AUDIO are recordings of some seconds, which the
clients share out. The clients are OpenAI's, with its default of two retries. Each line says how
many requests ended with which status, how long they took, the highest memory of the server in that
time above its memory when idle, and how much of the disk was taken.
"""

from __future__ import annotations

import argparse
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx2 as httpx
import numpy as np
import openai
import soundfile

from khmer_aligned import audio
from khmer_aligned.schema import SAMPLE_RATE

MEGABYTE = 1024 * 1024
TIMEOUT = 600.0  # seconds
LARGE = 2 * 1024  # megabytes
LEAVING = 5  # clients
LONG_MINUTES = 10.0  # of the recording whose client goes away
HEAD = (
    b'--x\r\nContent-Disposition: form-data; name="model"\r\n\r\nwhisper-1\r\n'
    b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
)
TAIL = b"\r\n--x--\r\n"
FORM = {"Content-Type": "multipart/form-data; boundary=x"}
ROUTE = "/v1/audio/transcriptions"


@dataclass
class Service:
    """A server in a process of its own, which keeps its files in `folder`."""

    process: subprocess.Popen
    port: int
    folder: Path

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def memory(self, name: str = "VmRSS") -> int:
        """Megabytes: VmRSS now, VmHWM at most since `forget_peak`."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="utf-8")
        return next(int(s.split()[1]) // 1024 for s in status.splitlines() if s.startswith(name))

    def forget_peak(self) -> None:
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5", encoding="ascii")


@contextmanager
def serving(model: str, queue_size: int) -> Iterator[Service]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        files = Path(folder) / "files"
        files.mkdir()
        arguments = ["serve", model, "--port", str(port), "--queue-size", str(queue_size)]
        with log.open("w") as target:
            process = subprocess.Popen(
                [sys.executable, "-m", "khmer_whisper.cli", *arguments],
                env=os.environ | {"TMPDIR": str(files)},
                stderr=target,
            )
        service = Service(process, port, files)
        try:
            while process.poll() is None:
                try:
                    httpx.get(f"{service.address}/v1/models")
                    break
                except httpx.ConnectError:
                    time.sleep(0.2)
            yield service
        finally:
            process.terminate()
            process.wait()
            print("\nThe server's own lines:", log.read_text(encoding="utf-8").strip(), sep="\n")


@dataclass
class Outcome:
    """What a case ended with: the statuses, the seconds of each request, and a message."""

    statuses: Counter = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    message: str = ""


def measure(service: Service, name: str, case: Callable[[], Outcome]) -> None:
    """Run a case and print its line."""
    service.forget_peak()
    idle = service.memory()
    free = least = os.statvfs(service.folder).f_bavail
    done = threading.Event()

    def watch() -> None:
        nonlocal least
        while not done.wait(0.05):
            least = min(least, os.statvfs(service.folder).f_bavail)

    watcher = threading.Thread(target=watch)
    watcher.start()
    outcome = case()
    done.set()
    watcher.join()
    disk = (free - least) * os.statvfs(service.folder).f_frsize // MEGABYTE
    statuses = ", ".join(f"{n} x {status}" for status, n in sorted(outcome.statuses.items()))
    times = np.array(outcome.seconds or [0.0])
    print(
        f"| {name} | {statuses} | {np.median(times):.1f} / {times.max():.1f} s | "
        f"{service.memory('VmHWM') - idle:+d} MB | {disk} MB | "
        f"{len(list(service.folder.iterdir()))} | {outcome.message} |",
        flush=True,
    )


def send(service: Service, path: Path, retries: int) -> tuple[str, float, str]:
    """The status, the seconds and the text or error of one request by OpenAI's client."""
    client = openai.OpenAI(
        base_url=f"{service.address}/v1", api_key="none", max_retries=retries, timeout=TIMEOUT
    )
    begin = time.monotonic()
    try:
        with path.open("rb") as file:
            reply = client.audio.transcriptions.create(model="whisper-1", file=file)
        status, text = "200", reply.text
    except openai.APIStatusError as error:
        status, text = str(error.status_code), error.body["message"]
    return status, time.monotonic() - begin, text


def send_many(service: Service, paths: list[Path], count: int) -> Outcome:
    outcome = Outcome()
    chosen = [paths[i % len(paths)] for i in range(count)]
    with ThreadPoolExecutor(count) as pool:
        results = list(pool.map(lambda path: send(service, path, retries=2), chosen))
    texts: dict[Path, set[str]] = {}
    for path, (status, seconds, text) in zip(chosen, results, strict=True):
        outcome.statuses[status] += 1
        outcome.seconds.append(seconds)
        if status == "200":
            texts.setdefault(path, set()).add(text)
    differing = sum(len(different) > 1 for different in texts.values())
    outcome.message = f"{differing} of {len(texts)} recordings with more than one text"
    return outcome


def send_large(service: Service, *, states_size: bool) -> Outcome:
    """An upload of 2 GB, which is never whole in the memory of the client either."""

    def body() -> Iterator[bytes]:
        yield HEAD
        for _ in range(LARGE):
            yield bytes(MEGABYTE)
        yield TAIL

    size = len(HEAD) + LARGE * MEGABYTE + len(TAIL)
    headers = FORM | ({"Content-Length": str(size)} if states_size else {})
    begin = time.monotonic()
    reply = httpx.post(service.address + ROUTE, content=body(), headers=headers, timeout=TIMEOUT)
    message = reply.json()["error"]["message"]
    return Outcome(Counter([str(reply.status_code)]), [time.monotonic() - begin], message)


def begin_upload(service: Service, size: int, content: bytes) -> socket.socket:
    """A client that has sent `content` of a body of `size` bytes."""
    connection = socket.create_connection(("127.0.0.1", service.port), TIMEOUT)
    head = (
        f"POST {ROUTE} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {size}\r\n"
        f"Content-Type: {FORM['Content-Type']}\r\n\r\n"
    )
    connection.sendall(head.encode() + content)
    return connection


def leave(service: Service, paths: list[Path], content: bytes, size: int) -> Outcome:
    """Clients that send `content` of `size` bytes and go away after 3 s; then one that stays."""
    connections = [begin_upload(service, size, content) for _ in range(LEAVING)]
    time.sleep(3)
    for connection in connections:
        connection.close()
    status, seconds, _ = send(service, paths[0], retries=0)
    return Outcome(
        Counter({"gone": LEAVING, status: 1}), [seconds], "seconds are of the one behind"
    )


def join_long(paths: list[Path], target: Path) -> None:
    """A recording of LONG_MINUTES, of all recordings again and again."""
    waveforms = [audio.load(path, name=path.name) for path in paths]
    with soundfile.SoundFile(target, "w", SAMPLE_RATE, 1, "PCM_16", format="FLAC") as sound:
        written, i = 0, 0
        while written < LONG_MINUTES * 60 * SAMPLE_RATE:
            sound.write(waveforms[i % len(waveforms)])
            written, i = written + len(waveforms[i % len(waveforms)]), i + 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("audio", nargs="+", type=Path)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--queue-size", type=int, default=64)
    options = parser.parse_args()
    paths, clients = options.audio, options.clients
    scratch = tempfile.TemporaryDirectory()
    text_file, long_file = Path(scratch.name) / "notes.mp3", Path(scratch.name) / "long.flac"
    text_file.write_bytes(b"no audio at all\n" * 1000)
    join_long(paths, long_file)
    long_body = HEAD + long_file.read_bytes() + TAIL
    size = len(long_body)
    half = long_body[: size // 2]

    def one_by_one(files: list[Path]) -> Outcome:
        results = [send(service, path, retries=0) for path in files]
        return Outcome(Counter(r[0] for r in results), [r[1] for r in results], results[0][2][:60])

    with scratch, serving(options.model, options.queue_size) as service:
        print(f"{service.memory()} MB when it has started\n")
        print("| case | statuses | seconds, median / longest | memory | disk | files left | |")
        print("|" + "---|" * 7)
        for name, case in (
            ("one after the other", lambda: one_by_one(paths)),
            (f"{clients} at once", lambda: send_many(service, paths, clients)),
            ("2 GB, size stated", lambda: send_large(service, states_size=True)),
            ("2 GB, size not stated", lambda: send_large(service, states_size=False)),
            ("no audio", lambda: one_by_one([text_file])),
            ("gone in an upload", lambda: leave(service, paths, half, size)),
            (
                "gone in a transcription",
                lambda: leave(service, paths, long_body, size),
            ),
        ):
            measure(service, name, case)


if __name__ == "__main__":
    main()
