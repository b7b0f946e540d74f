"""Recordings from every kind of place, and what is wrong with them said."""

import json

import numpy as np
import pytest
import soundfile as sf
from datasets import Audio, Dataset, Features, Value

from khmer_aligned.audio import encode_flac
from khmer_aligned.errors import UserError
from khmer_aligned.recordings import sources
from khmer_aligned.recordings.builder import Recordings

TEXT = "ខ្ញុំទៅផ្សារ។"


def sound(path, seconds=0.5):
    path.parent.mkdir(parents=True, exist_ok=True)
    sf.write(path, np.zeros(int(16_000 * seconds)), 16_000)


def read(root):
    return list(sources.read(sources.find(str(root))))


def test_pairs_keep_the_transcript_as_it_stands(tmp_path):
    sound(tmp_path / "b.flac")
    sound(tmp_path / "deep" / "a.wav")
    (tmp_path / "b.txt").write_bytes("\ufeff១០ នាក់\r\n".encode())
    (tmp_path / "deep" / "a.txt").write_text(TEXT, encoding="utf-8")
    first, second = read(tmp_path)
    assert (first.id, first.recording, first.text) == ("b", "b", "\ufeff១០ នាក់\r\n")
    assert (second.id, second.text, second.problem) == ("a", TEXT, None)


def test_what_is_wrong_with_a_pair_is_its_problem(tmp_path):
    for name in ("alone.wav", "latin.wav", "twice.wav", "twice.mp3", "deep/fine.wav", "fine.wav"):
        sound(tmp_path / name)
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9")
    for name in ("twice", "fine", "deep/fine", "unheard"):
        (tmp_path / f"{name}.txt").write_text(TEXT, encoding="utf-8")
    found = {r.path: r for r in read(tmp_path)}
    assert "alone.txt is missing" in found["alone.wav"].problem
    assert "byte 3 is not UTF-8" in found["latin.wav"].problem
    assert "duplicate id" in found["fine.wav"].problem or found["fine.wav"].problem is None
    same_name = [found["fine.wav"].problem, found["deep/fine.wav"].problem]
    assert sum(problem is not None and "duplicate id fine" in problem for problem in same_name) == 1
    shared = [found["twice.wav"].problem, found["twice.mp3"].problem]
    assert sum(problem is not None and "twice" in problem for problem in shared) == 1
    assert found["unheard.txt"].problem.startswith("no audio file")
    assert found["unheard.txt"].text == TEXT  # its characters count in the balance


@pytest.mark.parametrize("ending", ["csv", "tsv", "jsonl"])
@pytest.mark.parametrize("column", ["transcription", "sentence", "text"])
def test_manifests_of_all_kinds_hold_the_same(tmp_path, ending, column):
    sound(tmp_path / "clips" / "one.wav", seconds=4)
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


def test_rows_that_cannot_be_used_say_why(tmp_path):
    sound(tmp_path / "folder" / "a.wav")
    sound(tmp_path / "outside.wav")
    rows = [
        ("../outside.wav", TEXT, "", "leaves the folder"),
        (str(tmp_path / "outside.wav"), TEXT, "", "leaves the folder"),
        ("none.wav", TEXT, "", "no such audio file"),
        ("", TEXT, "", "no file name"),
        ("a.wav", TEXT, "7", "is empty or negative"),
        ("a.wav", TEXT, "soon", "could not convert"),
    ]
    manifest = "\n".join(
        [
            "file_name,sentence,start,end",
            *(f"{name},{text},{start},3" for name, text, start, _ in rows),
        ]
    )
    (tmp_path / "folder" / "metadata.csv").write_text(manifest, encoding="utf-8")
    found = read(tmp_path / "folder")
    for recording, (_, _, _, reason) in zip(found, rows, strict=True):
        assert reason in recording.problem or "duplicate id" in recording.problem
        assert recording.text == TEXT
    assert reason in found[-1].problem


def test_a_dataset_on_disk_with_audio_and_text(tmp_path):
    audio = {"bytes": encode_flac(np.zeros(1600, np.float32)), "path": "one.flac"}
    rows = Dataset.from_dict({"audio": [audio], "sentence": [TEXT], "speaker": ["dara"]})
    rows = rows.map(
        lambda row: row,
        features=Features(
            {"audio": Audio(), "sentence": Value("string"), "speaker": Value("string")}
        ),
    )
    (tmp_path / "data").mkdir()
    rows.to_parquet(tmp_path / "data" / "test-00000-of-00001.parquet")
    (found,) = read(tmp_path)
    assert (found.id, found.text, found.speaker, found.split) == ("one", TEXT, "dara", "test")
    assert found.audio == audio["bytes"]


def test_changed_recordings_are_read_anew_by_the_builder(tmp_path):
    source = tmp_path / "mine"
    sound(source / "a.wav")
    (source / "a.txt").write_text("មួយ", encoding="utf-8")

    def texts():
        builder = Recordings(cache_dir=str(tmp_path / "cache"), source=str(source))
        builder.download_and_prepare()
        return builder.as_dataset(split="recordings")["text"][:]

    assert texts() == ["មួយ"]
    (source / "a.txt").write_text("ពីរ", encoding="utf-8")
    assert texts() == ["ពីរ"]


def test_a_place_without_recordings_says_what_to_put_there(tmp_path):
    (tmp_path / "notes.md").write_text("nothing")
    with pytest.raises(UserError, match=r"put recordings and their \.txt"):
        sources.find(str(tmp_path))
