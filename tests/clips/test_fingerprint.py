"""A recording is known again in another format, and two recordings are told apart."""

import csv
from itertools import combinations

import numpy as np
import pytest
import soundfile as sf

from khmer_aligned.audio import load
from khmer_aligned.clips.fingerprint import SIZE, fingerprint, read_fingerprint

from ..conftest import SHARED
from ..dataset.whole_clips import sound


def shared(first: np.ndarray, second: np.ndarray) -> int:
    numbers = [read_fingerprint(fingerprint(waveform)) for waveform in (first, second)]
    return len(np.intersect1d(*numbers))


@pytest.fixture(scope="module")
def speech(recordings):
    return load(recordings / "farm.ogg", name="farm")


def test_another_level_and_another_format_are_the_same_sound(speech, tmp_path):
    assert shared(speech, 0.1 * speech) >= 28
    sf.write(tmp_path / "copy.mp3", speech, 16_000)
    copy = load(tmp_path / "copy.mp3", name="copy.mp3")
    assert shared(speech, copy) >= 14


def test_different_recordings_share_next_to_nothing(recordings):
    waveforms = [load(path, name=path.name) for path in sorted(recordings.glob("*.ogg"))]
    waveforms += [sound(seed) for seed in range(20)]
    assert max(shared(*pair) for pair in combinations(waveforms, 2)) <= 3


def test_what_holds_no_sound_has_no_fingerprint(speech):
    assert fingerprint(np.zeros(16_000, np.float32)) == b""
    assert fingerprint(speech[:3_000]) == b""
    assert len(read_fingerprint(fingerprint(speech))) == SIZE


@pytest.mark.skipif(not (SHARED / "data" / "keosaly").is_dir(), reason="needs ../shared")
def test_sentences_of_one_voice_are_told_apart():
    folder = SHARED / "data" / "keosaly"
    with (folder / "metadata.csv").open(encoding="utf-8") as file:
        names = [row["file_name"] for row in csv.DictReader(file)][:60]
    numbers = [read_fingerprint(fingerprint(load(folder / name, name=name))) for name in names]
    assert max(len(np.intersect1d(*pair)) for pair in combinations(numbers, 2)) <= 5
