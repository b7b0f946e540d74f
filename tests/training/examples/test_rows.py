"""The waveform of a row."""

import pytest

from khmer_aligned.errors import UserError
from khmer_whisper.config import Config
from khmer_whisper.examples import data
from khmer_whisper.examples.fitting import select_fitting
from khmer_whisper.examples.mix import Clips, Key, Part
from khmer_whisper.examples.rows import waveform

from ..conftest import clip, write_dataset


def test_a_clip_longer_than_its_row_says_is_named(tmp_path, tiny):
    row = clip(0, ["ទឹក"] * 6, "a", duration=0.4)
    folder = write_dataset(tmp_path / "d", {"train": [row]})
    fitting = select_fitting(data.load(str(folder)), "train", tiny, "text")
    clips = Clips([Part("d", fitting)], tiny, Config(dataset="d"))
    with pytest.raises(UserError, match=r"clip a-00000: holds 2\.40 s .* says 0\.40 s"):
        clips[Key(0, 0)]
    for missing in (None, {"bytes": None, "path": None}):
        with pytest.raises(UserError, match="clip a-00000: has no audio"):
            waveform(row | {"audio": missing})
