"""What the Hub reads of a card, changed without a change of anything else."""

import pytest

from khmer_aligned.errors import UserError
from khmer_aligned.hub.cards import (
    check_licence,
    read_header,
    read_repository,
    read_title,
    set_licence,
    set_title,
    without_licence,
)

CARD = """---
language: km
pretty_name: Clips
---

# Clips

Licence: none is stated yet; publishing asks for one.

# Clips too
  title = {Clips},
khmer-aligned reproduce org/clips --verify-only
"""


def test_a_licence_is_set_and_replaced(tmp_path):
    card = tmp_path / "README.md"
    once = set_licence(CARD, "cc-by-4.0")
    assert "Licence: cc-by-4.0.\n" in once
    for text in (once, set_licence(set_licence(CARD, "mit"), "cc-by-4.0")):
        card.write_text(text, encoding="utf-8")
        assert read_header(card) == {
            "language": "km", "pretty_name": "Clips", "license": "cc-by-4.0"
        }  # fmt: skip
    assert once.count("cc-by-4.0") == 2
    assert without_licence(once).startswith("---\nlanguage: km\npretty_name: Clips\n---\n")
    assert set_licence("# Clips\n", "mit") == "---\nlicense: mit\n---\n# Clips\n"


def test_a_title_is_set_wherever_it_stands(tmp_path):
    card = tmp_path / "README.md"
    card.write_text(set_title(CARD, 'Voices: "of"\nភ្នំពេញ \\1'), encoding="utf-8")
    title = 'Voices: "of" ភ្នំពេញ \\1'
    assert read_header(card)["pretty_name"] == read_title(card) == title
    text = card.read_text(encoding="utf-8")
    assert f"title = {{{title}}}," in text and "# Clips too" in text
    assert read_repository(text) == "org/clips"


@pytest.mark.parametrize("header", ["", "---\n[\n---\n", "---\njust text\n---\n", "---\n"])
def test_a_broken_header_is_none(tmp_path, header):
    card = tmp_path / "README.md"
    card.write_text(f"{header}# Clips\n", encoding="utf-8")
    assert read_header(card) == {}


def test_a_licence_is_one_of_the_hubs():
    assert check_licence(" CC-BY-4.0 ") == "cc-by-4.0"
    with pytest.raises(UserError, match=r"choose cc0-1.0 \(no conditions\), cc-by-4.0"):
        check_licence("CC BY")
