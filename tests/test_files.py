"""Work in progress: one process at a time, whole files."""

import os
import subprocess
import sys

import pytest

from khmer_aligned.errors import UserError
from khmer_aligned.files import lock_folder, write_whole

from .hub.fixtures import SOURCES

HOLD = """
import sys
from pathlib import Path
from khmer_aligned.files import lock_folder
with lock_folder(Path(sys.argv[1])):
    print("locked", flush=True)
    sys.stdin.read()
"""


def test_a_folder_is_locked_until_the_process_that_locked_it_is_gone(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(SOURCES)},
    )
    with process:
        assert process.stdout.readline() == b"locked\n"
        message = f"{tmp_path}: another process is at work in it"
        with pytest.raises(UserError, match=message), lock_folder(tmp_path):
            pass
        process.kill()
    with lock_folder(tmp_path):
        pass


def test_a_file_is_replaced_whole(tmp_path):
    path = tmp_path / "a.json"
    write_whole(path, "ក")
    write_whole(path, "ខ")
    assert path.read_text(encoding="utf-8") == "ខ"
    assert list(tmp_path.iterdir()) == [path]


def test_a_write_that_fails_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.json"
    write_whole(path, "ក")
    with pytest.raises(UnicodeEncodeError):
        write_whole(path, "ខ\ud800")  # half a surrogate pair cannot be encoded
    assert path.read_text(encoding="utf-8") == "ក"
