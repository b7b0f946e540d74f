"""The programs as they are installed."""

import subprocess
import sys
from pathlib import Path

import pytest


def run(*command: object) -> subprocess.CompletedProcess[str]:
    program, *arguments = map(str, command)
    path = Path(sys.executable).with_name(program)
    assert path.is_file(), f"{program} is not installed beside {sys.executable}"
    return subprocess.run([path, *arguments], capture_output=True, text=True, timeout=120)


PROGRAMS = [
    (["khmer-aligned"], "Usage: khmer-aligned [OPTIONS] COMMAND"),
    (["khmer-aligned", "build"], "Usage: khmer-aligned build [OPTIONS] SOURCE OUT"),
    (["khmer-whisper"], "Usage: khmer-whisper [OPTIONS] COMMAND"),
    (["khmer-whisper", "train"], "Usage: khmer-whisper train [OPTIONS] DATASET OUT"),
    (["push-model"], "Usage: push-model [OPTIONS] FOLDER"),
]


@pytest.mark.parametrize("option", ["-h", "--help"])
@pytest.mark.parametrize(("command", "usage"), PROGRAMS)
def test_help(command, usage, option):
    done = run(*command, option)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(usage)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "complaint"),
    [
        (["khmer-aligned", "push-dataset", "{folder}", "org/x"], "it has no README.md"),
        (["khmer-whisper", "push-model", "{folder}", "org/x"], "it has no README.md"),
        (["push-model", "{folder}", "org/x"], "it has no README.md"),
        (["khmer-aligned", "build", "{folder}", "{folder}/out"], "holds no audio file"),
    ],
)
def test_a_mistake_is_one_line(tmp_path, command, complaint):
    done = run(*(part.format(folder=tmp_path) for part in command))
    assert (done.returncode, done.stdout) == (1, "")
    *device, line = done.stderr.splitlines()
    assert all(first.startswith("device: ") for first in device)
    assert line.startswith("Error: ")
    assert complaint in line
