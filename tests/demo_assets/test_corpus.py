"""Khmer text that is read aloud, and disturbed as recordings are."""

import random

import pytest

from demo_assets.corpus import disturb, read, stream
from khmer_aligned.text import Transcript

from .conftest import VOICE, level


def test_reads_khmer_with_pauses_at_its_spaces(espeak):
    text = "ខ្ញុំទៅផ្សារ ទិញត្រី២គីឡូ។ គាត់សើច"
    reading = read(espeak, text, VOICE, random.Random(0))
    assert [w.text for w in reading.words] == [w.text for w in Transcript.from_text(text).words]
    gaps = {
        a.text: following[0] - end
        for a, (_, end), following in zip(
            reading.words, reading.times, reading.times[1:], strict=False
        )
    }
    assert 0.25 < gaps["ផ្សារ"] < 0.5 < gaps["គីឡូ"]
    assert gaps["ទៅ"] == pytest.approx(0, abs=0.02)
    with pytest.raises(ValueError, match="no letters"):
        read(espeak, "ខ្ញុំ🙂", VOICE, random.Random(0))


def test_disturbing_keeps_words_where_they_sound(espeak):
    reading = read(espeak, "ខ្ញុំទៅផ្សារ", VOICE, random.Random(0))
    moved = disturb(reading, random.Random(3))
    shift = moved.times[0][0] - reading.times[0][0]
    assert shift > 0.05
    assert len(moved.samples) > len(reading.samples)
    assert level(moved.samples, 0, moved.times[0][0]) < level(moved.samples, *moved.times[0]) - 10


def test_the_stream_is_the_same_for_the_same_seed(espeak):
    def texts(seed):
        endless = stream(seed, ["id"], ["m1", "f1"], 100)
        return [next(endless)[0] for _ in range(5)]

    assert texts(1) == texts(1) != texts(2)
