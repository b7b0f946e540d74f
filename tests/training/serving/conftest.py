"""Servers on loopback: one with the demo's model, and one whose model waits for the test."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
import soundfile
import uvicorn

from khmer_aligned import audio
from khmer_aligned.schema import SAMPLE_RATE
from khmer_aligned.speech import Speech
from khmer_whisper.serving.app import Limits, Server, make_app
from khmer_whisper.transcription.segments import Segment
from khmer_whisper.transcription.transcriber import Transcriber
from khmer_whisper.transcription.word_times import choose_time_words

from ...conftest import ASSETS

PATIENCE = 30.0  # seconds until a test gives up


def until(condition: Callable[[], bool]) -> None:
    latest = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < latest, "it did not happen"
        time.sleep(0.01)


@contextmanager
def running(server: Server) -> Iterator[str]:
    """The address of a server that runs in a thread."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        app = make_app(server, ["127.0.0.1"])
        runner = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off"))
        thread = threading.Thread(target=runner.run, args=([listener],), daemon=True)
        thread.start()
        until(lambda: runner.started)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        runner.should_exit = True
        thread.join(PATIENCE)


class WaitingTranscriber:
    """In place of a model: gives segments without end until the test lets it finish."""

    def __init__(self) -> None:
        self.begun = 0
        self.running = 0
        self.finish = threading.Event()

    def transcribe(self, path, options):
        def segments():
            self.begun += 1
            self.running += 1
            try:
                while not self.finish.wait(0.01):
                    yield Segment(0.0, 1.0, "ល្អ", None, (Speech(0.0, 1.0),), -0.1, 0.0, 1.0, 0.0)
            finally:
                self.running -= 1

        return _Stream(segments(), options.language)


class _Stream:
    duration = 1.0

    def __init__(self, segments, language) -> None:
        self.segments, self.language = segments, language

    def __iter__(self):
        return self.segments


@pytest.fixture
def waiting() -> Iterator[SimpleNamespace]:
    """A server with places for three whose model waits: its address, `server`, `model`."""
    model = WaitingTranscriber()
    server = Server(model, "waiting", Limits(queue_size=3, megabytes=1))
    with running(server) as address:
        yield SimpleNamespace(address=address, server=server, model=model)
        model.finish.set()


@pytest.fixture(scope="session")
def demo_address() -> Iterator[str]:
    """A server with the demo's model and a token."""
    transcriber = Transcriber(str(ASSETS / "whisper"))
    transcriber.time_words = choose_time_words(transcriber.engine)
    with running(Server(transcriber, "demo", Limits(), token="secret")) as address:
        yield address


@pytest.fixture(scope="session")
def speech_file(tmp_path_factory):
    """Five seconds of the demo's recordings."""
    path = tmp_path_factory.mktemp("speech") / "ខ្មែរ.wav"
    samples = audio.load(ASSETS / "recordings" / "farm.ogg", name="farm")
    soundfile.write(path, samples[: 5 * SAMPLE_RATE], SAMPLE_RATE)
    return path
