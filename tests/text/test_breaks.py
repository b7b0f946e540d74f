"""Strength of the boundary after a word."""

import pytest

from khmer_aligned.text import Break, Transcript


@pytest.mark.parametrize(
    ("text", "strength"),
    [
        ("បាន ។ ទៅ", Break.SENTENCE),
        ("បាន៕ ទៅ", Break.PARAGRAPH),
        ("បាន! ទៅ", Break.SENTENCE),
        ("បាន. ទៅ", Break.SENTENCE),
        ("បាន៖ ទៅ", Break.COLON),
        ("បាន, ទៅ", Break.SPACE),
        ("បាន ទៅ", Break.SPACE),
        ("បានទៅ", Break.WORD),
        ("Phnom Penh", Break.NEVER),
        ("phnom penh", Break.SPACE),
        ("J. Smith", Break.SPACE),
        ("COVID-19", Break.NEVER),
        ("បាន/ទៅ", Break.WORD),
        ("បាន - ទៅ", Break.SPACE),
    ],
)
def test_strength_of_a_break(text, strength):
    assert Transcript.from_text(text).words[0].break_after == strength


def test_a_heading_is_no_name():
    breaks = [
        word.break_after for word in Transcript.from_text("A Very Long Heading Of Seven").words
    ]
    assert [strength == Break.NEVER for strength in breaks] == [
        True,
        True,
        True,
        False,
        True,
        False,
    ]


def test_what_follows_a_title_may_be_no_name():
    words = Transcript.from_text("លោក បានមានប្រសាសន៍ថាទៅផ្សារ ហើយ").words
    assert words[0].text == "លោក"
    assert all(word.break_after > Break.NEVER for word in words)
