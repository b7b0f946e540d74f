"""Work in progress: one process at a time, whole files."""

import os
import subprocess
import sys

import pytest

from khmer_aligned.errors import UserError
from khmer_aligned.files import alone, write_whole

from .hub.fixtures import SOURCES

HOLD = """
import sys
from pathlib import Path
from khmer_aligned.files import alone
with alone(Path(sys.argv[1])):
    print("here", flush=True)
    sys.stdin.read()
"""


def test_a_folder_is_another_processs_until_that_is_gone(tmp_path):
    held = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(SOURCES)},
    )
    with held:
        assert held.stdout.readline() == b"here\n"
        with pytest.raises(UserError, match="another process is at work in it"), alone(tmp_path):
            pass
        held.kill()
    with alone(tmp_path):
        pass


def test_a_file_is_replaced_whole(tmp_path):
    path = tmp_path / "a.json"
    write_whole(path, "ក")
    write_whole(path, "ខ")
    assert path.read_text(encoding="utf-8") == "ខ"
    assert list(tmp_path.iterdir()) == [path]
