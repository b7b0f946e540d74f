"""A small recording, and its examples."""

import pytest

from khmer_whisper.config import Config
from khmer_whisper.examples import data
from khmer_whisper.examples.data import Splits
from khmer_whisper.examples.fitting import select_fitting
from khmer_whisper.examples.mix import Clips, Part

from ..conftest import clip, write_dataset


@pytest.fixture(scope="session")
def recording(tmp_path_factory):
    """Four clips of one recording, the last far from the others, and one of another."""
    rows = [
        clip(0, ["ទឹក"], "a", start=0.0, end=0.4),
        clip(1, ["ឆ្កែ"], "a", start=0.6, end=1.0),
        clip(2, ["ល្អ", "ធំ"], "a", start=1.0, end=1.8),
        clip(3, ["ធំ"], "a", start=9.0, end=9.4),
        clip(4, ["ទឹក"], "b", start=9.5, end=9.9),
    ]
    folder = write_dataset(tmp_path_factory.mktemp("recording"), {"train": rows})
    return data.load(str(folder))


def clips_of(splits: Splits, tiny, **options) -> Clips:
    config = Config(dataset="d", **options)
    return Clips([Part("d", select_fitting(splits, "train", tiny, config.text))], tiny, config)
