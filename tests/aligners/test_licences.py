"""The licence of an aligner's weights, and what a card says of it."""

import pytest

from khmer_aligned.aligners.licences import licence, note
from khmer_aligned.hub.resolve import Source

COMMIT = "0" * 40


@pytest.mark.parametrize(
    ("card", "expected"),
    [
        ("---\nlicense: apache-2.0\n---\n# Model\n", "apache-2.0"),
        ("---\nlanguage: km\n---\n# Model\n", "unknown"),
        ("# Model\n", "unknown"),
        (None, "unknown"),
    ],
)
def test_a_folder_is_under_the_licence_of_its_card(tmp_path, card, expected):
    if card is not None:
        (tmp_path / "README.md").write_text(card, encoding="utf-8")
    assert licence(Source(str(tmp_path), None, "model")) == expected


def test_a_conversion_is_under_the_licence_of_what_it_converts():
    assert licence(Source("aadel4/omniASR-CTC-300M-v2", COMMIT, "model")) == "Apache-2.0"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("CC-BY-NC-4.0", "for non-commercial use"),
        ("unknown", "is for the publisher to settle"),
        ("MIT", "licensed MIT."),
    ],
)
def test_what_follows_is_said(name, words):
    assert words in note(name)
    assert ("non-commercial" in note(name)) == ("NC" in name)
