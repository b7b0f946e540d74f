"""The same training, divided over batches, processes and a smaller GPU."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError, ProcessFailure
from transformers import TrainerCallback

from khmer_aligned.errors import UserError
from khmer_whisper import training
from khmer_whisper.config import Config, Mixed
from khmer_whisper.examples import data
from khmer_whisper.examples.mix import Clips, Part
from khmer_whisper.launch import _told
from khmer_whisper.trainer import WhisperTrainer

from ..hub.fixtures import SOURCES
from .conftest import clip, close, tiny_model, write_dataset


class Gradients(TrainerCallback):
    """Keeps the gradients of each optimizer step."""

    def __init__(self) -> None:
        self.steps: list[torch.Tensor] = []

    def on_pre_optimizer_step(self, args, state, control, model=None, **kwargs) -> None:
        found = [p.grad.flatten() for p in model.parameters() if p.grad is not None]
        self.steps.append(torch.cat(found).clone())


def one_step(dataset: Path, folder: Path, batch_size: int = 8, **options):
    """Loss and gradients of the first step over the same eight clips, through the Trainer."""
    whisper = tiny_model()
    config = Config(
        dataset=str(dataset), batch_size=batch_size, max_steps=1, max_grad_norm=1e9, **options
    )
    clips = Clips(
        [Part("d", data.fitting(data.load(str(dataset)), "train", whisper, "text"))],
        whisper,
        config,
    )
    trainer = WhisperTrainer(whisper, config, clips, None, folder)
    gradients = Gradients()
    trainer.add_callback(gradients)
    trainer.train()
    return trainer.state.log_history[0]["loss"], gradients.steps[0]


def test_dividing_the_work_changes_neither_loss_nor_gradients(dataset, tmp_path):
    # transformers multiplies both by the number of accumulated batches.
    loss, gradient = one_step(dataset, tmp_path / "whole")
    for n, options in enumerate(
        [
            {"batch_size": 4, "accumulation": 2},
            {"batch_size": 2, "accumulation": 4},
            {"batch_size": 1, "accumulation": 8},
            {"workers": 2},
            {"gradient_checkpointing": True},
        ]
    ):
        other, divided = one_step(dataset, tmp_path / str(n), **options)
        assert other == pytest.approx(loss, rel=1e-4), options
        torch.testing.assert_close(divided, gradient, atol=1e-6, rtol=1e-4, msg=str(options))


def run(command: list[str]) -> tuple[str, str, int]:
    """Standard output, standard error and status of a command that starts processes."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(SOURCES), "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        printed, complaints = process.communicate(timeout=400)
    except subprocess.TimeoutExpired:
        process.terminate()  # and it ends those it has started
        raise
    return printed, complaints, process.returncode


def test_two_processes_learn_what_one_does(few, tiny_folder, tmp_path):
    rows = [clip(300, ["ទឹក"], "more"), clip(301, ["ទឹក"] * 6, "more")]  # of 2.4 s
    mix = (Mixed(str(write_dataset(tmp_path / "more", {"train": rows})), 1.0),)
    config = Config(dataset=str(few), mix=mix, model=str(tiny_folder), batch_size=8, max_steps=2)
    training.train(config, tmp_path / "one")
    # The same batches of eight, each divided over two processes.
    (tmp_path / "run.toml").write_text(config.with_(batch_size=4).toml(), encoding="utf-8")
    command = [
        *(sys.executable, "-m", "khmer_whisper.cli", "train", str(few), str(tmp_path / "two")),
        *("--config", str(tmp_path / "run.toml"), "--processes", "2"),
    ]
    printed, complaints, status = run(command)
    assert status == 0, complaints
    assert printed.count("Model folder") == 1
    assert printed.count("left out of training") == 1  # they know of each other from the start
    close(tmp_path / "one", tmp_path / "two", atol=1e-5)
    card = (tmp_path / "one/README.md").read_text(encoding="utf-8")
    assert "None of these recordings, going by their names, was trained on" in card
    one, two = (
        [json.loads(line) for line in (tmp_path / name / "predictions.jsonl").open()]
        for name in ("one", "two")
    )
    assert [row["id"] for row in one] == [row["id"] for row in two]
    # Two processes that make the same mistake speak with one voice, and without a traceback.
    _, complaints, status = run(command)
    assert status == 1
    told = [line for line in complaints.splitlines() if "split" not in line]
    assert told == [f"Error: {tmp_path / 'two'}: holds a finished model; train into another folder"]


def test_the_mistake_is_told_and_not_what_came_of_it(tmp_path):
    def failure(rank: int, exitcode: int, said: str | None) -> ProcessFailure:
        file = tmp_path / f"{rank}.json"
        if said:
            extra = {"py_callstack": f"Traceback\n{said}", "timestamp": "1700000000"}
            file.write_text(json.dumps({"message": {"message": said, "extraInfo": extra}}))
        return ProcessFailure(rank, 100 + rank, exitcode, str(file))

    lost = failure(0, 1, "RuntimeError: Connection closed by peer")
    mistake = failure(1, 1, "ClickException: clip a-00007: cannot be decoded")
    ended = failure(2, -9, None)
    told = [
        _told(ChildFailedError("train", dict(enumerate(failures))))
        for failures in ([lost, mistake], [ended], [lost])
    ]
    assert [type(error) for error in told] == [UserError, UserError, RuntimeError]
    assert str(told[0]) == "clip a-00007: cannot be decoded"
    assert "Signal 9 (SIGKILL)" in str(told[1])
    assert "Traceback" in str(told[2]) and "Connection closed" in str(told[2])


def test_out_of_memory_divides_the_batch_and_keeps_the_step(few, tiny_folder, tmp_path):
    class SmallGpu(WhisperTrainer):
        def training_step(self, model, inputs, *args):
            if len(inputs["labels"]) > 4:
                # As cuBLAS says it.
                raise RuntimeError(
                    "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate"
                )
            return super().training_step(model, inputs, *args)

    config = Config(dataset=str(few), model=str(tiny_folder), batch_size=16, max_steps=2, epochs=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "WhisperTrainer", SmallGpu)
        divided = training.train(config, tmp_path / "small")
    assert divided.steps == 2
    training.train(config, tmp_path / "large")
    close(tmp_path / "small", tmp_path / "large", atol=1e-5)
