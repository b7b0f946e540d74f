"""The card of a build: numbers, and text that Markdown and YAML would read otherwise."""

import re

import pytest
import yaml

from khmer_aligned.aligners import MMS_NAME
from khmer_aligned.dataset.card import escape, render_card


def a_report(**changes):
    unit = {"in": 32_000, "clips": 16_000, "rejected": 16_000}
    size = {"recordings": 2, "clips": 1234, "seconds": 5400.0, "bytes": 9, "stored_bytes": 5}
    return {
        "key": "f00",
        "source": {"kind": "pairs", "content": "abc"},
        "config": {"aligner": "mine@sha256:1", "tokenizer": "whisper@2", "max_labels": 96},
        "versions": {},
        "balance": {"samples": unit, "characters": unit},
        "recordings": {"in": 3, "unread": 1},
        "rejected": {},
        "splits": {"train": size},
    } | changes


def reasons(*names):
    return {name: {"stretches": 1, "seconds": 60.0, "characters": 7} for name in names}


def table(card, title):
    """The rows below the header that begins with `title`, as lists of cells."""
    lines = card[card.index(title) :].splitlines()
    rows = lines[2 : lines.index("", 2)]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]] for row in rows]


def test_numbers():
    card = render_card(a_report(rejected=reasons("silence")))
    assert "1,234 clips, 1.5 hours of speech" in card
    assert "**mine@sha256:1**; the recordings were then cut at pauses, to at most 30 s" in card
    assert "96 tokens of whisper@2." in card
    assert table(card, "| split |") == [["train", "2", "1,234", "90.0"]]
    assert table(card, "| | in |")[1] == ["text, characters", "32,000", "16,000", "16,000"]
    unread = ["recordings, and those whose audio could not be read", "3", "", "1"]
    assert table(card, "| | in |")[2] == unread
    assert table(card, "| rejected for |") == [["silence", "1", "1.0", "7"]]
    assert "{" not in card
    assert card.endswith("them here.\n")


def test_nothing_and_much_rejected():
    assert table(render_card(a_report()), "| rejected for |") == [["nothing", "0", "0", "0"]]
    many = reasons(*(f"reason {i:02d}" for i in range(20)))
    rows = table(render_card(a_report(rejected=many)), "| rejected for |")
    assert len(rows) == 13
    assert rows[-1] == ["8 further reasons, in build.json", "", "", ""]


@pytest.mark.parametrize("reason", ["a|b.wav: broken", "two\nlines", "<b> & *x* `y` [z](w)"])
def test_a_reason_stays_one_cell_of_plain_text(reason):
    (row,) = table(render_card(a_report(rejected=reasons(reason))), "| rejected for |")
    assert len(row) == 4
    assert row[0].replace("\\", "") == " ".join(reason.split())


def test_escape_leaves_words_with_underscores_as_they_are():
    assert escape("MMS_FA of a_b") == "MMS_FA of a_b"
    assert escape("_so_ **bold**") == r"\_so\_ \*\*bold\*\*"


def test_the_header_is_yaml_with_the_files_and_the_key():
    card = render_card(a_report(key="1e5"))
    header = yaml.safe_load(card.split("---\n")[1])
    assert header["language"] == ["km"]
    assert header["size_categories"] == ["1K<n<10K"]
    (config,) = header["configs"]
    assert config["data_files"] == [{"split": "train", "path": "data/train-*.parquet"}]
    assert config["description"] == "build 1e5"
    assert header["dataset_info"]["download_size"] == 5


def test_the_licence_of_mms_is_named_where_it_was_used():
    config = a_report()["config"]
    assert "CC-BY-NC-4.0" not in render_card(a_report())
    assert "CC-BY-NC-4.0" in render_card(a_report(config=config | {"aligner": MMS_NAME}))
