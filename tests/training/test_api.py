"""The functions of `khmer_whisper` for Python."""

import pkgutil
import subprocess
import sys

import pytest

import khmer_whisper
from khmer_aligned.errors import UserError

from .conftest import voice


def test_functions_are_documented_and_no_submodule_hides_them():
    submodules = {module.name for module in pkgutil.iter_modules(khmer_whisper.__path__)}
    assert not submodules & set(khmer_whisper.__all__)
    for name in khmer_whisper.__all__:
        function = getattr(khmer_whisper, name)
        assert callable(function) and function.__doc__
        assert name in dir(khmer_whisper)
        assert f"khmer_whisper.{name}(" in khmer_whisper.__doc__
    with pytest.raises(AttributeError, match="no attribute 'tranzcribe'"):
        _ = khmer_whisper.tranzcribe


def test_importing_it_is_quick():
    heavy = {"torch", "transformers", "datasets", "numpy"}
    code = f"import sys, khmer_whisper, khmer_whisper.cli; print({heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_a_score():
    scores = khmer_whisper.score(["ទឹក"], ["ទុក"])
    assert (scores.cer.errors, scores.cer.total) == (1, 3)


def test_a_model_is_loaded_by_its_folder_and_transcribes(tiny_folder):
    whisper = khmer_whisper.load(tiny_folder)
    assert not whisper.model.training
    transcription = khmer_whisper.transcribe(whisper, voice(4), quiet=True)
    assert transcription.duration == pytest.approx(4.0)


@pytest.mark.slow
def test_a_training(few, other, tiny_folder, tmp_path):
    result = khmer_whisper.train(
        few, tmp_path / "out", model=str(tiny_folder), max_steps=1, mix={str(other): 0.5}
    )
    assert result.steps == 1
    assert khmer_whisper.load(result.folder).clip_seconds is not None
    assert khmer_whisper.load(result.folder).languages == ("km",)


def test_a_mistake_in_the_options_is_named(few, tmp_path):
    with pytest.raises(UserError, match="unknown key 'batchsize'; known: batch_size"):
        khmer_whisper.train(few, tmp_path, batchsize=4)
