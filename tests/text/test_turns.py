"""Who speaks in a dialogue, and what only looks like a name."""

import pytest

from khmer_aligned.text import Transcript, find_speakers
from khmer_aligned.text.turns import find_turns

DIALOGUE = "សុខា៖ ខ្ញុំទៅផ្សារ។\nដារ៉ា៖ ទៅធ្វើអ្វី?\nទៅពេលណា?\nសុខា៖ ទិញត្រី។\nដារ៉ា៖ ល្អ។\n"


def test_names_that_repeat_are_speakers_until_the_next_name():
    transcript = Transcript.from_text(f"ផ្សារ\n{DIALOGUE}")
    said = {}
    for word, speaker in zip(transcript.words, transcript.speakers, strict=True):
        said.setdefault(speaker, []).append(word.text)
    assert said[None] == ["ផ្សារ"]
    assert {"ផ្សារ", "ត្រី"} < set(said["សុខា"])
    assert {"ពេលណា", "ល្អ"} < set(said["ដារ៉ា"])
    assert find_speakers(DIALOGUE) == ["សុខា", "ដារ៉ា"]


def test_the_speaker_of_words_is_the_one_of_all_of_them():
    transcript = Transcript.from_text(DIALOGUE)
    change = transcript.speakers.index("ដារ៉ា")
    assert transcript.speaker_of(0, change) == "សុខា"
    assert transcript.speaker_of(0, change + 1) is None
    assert transcript.speaker_of(change, change + 1) == "ដារ៉ា"


@pytest.mark.parametrize(
    "text",
    [
        "ខ្ញុំទៅផ្សារ។\nសម្គាល់៖ ផ្សារបិទ។\nខ្ញុំទៅផ្ទះ។\n",  # a lone note
        "សម្គាល់៖ ក។\n" * 5,  # a note again and again
        "ទីមួយ៖ ក។\nទីពីរ៖ ខ។\nទីបី៖ គ។\nទីបួន៖ ឃ។\n",  # no name twice
        "ម៉ោង 7:30 ព្រឹក។\nម៉ោង 7:45 ព្រឹក។\nម៉ោង 7:50 ព្រឹក។\n",
        "សុខា៖ ក។\nសុខា៖ ខ។\n" + "ខ្ញុំទៅផ្សារ។\n" * 20,  # hardly any of the lines
        "",
    ],
)
def test_no_pattern_no_speaker(text):
    assert find_turns(text) == []
    assert find_speakers(text) == []


def test_a_name_on_a_line_of_its_own_and_one_that_does_not_repeat():
    text = "សុខា៖\nខ្ញុំទៅផ្សារ។\nដារ៉ា :\nល្អ។\nឪពុក៖ មក!\nសុខា៖\nមក។\nដារ៉ា៖\nមក។\n"
    turns = find_turns(text)
    assert [turn.speaker for turn in turns] == ["សុខា", "ដារ៉ា", None, "សុខា", "ដារ៉ា"]
    assert text[turns[1].start : turns[1].end] == "ដារ៉ា :"
    transcript = Transcript.from_text(text)
    names = [p.kind for p in transcript.optional]
    assert names == ["a name before a colon"] * 5
