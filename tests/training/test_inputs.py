"""What a training refuses to start from."""

import pytest

from khmer_aligned.errors import UserError
from khmer_whisper import training
from khmer_whisper.config import Config, Mixed
from khmer_whisper.training import train

from .conftest import clip, write_dataset


def test_patience_needs_something_to_watch(tiny_folder, tmp_path):
    rows = {"train": [clip(0, ["ទឹក"], "a")], "test": [clip(1, ["ធំ"], "b")]}
    folder = write_dataset(tmp_path / "d", rows)
    config = Config(dataset=str(folder), model=str(tiny_folder), patience=2)
    with pytest.raises(UserError, match="--patience needs a validation split"):
        training.train(config, tmp_path / "out")


def test_a_dataset_without_a_split_is_refused(tmp_path, tiny_folder):
    folder = write_dataset(tmp_path / "d", {"train": [clip(0, ["ទឹក"], "a")]})
    config = Config(dataset=str(folder), model=str(tiny_folder))
    with pytest.raises(UserError, match="neither a test nor a validation split"):
        training.train(config, tmp_path / "out")


def test_a_mistake_in_the_mix_does_not_take_the_folder(few, other, tiny_folder, tmp_path):
    mix = (Mixed(str(other), 1.0, "xx"),)
    with pytest.raises(UserError, match=r"no <\|xx\|>"):
        train(Config(dataset=str(few), mix=mix, model=str(tiny_folder)), tmp_path / "out")
    assert not (tmp_path / "out").exists()
