"""Folders with metadata.csv, .tsv or .jsonl."""

import json

import pytest

from khmer_aligned.errors import UserError
from khmer_aligned.recordings import sources

from .sound import TEXT, read, write_sound


@pytest.mark.parametrize("ending", ["csv", "tsv", "jsonl"])
@pytest.mark.parametrize("column", ["transcription", "sentence", "text"])
def test_manifests_of_all_kinds_hold_the_same(tmp_path, ending, column):
    write_sound(tmp_path / "clips" / "one.wav", seconds=4)
    rows = [
        {"file_name": "clips/one.wav", column: TEXT, "speaker": "sokha", "split": "dev",
         "start": "0.5", "end": "2"},
        {"file_name": "clips/one.wav", column: TEXT, "speaker": "", "split": "", "start": "",
         "end": ""},
    ]  # fmt: skip
    separator = "\t" if ending == "tsv" else ","
    if ending == "jsonl":
        lines = [json.dumps(row, ensure_ascii=False) for row in rows]
    else:
        lines = [separator.join(values) for values in [rows[0], *(r.values() for r in rows)]]
    (tmp_path / f"metadata.{ending}").write_text("\ufeff" + "\n".join(lines), encoding="utf-8")
    first, second = read(tmp_path)
    assert (first.id, first.recording) == ("one-0.500-2.000", "one")
    assert (first.speaker, first.split) == ("sokha", "validation")
    assert (first.start, first.end, first.text) == (0.5, 2.0, TEXT)
    assert (second.id, second.speaker, second.split, second.start) == ("one", None, None, None)


@pytest.mark.parametrize(
    ("file_name", "columns", "problem"),
    [
        ("../outside.wav", {}, "the name leaves the folder"),
        ("{tmp_path}/outside.wav", {}, "the name leaves the folder"),
        ("none.wav", {}, "no such audio file"),
        ("", {}, "no file name (column file_name or path)"),
        ("a.wav", {"start": 7, "end": 3}, "the stretch from 7.0 s to 3.0 s is empty or negative"),
        ("a.wav", {"start": -1}, "the stretch from -1.0 s to None s is empty or negative"),
        ("a.wav", {"start": "soon"}, "could not convert string to float: 'soon'"),
        ("a.wav", {"split": "exam"}, "split exam is none of train, validation, test"),
        ("a.wav", {"sentence": None}, "no text (column transcription, sentence, text)"),
    ],
)
def test_a_row_that_cannot_be_used_says_why(tmp_path, file_name, columns, problem):
    folder = tmp_path / "folder"
    write_sound(folder / "a.wav")
    write_sound(tmp_path / "outside.wav")
    row = {"file_name": file_name.format(tmp_path=tmp_path), "sentence": TEXT} | columns
    (folder / "metadata.jsonl").write_text(json.dumps(row), encoding="utf-8")
    (recording,) = read(folder)
    assert recording.problem == problem
    assert recording.text == (row["sentence"] or "")


def test_the_manifest_may_be_named_in_place_of_its_folder(tmp_path):
    write_sound(tmp_path / "a.wav")
    manifest = tmp_path / "metadata.csv"
    manifest.write_text(f"file_name,text\na.wav,{TEXT}\n", encoding="utf-8")
    assert sources.find(str(manifest)) == sources.find(str(tmp_path))


def test_a_line_that_is_not_json_is_named(tmp_path):
    (tmp_path / "metadata.jsonl").write_text('{"file_name": "a.wav"}\n{', encoding="utf-8")
    with pytest.raises(UserError, match=r"metadata\.jsonl: line 2 is not JSON"):
        read(tmp_path)
