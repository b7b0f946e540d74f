"""The letters of a word, for the aligner."""

import pytest

from khmer_aligned.text.romanize import _uroman, romanize


@pytest.mark.parametrize("word", ["សិទ្ធិ", "កម្ពុជា", "ស្ត្រី", "AMs", "ល៉ៈ", "Élysée"])
def test_letters_are_uromans(word):
    letters, spans = romanize(word)
    whole = _uroman().romanize_string(word, lcode="khm").lower()
    assert letters == "".join(letter for letter in whole if letter in "abcdefghijklmnopqrstuvwxyz'")
    assert len(spans) == len(letters)
    starts = [start for start, _ in spans]
    assert starts == sorted(starts)
    assert all(0 <= start < end <= len(word) for start, end in spans)


def test_every_letter_has_the_span_of_its_characters():
    letters, spans = romanize("សិទ្ធិ")
    assert letters == "sitthi"
    assert ["សិទ្ធិ"[slice(*span)] for span in spans] == ["ស", "ិ", "ទ្", "ធ", "ធ", "ិ"]


@pytest.mark.parametrize("word", ["😀", "©", "ៈ", "…"])
def test_a_symbol_has_no_letters(word):
    assert romanize(word) == ("", ())
