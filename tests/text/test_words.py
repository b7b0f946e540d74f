"""Words, and the letters an aligner hears of them."""

import pytest

from khmer_aligned.text import SEGMENTER, words
from khmer_aligned.text.romanize import _uroman, romanize


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ខ្ញុំទៅសាលារៀន", ["ខ្ញុំ", "ទៅ", "សាលារៀន"]),
        ("លោក\u200bទៅ\u200bផ្សារ ។", ["លោក", "ទៅ", "ផ្សារ", "។"]),
        ("ក្រុម AMs (don't) café", ["ក្រុម", "AMs", "(", "don't", ")", "café"]),
        ("ល្អ👩\u200d👧😀 ណាស់", ["ល្អ", "👩\u200d👧😀", "ណាស់"]),
        (" \n", []),
        ("", []),
    ],
)
def test_words(text, expected):
    assert words(text) == expected


def test_a_word_depends_on_its_own_stretch_only():
    alone = words("ប្រទេសកម្ពុជាមានប្រជាជន")
    assert words("សូម ប្រទេសកម្ពុជាមានប្រជាជន ដប់")[1:-1] == alone


def test_the_segmenter_is_named_with_its_version():
    name, version = SEGMENTER.split(" ")
    assert name == "khmercut" and version[0].isdigit()


@pytest.mark.parametrize("word", ["សិទ្ធិ", "កម្ពុជា", "ស្ត្រី", "AMs", "ល៉ៈ", "Élysée"])
def test_letters_are_uromans(word):
    letters, spans = romanize(word)
    whole = _uroman().romanize_string(word, lcode="khm").lower()
    assert letters == "".join(letter for letter in whole if letter in "abcdefghijklmnopqrstuvwxyz'")
    assert len(spans) == len(letters)
    starts = [start for start, _ in spans]
    assert starts == sorted(starts)
    assert all(0 <= start < end <= len(word) for start, end in spans)


def test_letters_know_their_characters():
    letters, spans = romanize("សិទ្ធិ")
    assert letters == "sitthi"
    assert ["សិទ្ធិ"[slice(*span)] for span in spans] == ["ស", "ិ", "ទ្", "ធ", "ធ", "ិ"]


@pytest.mark.parametrize("word", ["😀", "©", "ៈ", "…"])
def test_no_letter_is_a_star(word):
    assert romanize(word) == ("", ())
