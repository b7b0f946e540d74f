"""What `import khmer_aligned` offers."""

import subprocess
import sys

import pytest

import khmer_aligned
from khmer_aligned import Transcript, UserError, align_file, build
from khmer_aligned.dataset.config import BuildConfig

LAZY = """
import sys
import khmer_aligned
assert {"Transcript", "UserError", "align_file", "build"} <= set(dir(khmer_aligned))
print([name for name in sys.modules if name.startswith("khmer_aligned.")])
from khmer_aligned import UserError
print([name for name in sys.modules if name.startswith("khmer_aligned.")])
"""


def test_names_are_loaded_when_they_are_used():
    done = subprocess.run([sys.executable, "-c", LAZY], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["[]", "['khmer_aligned.errors']"]


def test_every_name_is_what_its_module_defines():
    for name in khmer_aligned.__all__:
        assert getattr(khmer_aligned, name).__name__ == name
    assert align_file.__module__ == "khmer_aligned.alignment.align_file"
    assert Transcript.from_text("១០ នាក់").words
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = khmer_aligned.nonsense


def test_build_takes_options_by_name(tmp_path):
    with pytest.raises(UserError, match="--max-labels is 441: give at least 1 and at most 440"):
        build(tmp_path, tmp_path / "out", max_labels=441)
    with pytest.raises(UserError, match="--max-misfit is 3"):
        build(tmp_path, tmp_path / "out", max_misfit=3)
    with pytest.raises(TypeError, match="max_token"):
        build(tmp_path, tmp_path / "out", max_token=3)
    with pytest.raises(UserError, match="holds no audio file"):
        build(tmp_path, tmp_path / "out", BuildConfig(aligner="mms"))
    assert not (tmp_path / "out").exists()


def test_options_change_a_configuration_and_nothing_else_of_it():
    config = BuildConfig(seed=3).with_options(max_misfit=1, max_labels=96)
    assert (config.seed, config.max_labels) == (3, 96)
    assert config.thresholds.max_misfit == 1.0
    assert config.thresholds.sure_misfit == BuildConfig().thresholds.sure_misfit
    assert config.with_options() == config
