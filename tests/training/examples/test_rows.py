"""The waveform of a row."""

import numpy as np
import pytest
import soundfile

from khmer_aligned.errors import UserError
from khmer_whisper.config import Config
from khmer_whisper.examples import data
from khmer_whisper.examples.fitting import select_fitting
from khmer_whisper.examples.mix import Clips, Key, Part
from khmer_whisper.examples.rows import measure, waveform

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


def test_a_row_that_names_a_file_of_this_machine_reads_nothing(tmp_path, monkeypatch):
    soundfile.write(tmp_path / "private.wav", np.zeros(16_000), 16_000)
    monkeypatch.chdir(tmp_path)
    for name in (tmp_path / "private.wav", "private.wav"):
        row = clip(0, ["ទឹក"], "a") | {"audio": {"bytes": None, "path": str(name)}}
        with pytest.raises(UserError, match="clip a-00000: names a file instead of holding"):
            waveform(row)
        with pytest.raises(UserError, match="no such file is read"):
            measure(row["audio"], "a-00000")
