"""Khmer text cut into words."""

import pytest

from khmer_aligned.text import SEGMENTER, words


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
    expected = words("ប្រទេសកម្ពុជាមានប្រជាជន")
    assert words("សូម ប្រទេសកម្ពុជាមានប្រជាជន ដប់")[1:-1] == expected


def test_the_segmenter_is_named_with_its_version():
    name, version = SEGMENTER.split(" ")
    assert name == "khmercut" and version[0].isdigit()
