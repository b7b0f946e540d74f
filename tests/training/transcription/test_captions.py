"""Subtitles that people can read: width, lines, speed, and no word cut."""

import re
from itertools import pairwise

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from khmer_aligned.schema import Word
from khmer_aligned.speech import Speech
from khmer_aligned.text.words import words
from khmer_whisper.transcription.captions import (
    MAX_COLUMNS,
    MAX_LINES,
    MAX_SECONDS,
    MAX_SPEED,
    count_columns,
    make_cues,
)
from khmer_whisper.transcription.segments import Segment

# Everyday words, phrases and signs.
PARTS = (
    "ខ្ញុំ", "ទៅ", "ផ្សារ", "ទិញ", "បន្លែ", "ស្រស់", "សាលារៀន", "កម្ពុជា", "ប្រទេស", "រដ្ឋាភិបាល",
    "សាកលវិទ្យាល័យ", "មនុស្ស", "ៗ", " ", " ", "។ ", "៖ ", "? ", "២០២៤", "10,000", "Facebook", "«", "»",
)  # fmt: skip


def make_segment(text: str, *speech: tuple[float, float], timed: list[Word] | None = None):
    spoken = tuple(Speech(*times) for times in speech)
    return Segment(spoken[0].start, spoken[-1].end, text, timed, spoken, -0.1, 0.0, 1.0, 0.0)


texts = st.lists(st.sampled_from(PARTS), min_size=1, max_size=120).map(
    lambda parts: "".join(parts).strip() or "បាទ"
)


@given(texts, st.floats(0.5, 30), st.floats(0, 3))
def test_cues_are_narrow_in_order_whole_and_readable(text, seconds, pause):
    half = seconds / 2
    segment = make_segment(text, (1.0, 1.0 + half), (1.0 + half + pause, 1.0 + seconds + pause))
    cues = list(make_cues([segment]))
    squeezed = re.sub(r"\s", "", text)
    assert re.sub(r"\s", "", "".join(cue.text for cue in cues)) == squeezed
    longest = max(map(count_columns, text.split()), default=0)
    for cue, following in [*pairwise(cues), *((cue, None) for cue in cues[-1:])]:
        lines = cue.text.split("\n")
        assert len(lines) <= MAX_LINES
        assert all(count_columns(line) <= max(MAX_COLUMNS, longest) for line in lines)
        assert cue.start < cue.end or following is not None
        reading = count_columns(cue.text) / MAX_SPEED
        assert cue.end - cue.start >= reading - 1e-6 or cue.end >= following.start
        assert following is None or cue.end <= following.start + 1e-6
    cut_words = words(text)
    pieces = [word for cue in cues for line in cue.text.split("\n") for word in words(line)]
    assert pieces == cut_words  # no word is cut, or the pieces would be others


def test_lines_end_with_phrases():
    text = "ខ្ញុំទៅផ្សារទិញបន្លែស្រស់ជាមួយម្តាយរបស់ខ្ញុំ។ ពួកយើងទៅលេងទីក្រុងភ្នំពេញកាលពីម្សិលមិញយប់"
    (cue,) = make_cues([make_segment(text, (0.0, 6.0))])
    assert cue.text.split("\n") == text.split(" ")
    cues = list(make_cues([make_segment(text, (0.0, 12.0))]))
    assert [cue.text for cue in cues] == text.split(" ")
    assert cues[0].end <= cues[1].start


def test_a_number_stays_with_what_is_counted():
    before = "ការស្នើសុំសេវានេះនឹងត្រូវចំណាយរយៈពេលយ៉ាងយូរបំផុត៣០ថ្ងៃ"
    after = "នៃថ្ងៃធ្វើការសម្រាប់អ្នកទាំងអស់គ្នាដែលរស់នៅទីក្រុងភ្នំពេញ"
    (cue,) = make_cues([make_segment(before + after, (0.0, 6.0))])
    assert cue.text.split("\n") == [before, after]


def test_signs_stay_with_their_word():
    segment = make_segment("«ខ្ញុំ» បាន " * 20 + "ធំៗ។", (0.0, 20.0))
    for cue in make_cues([segment]):
        for line in cue.text.split("\n"):
            assert line[0] not in "»ៗ។" and line[-1] != "«"


def test_the_text_is_spread_over_the_speech_and_not_the_pause():
    phrase = "ខ្ញុំទៅផ្សារទិញបន្លែស្រស់ជាមួយម្តាយ។"
    segment = make_segment(f"{phrase} {phrase}", (0.0, 4.0), (9.0, 13.0))
    first, second = make_cues([segment])
    assert first.text == second.text == phrase
    assert (first.start, first.end) == pytest.approx((0.0, 4.0), abs=0.2)
    assert (second.start, second.end) == pytest.approx((9.0, 13.0), abs=0.2)


def test_times_of_words_are_used():
    timed = [Word("ទឹក", 0.5, 1.0, 0.9), Word("ធំ", 8.0, 8.5, 0.9)]
    cues = list(make_cues([make_segment("ទឹក ធំ", (0.0, 9.0), timed=timed)]))
    assert [(cue.text, cue.start) for cue in cues] == [("ទឹក", 0.5), ("ធំ", 8.0)]


def test_a_short_cue_is_shown_until_it_is_read_or_the_next_begins():
    segments = [make_segment("ខ្ញុំទៅផ្សារទិញបន្លែ", (0.0, 0.2)), make_segment("បាទ", (0.6, 0.7))]
    first, second = make_cues(segments)
    assert first.end == 0.6  # a second to read, but the next one begins
    assert second.end == pytest.approx(0.6 + 5 / 6)


@given(texts)
def test_a_column_is_a_grapheme_cluster(text):
    assert count_columns(text) == len(regex.findall(r"\X", text))


def test_no_cue_is_shown_too_long():
    segment = make_segment("ខ្ញុំទៅផ្សារទិញបន្លែស្រស់ ជាមួយម្តាយ", (0.0, 25.0))
    assert all(cue.end - cue.start <= MAX_SECONDS for cue in make_cues([segment]))
