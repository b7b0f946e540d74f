"""Datasets with an audio and a text column, in a folder."""

import numpy as np
import pytest
from datasets import Audio, Dataset, Features, Value

from khmer_aligned.audio import encode_flac
from khmer_aligned.errors import UserError

from .sound import TEXT, read


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
    assert second.problem == "the row holds no audio"


def test_a_dataset_without_text_names_its_columns(tmp_path):
    write_dataset(tmp_path, "words")
    with pytest.raises(
        UserError, match=r"needs an audio column and one of .*; it has audio, words"
    ):
        read(tmp_path)
