"""The forms of a transcription, read back."""

import json

import pysubs2
import pytest

from khmer_aligned.schema import Word
from khmer_aligned.speech import Speech
from khmer_whisper.transcription.forms import FORMS, render, render_pieces
from khmer_whisper.transcription.segments import Segment, Transcription


def make_segment(start: float, end: float, text: str, words=None) -> Segment:
    return Segment(start, end, text, words, (Speech(start, end),), -0.25, 0.01, 1.1, 0.0)


SEGMENTS = [
    make_segment(0.5, 1.75, "ទឹក", [Word("ទឹក", 0.5, 1.75, 0.9)]),
    make_segment(61.0, 62.0, "ធំ\tnow"),
]
RESULT = Transcription("a.wav", 70.0, "km", SEGMENTS)


def test_text_and_table():
    assert render(RESULT, "txt") == "ទឹក\nធំ\tnow\n"
    assert render(RESULT, "tsv") == "start\tend\ttext\n500\t1750\tទឹក\n61000\t62000\tធំ now\n"


def test_json_holds_all_figures():
    content = json.loads(render(RESULT, "json"))
    assert (content["duration"], content["language"]) == (70.0, "km")
    first, second = content["segments"]
    assert first["words"] == [{"text": "ទឹក", "start": 0.5, "end": 1.75, "score": 0.9}]
    assert second == {
        "id": 1, "start": 61.0, "end": 62.0, "text": "ធំ\tnow", "avg_logprob": -0.25,
        "no_speech_prob": 0.01, "compression_ratio": 1.1, "temperature": 0.0,
    }  # fmt: skip


@pytest.mark.parametrize("form", ["srt", "vtt"])
def test_subtitles_are_read_back(form):
    events = pysubs2.SSAFile.from_string(render(RESULT, form))
    assert [(e.start, e.end, e.text) for e in events] == [
        (500, 1750, "ទឹក"),
        (61_000, 62_000, "ធំ now"),
    ]


@pytest.mark.parametrize(
    ("form", "line"),
    [("srt", "a --> b <b>ទឹក</b> {i} & c"), ("vtt", "a --&gt; b &lt;b&gt;ទឹក&lt;/b&gt; {i} &amp; c")],
)
def test_markup_in_a_text_stays_text_in_subtitles(form, line):
    text = "a --> b <b>ទឹក</b> {i} & c"
    rendered = render(Transcription("", 4.0, "km", [make_segment(0.0, 4.0, text)]), form)
    assert line in rendered.splitlines()


@pytest.mark.parametrize("form", FORMS[:-2])
def test_pieces_come_with_their_segments(form):
    taken = []

    def segments():
        for segment in SEGMENTS:
            taken.append(segment)
            yield segment

    pieces = render_pieces(segments(), form)
    while "ទឹក" not in next(pieces):
        pass
    assert len(taken) == (1 if form == "txt" else 2)  # a cue waits for the start of the next


@pytest.mark.parametrize("form", FORMS)
def test_nothing_spoken_is_an_empty_file(form):
    empty = render(Transcription("a.wav", 1.0, "km", []), form)
    if form == "json":
        assert json.loads(empty)["segments"] == []
    else:
        assert empty.strip() in ("", "WEBVTT", "start\tend\ttext")
