"""The same training, cut off and started again."""

import os
import signal
import subprocess
import sys
import time

import pytest
import torch

from khmer_whisper import training
from khmer_whisper.config import Config
from khmer_whisper.trainer import last_checkpoint

from ..hub.fixtures import SOURCES
from .conftest import close

EVERYTHING = {
    "join": 0.5,
    "timestamps": 0.5,
    "previous_text": 0.5,
    "augment": 0.5,
    "spec_augment": True,
}


def test_killed_twice_it_ends_with_the_same_weights(few, tiny_folder, tmp_path):
    config = Config(
        dataset=str(few),
        model=str(tiny_folder),
        batch_size=4,
        max_steps=12,
        learning_rate=1e-3,
        evaluate_every=2,
        **EVERYTHING,
    )
    torch.set_num_threads(1)
    training.train(config, tmp_path / "undisturbed")
    out = tmp_path / "killed"
    (tmp_path / "run.toml").write_text(config.toml(), encoding="utf-8")
    # Imports once, then each line it reads starts the training in a process of its own.
    code = (
        "import os, sys; from pathlib import Path; import torch; torch.set_num_threads(1);"
        "from khmer_whisper.config import Config; from khmer_whisper.training import train\n"
        "for _ in sys.stdin:\n"
        "    if child := os.fork():\n"
        "        print(child, flush=True); os.waitpid(child, 0)\n"
        "    else:\n"
        f"        train(Config.read(Path({str(tmp_path / 'run.toml')!r})), Path({str(out)!r}))\n"
        "        os._exit(0)\n"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(SOURCES)}
    starter = subprocess.Popen(
        [sys.executable, "-c", code],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with starter:
        for step in (4, 8):
            starter.stdin.write("train\n")
            starter.stdin.flush()
            child = int(starter.stdout.readline())
            deadline = time.monotonic() + 120
            while not (out / f"checkpoints/checkpoint-{step}").exists():
                assert time.monotonic() < deadline
                time.sleep(0.005)
            os.kill(child, signal.SIGKILL)
            time.sleep(0.05)
            reached = last_checkpoint(out / "checkpoints")
            assert reached is not None and int(reached.name.split("-")[1]) < 12
    training.train(config, out)
    close(out, tmp_path / "undisturbed")


def test_cut_off_after_the_last_step_it_still_ends_the_same(few, tiny_folder, tmp_path):
    config = Config(dataset=str(few), model=str(tiny_folder), max_steps=4, evaluate_every=2)
    training.train(config, tmp_path / "undisturbed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "finish", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            training.train(config, tmp_path / "cut")
    assert not (tmp_path / "cut/model.safetensors").exists()
    training.train(config, tmp_path / "cut")
    close(tmp_path / "cut", tmp_path / "undisturbed")


def test_a_half_written_checkpoint_is_passed_over(tmp_path):
    for step, state in ((5, "{}"), (10, None), (15, '{"global_')):
        folder = tmp_path / f"checkpoint-{step}"
        folder.mkdir()
        if state:
            (folder / "trainer_state.json").write_text(state, encoding="utf-8")
    assert last_checkpoint(tmp_path) == tmp_path / "checkpoint-5"
