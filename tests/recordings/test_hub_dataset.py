"""Datasets with an audio and a text column, in a folder."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import Audio, Dataset, Features, Value

from khmer_aligned.audio import encode_flac
from khmer_aligned.errors import UserError
from khmer_aligned.recordings import hub_dataset
from khmer_aligned.schema import Problem

from .sound import TEXT, read, write_sound


def write_dataset(folder, text_column):
    audio = {"bytes": encode_flac(np.zeros(1600, np.float32)), "path": "one.flac"}
    columns = {"audio": [audio, None], text_column: [TEXT, TEXT], "speaker": ["dara", None]}
    features = {"audio": Audio(), text_column: Value("string"), "speaker": Value("string")}
    rows = Dataset.from_dict(columns).map(lambda row: row, features=Features(features))
    (folder / "data").mkdir()
    rows.to_parquet(folder / "data" / "test-00000-of-00001.parquet")
    return audio["bytes"]


def test_rows_become_recordings(tmp_path):
    content = write_dataset(tmp_path, "sentence")
    first, second = read(tmp_path)
    assert (first.id, first.text, first.speaker, first.split) == ("one", TEXT, "dara", "test")
    assert first.audio == content
    assert (second.id, second.text) == ("test-000001", TEXT)
    assert (second.problem, second.detail) == (
        Problem.NO_AUDIO,
        "test row 1: the row holds no audio",
    )


def test_a_dataset_without_text_names_its_columns(tmp_path):
    write_dataset(tmp_path, "words")
    with pytest.raises(
        UserError, match=r"needs an audio column and one of .*; it has audio, words"
    ):
        read(tmp_path)


def write_rows(folder, paths):
    """A dataset whose rows name files instead of holding their audio."""
    struct = pa.struct({"bytes": pa.binary(), "path": pa.string()})
    audio = pa.array([{"bytes": None, "path": str(path)} for path in paths], struct)
    columns = {"audio": audio, "text": [TEXT] * len(audio), "client_id": ["dara"] * len(audio)}
    features = Features({"audio": Audio(), "text": Value("string"), "client_id": Value("string")})
    # `datasets` would put the named files into the dataset; whoever attacks does not.
    info = json.dumps({"info": {"features": features.to_dict()}})
    table = pa.table(columns).replace_schema_metadata({"huggingface": info})
    (folder / "data").mkdir(parents=True)
    pq.write_table(table, folder / "data" / "train-00000-of-00001.parquet")


def test_a_row_reads_files_of_its_own_folder_only(tmp_path):
    secret = tmp_path / "private.wav"
    write_sound(secret)
    folder = tmp_path / "dataset"
    write_sound(folder / "sounds" / "a.wav", seconds=0.7)
    (folder / "link.wav").symlink_to(secret)
    inside = folder / "sounds" / "a.wav"
    write_rows(folder, [secret, "../private.wav", "link.wav", "sounds/a.wav", inside])
    # Sounds beside parquet files make the folder one of pairs; as a dataset it is named itself.
    recordings = list(hub_dataset.read(str(folder)))
    assert [r.problem for r in recordings] == [Problem.OUTSIDE] * 3 + [None] * 2
    assert [r.audio for r in recordings[:3]] == [None] * 3
    assert all(r.audio.resolve() == inside.resolve() for r in recordings[3:])
    assert [r.id for r in recordings] == [
        "private", "private-train-000001", "link", "sounds/a", "sounds/a-train-000004",
    ]  # fmt: skip
    assert {r.speaker for r in recordings} == {"dara"}
    for recording in recordings:
        assert str(tmp_path) not in f"{recording.id} {recording.path} {recording.detail}"


def test_a_row_of_the_hub_reads_no_file(tmp_path, monkeypatch):
    write_rows(tmp_path / "dataset", ["sounds/a.wav", tmp_path / "a.wav"])
    write_sound(tmp_path / "a.wav")
    write_sound(tmp_path / "sounds" / "a.wav")
    loaded = hub_dataset.load(hub_dataset.resolve(str(tmp_path / "dataset"), "dataset"), "d")
    monkeypatch.setattr(hub_dataset, "resolve", lambda name, kind: name)
    monkeypatch.setattr(hub_dataset, "load", lambda source, name: loaded)
    monkeypatch.chdir(tmp_path)
    recordings = list(hub_dataset.read("org/dataset"))
    assert [(r.problem, r.audio) for r in recordings] == [(Problem.OUTSIDE, None)] * 2
