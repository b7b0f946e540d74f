"""The guide of the demo's Whisper."""

from demo_assets import make_whisper
from khmer_whisper.demo.tokenizer import byte_tokenizer
from khmer_whisper.labels import Labeller

from .conftest import reading_of


def test_whispers_guide_places_each_byte_where_it_is_spoken():
    text = "ទៅ ២។"
    reading = reading_of(text, [(0.5, 0.7), (1.0, 1.4)])
    places = make_whisper.guide(text, reading)
    labels = Labeller(byte_tokenizer()).plain(text).labels
    assert len(places) == len(labels)
    assert places[:3] == [(0, 0)] * 3
    assert places[-1] == (0, 0)
    seconds = [(a * 0.02, b * 0.02) for a, b in places[3:-1]]
    first, digit = seconds[0], seconds[len("ទៅ ".encode())]
    assert first[0] < 0.5 < first[1] < 0.8
    assert digit[0] < 1.0 and digit[1] > 1.4  # a number stands where all its words are spoken
