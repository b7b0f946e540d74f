"""A training that is interrupted and started again."""

import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest
import torch

from khmer_aligned.errors import UserError
from khmer_whisper import training
from khmer_whisper.checkpoints import last_checkpoint
from khmer_whisper.config import Config

from ..hub.fixtures import SOURCES
from .conftest import clip, close, interrupt, write_dataset

EVERYTHING = {
    "join": 0.5,
    "timestamps": 0.5,
    "previous_text": 0.5,
    "augment": 0.5,
    "spec_augment": True,
}


@pytest.mark.slow
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


@pytest.mark.slow
def test_cut_off_after_the_last_step_it_still_ends_the_same(few, tiny_folder, tmp_path):
    config = Config(dataset=str(few), model=str(tiny_folder), max_steps=4, evaluate_every=2)
    training.train(config, tmp_path / "undisturbed")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "restore_model", interrupt)
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


@pytest.mark.slow
def test_a_finished_model_and_another_run_are_not_overwritten(
    trained, dataset, tiny_folder, tmp_path
):
    places = {"dataset": str(dataset), "model": str(tiny_folder)}
    config = Config.read(trained.folder / "training.toml", **places)
    with pytest.raises(UserError, match="holds a finished model"):
        training.train(config, trained.folder)
    checkpoint = tmp_path / "checkpoints/checkpoint-5"
    checkpoint.mkdir(parents=True)
    (checkpoint / "trainer_state.json").write_text("{}", encoding="utf-8")
    record = tmp_path / "checkpoints/config.toml"
    record.write_text(replace(config, seed=1, epochs=2).toml(), encoding="utf-8")
    with pytest.raises(UserError, match="unfinished run that differs in seed, epochs, "):
        training.train(config, tmp_path)


@pytest.mark.slow
def test_a_run_goes_on_with_the_same_data_however_its_steps_are_divided(
    tiny_folder, tmp_path, monkeypatch
):
    rows = {"train": [clip(0, ["ទឹក"], "a")], "test": [clip(1, ["ធំ"], "b")]}
    folder = write_dataset(tmp_path / "d", rows)
    config = Config(dataset=str(folder), model=str(tiny_folder), batch_size=4)
    out = tmp_path / "out"

    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(training, "_fine_tune", stop)
    with pytest.raises(KeyboardInterrupt):
        training.train(replace(config, seed=7), out)
    with pytest.raises(KeyboardInterrupt):
        training.train(config, out)  # nothing was learned yet: another run may take its place
    checkpoint = out / "checkpoints/checkpoint-1"
    checkpoint.mkdir()
    (checkpoint / "trainer_state.json").write_text("{}", encoding="utf-8")
    for changes in ({}, {"batch_size": 2, "accumulation": 2}, {"workers": 1}):
        with pytest.raises(KeyboardInterrupt):
            training.train(replace(config, **changes), out)
    with pytest.raises(UserError, match="differs in batch_size; give the same"):
        training.train(replace(config, batch_size=2), out)
    shutil.rmtree(folder)
    write_dataset(folder, rows | {"train": [clip(2, ["ឆ្កែ"], "a")]})
    with pytest.raises(UserError, match="differs in data; give the same"):
        training.train(config, out)
