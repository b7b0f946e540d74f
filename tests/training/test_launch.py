"""A training in two processes of this machine."""

import json
import os
import subprocess
import sys
from dataclasses import replace

import pytest
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError, ProcessFailure

from khmer_aligned.errors import UserError
from khmer_whisper import training
from khmer_whisper.config import Config, Mixed
from khmer_whisper.launch import root_cause

from ..hub.fixtures import SOURCES
from .conftest import clip, close, messages, write_dataset


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


@pytest.mark.slow
def test_two_processes_learn_what_one_does(few, tiny_folder, tmp_path):
    rows = [clip(300, ["ទឹក"], "more"), clip(301, ["ទឹក"] * 6, "more")]  # of 2.4 s
    mix = (Mixed(str(write_dataset(tmp_path / "more", {"train": rows})), 1.0),)
    config = Config(dataset=str(few), mix=mix, model=str(tiny_folder), batch_size=8, max_steps=2)
    training.train(config, tmp_path / "one")
    # The same batches of eight, each divided over two processes.
    (tmp_path / "run.toml").write_text(replace(config, batch_size=4).toml(), encoding="utf-8")
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
    # Two processes that meet the same mistake show it once, and without a traceback.
    _, complaints, status = run(command)
    assert status == 1
    error = f"Error: {tmp_path / 'two'}: holds a finished model; train into another folder"
    device, *others = messages(complaints)
    assert device.startswith("device: ") and others == [error]


@pytest.mark.slow
def test_two_processes_score_what_one_does(few, tiny_folder, tmp_path):
    command = [
        *(sys.executable, "-m", "khmer_whisper.cli", "evaluate", str(tiny_folder), str(few)),
        *("--split", "train", "--batch-size", "2", "--out"),
    ]
    alone, _, status = run([*command, str(tmp_path / "one")])
    assert status == 0
    together, complaints, status = run([*command, str(tmp_path / "two"), "--processes", "2"])
    assert status == 0, complaints
    assert together == alone and together.count("CER") == 1
    for name in ("predictions.jsonl", "metrics.json"):
        one, two = (tmp_path / folder / name for folder in ("one", "two"))
        assert one.read_bytes() == two.read_bytes()
    assert len((tmp_path / "two/predictions.jsonl").read_text("utf-8").splitlines()) == 16


def test_the_error_shown_is_the_mistake_and_not_its_consequences(tmp_path):
    def failure(rank: int, exitcode: int, message: str | None) -> ProcessFailure:
        file = tmp_path / f"{rank}.json"
        if message:
            extra = {"py_callstack": f"Traceback\n{message}", "timestamp": "1700000000"}
            file.write_text(json.dumps({"message": {"message": message, "extraInfo": extra}}))
        return ProcessFailure(rank, 100 + rank, exitcode, str(file))

    disconnected = failure(0, 1, "RuntimeError: Connection closed by peer")
    mistake = failure(1, 1, "ClickException: clip a-00007: cannot be decoded")
    ended = failure(2, -9, None)
    errors = [
        root_cause(ChildFailedError("train", dict(enumerate(failures))))
        for failures in ([disconnected, mistake], [ended], [disconnected])
    ]
    assert [type(error) for error in errors] == [UserError, UserError, RuntimeError]
    assert str(errors[0]) == "clip a-00007: cannot be decoded"
    assert "Signal 9 (SIGKILL)" in str(errors[1])
    assert "Traceback" in str(errors[2]) and "Connection closed" in str(errors[2])
