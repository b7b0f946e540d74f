"""The card of a build: numbers, and text that Markdown and YAML would read otherwise."""

import re

import pytest
import yaml
from huggingface_hub import DatasetCard

from khmer_aligned.dataset.card import render_card, render_tasks
from khmer_aligned.hub.cards import escape, set_licence

from ..hub import folders


def a_report(**changes):
    unit = {"in": 32_000, "clips": 16_000, "rejected": 16_000}
    size = {"recordings": 2, "clips": 1234, "seconds": 5400.0, "bytes": 9, "stored_bytes": 5}
    return {
        "key": "f00",
        "source": {"kind": "pairs", "content": "abc"},
        "config": {"aligner": "mine@sha256:1", "tokenizer": "whisper@2", "max_labels": 96},
        "versions": {},
        "aligner_licence": "Apache-2.0",
        "balance": {"samples": unit, "characters": unit},
        "recordings": {"in": 3, "unread": 1},
        "rejected": {},
        "splits": {"train": size},
        "statistics": {
            "splits": {"train": SPLIT},
            "shared_speakers": 0,
            "shared_recordings": 0,
        },
        "rights": {"licences": {"": 2}, "sources": {"": 2}},
        "files": {},
        "texts": {},
        "lag": a_lag(),
        "duplicates": {
            "equal": 0,
            "nearly_equal": 0,
            "short": 0,
            "kept": False,
            "recordings": [],
        },
    } | changes


def a_lag(**changes):
    return {
        "seconds": 0.187, "source": "measured", "edges": 1412, "recordings": 9,
        "standard_error": 0.002, "splices": None, "differing": [],
    } | changes  # fmt: skip


SPLIT = {
    "clips": 1234,
    "recordings": 2,
    "seconds": 5400.0,
    "speakers": 1,
    "unknown_speaker": 34,
    "durations": [0, 617, 617, 0, 0, 0],
    "scores": [0] * 9 + [1234],
}


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
    assert "96 labels of whisper@2." in card
    assert table(card, "| split |") == [
        ["train", "1, and 34 clips of unknown", "2", "1,234", "1.50"]
    ]
    assert table(card, "| | in |")[1] == ["text, characters", "32,000", "16,000", "16,000"]
    unread = ["recordings, and those whose audio could not be read", "3", "", "1"]
    assert table(card, "| | in |")[2] == unread
    assert table(card, "| rejected for |") == [["silence", "1", "1.0", "7"]]
    assert "{{" not in card
    assert f"under 10 s      617 {'#' * 30}\n" in card
    assert "There are too few recordings for a validation and a test split." in card


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


def test_the_licence_of_the_aligner_is_named_and_what_follows_from_it():
    assert "weights are licensed Apache-2.0." in render_card(a_report())
    card = render_card(a_report(aligner_licence="CC-BY-NC-4.0"))
    assert "licensed CC-BY-NC-4.0: they are for non-commercial use" in card
    assert "weights is not known" in render_card(a_report(aligner_licence="unknown"))


def test_the_header_is_complete_by_the_hubs_own_classes():
    card = DatasetCard(render_card(a_report(), licence="cc-by-4.0", title="Voices: of ខ្មែរ"))
    data = card.data
    assert (data.language, data.license) == (["km"], "cc-by-4.0")
    assert data.task_categories == ["automatic-speech-recognition"]
    assert data.annotations_creators == ["machine-generated"]
    assert (data.source_datasets, data.multilinguality) == (["original"], "monolingual")
    assert (data.pretty_name, data.size_categories) == ("Voices: of ខ្មែរ", ["1K<n<10K"])
    assert "\n# Voices: of ខ្មែរ\n" in card.text
    assert "report an error" in card.text and "```bibtex" in card.text and "## Limits" in card.text
    source = {"kind": "dataset", "content": "google/fleurs:km_kh@0123abcd"}
    assert DatasetCard(render_card(a_report(source=source))).data.source_datasets == [
        "google/fleurs"
    ]


def test_an_unknown_licence_is_said_and_none_is_not_hidden():
    assert "The rights are not settled" in render_card(a_report(), licence="unknown")
    card = render_card(a_report())
    assert "Licence: none is stated yet" in card and "\nlicense:" not in card
    again = set_licence(card, "unknown")
    assert again == render_card(a_report(), licence="unknown").replace(
        "license: unknown\n", "", 1
    ).replace("\n---\n\n#", "\nlicense: unknown\n---\n\n#", 1)


def test_the_tasks_are_those_that_a_model_names():
    tasks = yaml.safe_load(render_tasks(a_report()))
    assert {task["id"] for task in tasks["tasks"]} == {
        f"train_{name}" for name in ("cer", "wer", "projected_wer")
    }
    assert {(task["config"], task["split"]) for task in tasks["tasks"]} == {("default", "train")}
    assert tasks["name"] and tasks["description"] and tasks["evaluation_framework"]


def test_what_the_snippet_says_is_so(tmp_path):
    """Copied from the card, it plays a clip without torchcodec."""
    card = render_card(a_report(), repository=str(folders.dataset(tmp_path)))
    snippet = card.split("```python\n")[1].split("```")[0]
    assert "soundfile" in snippet
    exec(snippet, {})
