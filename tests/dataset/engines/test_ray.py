"""Shards aligned by Ray's actors, one of which is lost."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import socket
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest
import torch
from click.testing import CliRunner

from khmer_aligned.cli import main
from khmer_aligned.dataset import rows
from khmer_aligned.dataset.build import build
from khmer_aligned.dataset.config import BuildConfig
from khmer_aligned.dataset.engines import load_engine
from khmer_aligned.dataset.state import require_plan
from khmer_aligned.errors import UserError
from khmer_aligned.hub.folder import published_files

SECONDS = 8.0  # of each recording

needs_ray = pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="needs ray")


def data(folder: Path) -> dict[str, bytes]:
    files = published_files(folder)
    return {
        name: path.read_bytes()
        for name, path in files.items()
        if name.startswith("data/") or name == "rejected.jsonl"
    }


class Killer(threading.Thread):
    """Ends the first actor that is at a shard, as a lost machine would."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.ended: int | None = None
        self.deadline = time.monotonic() + 300

    def run(self) -> None:
        while self.ended is None and time.monotonic() < self.deadline:
            for process in psutil.Process().children(recursive=True):
                try:
                    at_work = process.cmdline()[:1] == ["ray::_Worker.align"]
                except psutil.Error:
                    continue
                if at_work:
                    os.kill(process.pid, signal.SIGKILL)
                    self.ended = process.pid
                    return
            time.sleep(0.01)


@pytest.fixture
def source(recordings, true_words, tmp_path) -> Path:
    """The first seconds of each of the demo's recordings, in a manifest."""
    folder = tmp_path / "source"
    folder.mkdir()
    rows = ["file_name,text,start,end"]
    for path in sorted(recordings.glob("*.ogg")):
        shutil.copy(path, folder)
        words = [word for word in true_words(path.stem) if word[3] < SECONDS]
        text = path.with_suffix(".txt").read_text(encoding="utf-8")[words[0][0] : words[-1][1]]
        rows.append(f'{path.name},"{text}",{words[0][2]:.2f},{words[-1][3]:.2f}')
    (folder / "metadata.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return folder


@needs_ray
@pytest.mark.slow
def test_a_lost_actor_changes_no_byte(
    source, aligner_folder, tokenizer_folder, tmp_path, monkeypatch, capsys
):
    import ray

    from khmer_aligned.dataset.engines import ray as ray_engine

    monkeypatch.setattr(rows, "_SHARD_CHARACTERS", 100)
    monkeypatch.setattr(ray_engine, "_CPUS", 1)  # two actors on two cores
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    # The last bits of scores depend on it; Ray would give each actor one for its one core.
    monkeypatch.setenv("OMP_NUM_THREADS", str(torch.get_num_threads()))
    config = BuildConfig(str(aligner_folder), str(tokenizer_folder), 150, lag=0.05)
    build(source, tmp_path / "local", config)
    killer = Killer()
    # As urgent as the other tests, beside which nothing would be left for them.
    urgent = {"worker_niceness": 0}
    ray.init(address="local", num_cpus=2, include_dashboard=False, _system_config=urgent)
    try:
        killer.start()
        build(source, tmp_path / "ray", config, engine="ray")
    finally:
        ray.shutdown()
    assert len(require_plan(tmp_path / "ray").shards) > 2
    assert killer.ended is not None
    assert "an actor was lost; shard" in capsys.readouterr().err
    assert data(tmp_path / "ray") == data(tmp_path / "local")


@needs_ray
def test_an_address_where_nothing_answers_is_named_at_once(tmp_path, monkeypatch):
    with socket.socket() as taken:  # bound, but nobody listens
        taken.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        monkeypatch.setenv("RAY_ADDRESS", address)
        command = ["build", str(tmp_path), str(tmp_path / "out"), "--engine", "ray"]
        result = CliRunner().invoke(main, command)
    assert result.exit_code == 1
    error = result.stderr.splitlines()[-1]
    assert error.startswith(f"Error: RAY_ADDRESS is {address}, where no Ray cluster answers")
    assert not (tmp_path / "out").exists()


def test_without_ray_the_way_out_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.delitem(sys.modules, "khmer_aligned.dataset.engines.ray", raising=False)
    import khmer_aligned.dataset.engines as engines

    monkeypatch.delattr(engines, "ray", raising=False)
    with pytest.raises(UserError, match=r"pip install 'khmer-aligned\[ray\]'"):
        load_engine("ray")
