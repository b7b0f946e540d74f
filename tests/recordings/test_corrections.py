"""What people decided, read and applied to the recordings."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from khmer_aligned.errors import UserError
from khmer_aligned.recordings import sources
from khmer_aligned.recordings.corrections import (
    Decision,
    correct,
    latest,
    read_decisions,
    write_decisions,
)
from khmer_aligned.schema import Correction, Cue, Problem, Recording

TEXT = "មួយ ពីរ បី បួន"
FIRST, SECOND, LAST = (0, 4), (4, 8), (11, 14)


def decide(span, after=None, *, start=1.0, end=2.0, verdict="accept", **values) -> Decision:
    before = TEXT[slice(*span)]
    after = before if after is None else after
    return Decision(
        "a", span, before, after, start, end, verdict, values.pop("kind", "clip"), **values
    )


def recording(text=TEXT, **values) -> Recording:
    return Recording("a", "a", None, text, "a.wav", **values)


def test_texts_are_replaced_and_the_way_back_is_kept():
    decisions = [decide(LAST, "ប្រាំបួន", start=5, end=6), decide(FIRST, "មួយរយ ")]
    corrected, text = correct(recording(), decisions)
    assert corrected.text == "មួយរយ ពីរ បី ប្រាំបួន" == text.text
    assert [(c.first, c.last, c.start) for c in corrected.corrections] == [
        (0, 6, 1.0),
        (13, 21, 5.0),
    ]
    assert text.locate(6, 10) == SECOND
    assert text.locate(13, 21) == LAST
    assert corrected.stale == ()


def test_a_stretch_without_text_gets_one():
    spoken = decide((8, 8), "អញ្ចឹង ", kind="rejection")
    corrected, text = correct(recording(), [spoken])
    assert corrected.text == "មួយ ពីរ អញ្ចឹង បី បួន"
    assert text.locate(8, 15) == (8, 8)


def test_what_changes_nothing_leaves_the_row_as_it_is():
    agreed = [decide(FIRST), decide(SECOND, kind="rejection", verdict="reject", reason="noise")]
    assert correct(recording(), agreed).recording == recording()


def test_a_rejection_by_ear_keeps_the_text_and_says_why():
    corrected, _ = correct(recording(), [decide(SECOND, verdict="reject", reason="not Khmer")])
    assert corrected.text == TEXT
    assert corrected.corrections == (
        Correction(4, 8, 1.0, 2.0, "reject", "rejected by ear: not Khmer"),
    )


def test_a_text_that_has_changed_since_is_named_and_not_touched():
    changed = TEXT.replace("ពីរ", "ប្រាំ")
    corrected, _ = correct(recording(changed), [decide(SECOND, "ពីរ១ ")])
    assert corrected.text == changed
    assert corrected.corrections == ()
    (line,) = corrected.stale
    assert line == "a 1.00-2.00 s: the text has changed since"


def test_an_edge_that_was_found_gives_way_to_one_that_was_moved():
    first = decide(FIRST, "ក ", end=4.0, moved=True)
    second = decide(SECOND, "ខ ", start=3.5, end=5.0)
    for moved, other, expected in (
        (first, second, [(1.0, 4.0), (4.0, 5.0)]),
        (replace(second, moved=True), replace(first, moved=False), [(1.0, 3.5), (3.5, 5.0)]),
    ):
        corrected, _ = correct(recording(), [other, moved])
        assert [(c.start, c.end) for c in corrected.corrections] == expected
        assert corrected.stale == ()
    corrected, _ = correct(recording(), [first, replace(second, moved=True)])
    assert corrected.text == "ក ពីរ បី បួន"
    assert corrected.stale == ("a 3.50-5.00 s: overlaps another in time",)


def test_a_recording_that_cannot_be_used_takes_no_correction():
    broken = recording(problem=Problem.NO_AUDIO)
    corrected, _ = correct(broken, [decide(FIRST, "ក")])
    assert (corrected.text, corrected.corrections) == (TEXT, ())
    assert corrected.stale


def test_a_passage_is_corrected_by_the_characters_of_the_whole_text():
    passage = recording(text=TEXT[4:10], text_file=Path("book.txt"), text_start=4)
    corrected, text = correct(passage, [decide(SECOND, "ពីររយ ")])
    assert corrected.text == "ពីររយ បី"
    (correction,) = corrected.corrections
    assert corrected.text[correction.first : correction.last] == "ពីររយ "
    assert text.locate(0, 6) == SECOND
    assert text.locate(6, 8) == (8, 10)
    assert corrected.stale == ()


def test_a_correction_outside_the_passage_does_not_apply():
    passage = recording(text=TEXT[4:10], text_file=Path("book.txt"), text_start=4)
    for span in (FIRST, LAST):
        corrected, _ = correct(passage, [decide(span, "ក")])
        assert (corrected.text, corrected.corrections) == (TEXT[4:10], ())
        (line,) = corrected.stale
        assert line.endswith("outside the passage that the recording speaks")


def test_a_passage_that_is_not_yet_found_waits_for_its_corrections():
    sought = recording(text="", text_file=Path("book.txt"))
    assert correct(sought, [decide(FIRST, "ក")]).recording == sought


def test_captions_move_with_the_text():
    cues = (Cue(0, 3, 0, 1), Cue(4, 10, 1, 3), Cue(11, 14, 3, 4))
    corrected, _ = correct(recording(cues=cues), [decide(SECOND, "ពីររយ ")])
    assert [corrected.text[cue.first : cue.last] for cue in corrected.cues] == [
        "មួយ",
        "ពីររយ បី",
        "បួន",
    ]


def test_the_last_decision_on_a_stretch_counts():
    first, other = decide(FIRST, "ក ", session="1"), decide(SECOND, "ខ ")
    second = decide(FIRST, "គ ", session="2")
    assert latest([first, other, second]) == [other, second]
    wider = decide((0, 8), "ឃ ")
    assert latest([first, other, wider]) == [wider]
    silence = decide((4, 4), "ង ", start=3, end=4, kind="rejection")
    elsewhere = replace(silence, start=7.0, end=8.0)
    assert latest([silence, elsewhere]) == [silence, elsewhere]


def test_a_file_gives_back_what_was_written(tmp_path):
    decisions = [decide(FIRST, "\u202e<b>😀\n", reason='"', who="សុខា"), decide(SECOND)]
    write_decisions(tmp_path / "c.jsonl", decisions)
    assert read_decisions(tmp_path / "c.jsonl") == decisions


@pytest.mark.parametrize(
    "broken", ["{", "[]", '{"span": [0, 9]}', json.dumps({"span": [0, 1], "before": "កខ"})]
)
def test_a_line_that_is_no_correction_is_named(tmp_path, broken):
    write_decisions(tmp_path / "c.jsonl", [decide(FIRST)])
    with (tmp_path / "c.jsonl").open("a", encoding="utf-8") as file:
        file.write(broken + "\n")
    with pytest.raises(UserError, match=r"c\.jsonl: line 2 is no correction"):
        read_decisions(tmp_path / "c.jsonl")


def test_a_source_with_corrections_is_another_source(tmp_path, recordings):
    (tmp_path / "a.wav").write_bytes((recordings / "farm.ogg").read_bytes())
    (tmp_path / "a.txt").write_text(TEXT, encoding="utf-8")
    plain = sources.find(str(tmp_path))
    write_decisions(tmp_path / "corrections.jsonl", [decide(SECOND, "ប្រាំ ")])
    corrected = sources.find(str(tmp_path))
    assert corrected.content.startswith(f"{plain.content}+corrections@sha256:")
    (read,) = sources.read(corrected)
    assert read.text == "មួយ ប្រាំ បី បួន"
    (as_it_is,) = sources.read_uncorrected(str(tmp_path))
    assert as_it_is.text == TEXT
    with pytest.raises(UserError, match="no such file of corrections"):
        sources.find(str(tmp_path), corrections=tmp_path / "elsewhere.jsonl")
