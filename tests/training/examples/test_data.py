"""Datasets by name, and speech datasets that others have built."""

import pytest
import soundfile
from datasets import Dataset

from khmer_aligned.errors import UserError
from khmer_whisper.config import Config
from khmer_whisper.examples import data
from khmer_whisper.examples.mix import Clips, Key

from ..conftest import clip, part, plain_dataset, sound, write_dataset


def test_a_missing_column_and_unreadable_audio_are_named(tmp_path, tiny):
    rows = [clip(0, ["ទឹក"], "a", audio={"bytes": b"not audio at all", "path": None})]
    folder = write_dataset(tmp_path / "broken", {"train": rows})
    with pytest.raises(UserError, match="clip a-00000"):
        Clips([part(folder, tiny)], tiny, Config(dataset="d"))[Key(0, 0)]
    with pytest.raises(UserError, match="nowhere"):
        data.load(str(tmp_path / "nowhere"))
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "data.csv").write_text("id,text\n1,a\n", encoding="utf-8")
    with pytest.raises(UserError, match="no column audio"):
        data.load(str(tmp_path / "text"))
    (tmp_path / "torn" / "data").mkdir(parents=True)
    (tmp_path / "torn" / "data" / "train-00000-of-00001.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(UserError, match=r"torn: cannot be loaded as a dataset: .*[Pp]arquet"):
        data.load(str(tmp_path / "torn"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="empty: cannot be loaded"):
        data.load(str(tmp_path / "empty"))


def test_plain_khmer_is_canonical_and_can_be_learned_as_it_is_read_aloud(tmp_path):
    folder = plain_dataset(tmp_path, ["ទិញ\u200b១៨"])
    [row] = data.load(str(folder), language="km").get("train")
    assert (row["text"], row["spoken"]) == ("ទិញ១៨", "ទិញដប់ប្រាំបី")
    [row] = data.load(str(folder), language="en").get("train")
    assert row["text"] == row["spoken"] == "ទិញ\u200b១៨"


def test_a_plain_dataset_is_measured_once(tmp_path, monkeypatch):
    folder = plain_dataset(tmp_path, ["a", "b"])
    first = data.load(str(folder), language="en").get("train")

    def again(*_):
        raise AssertionError("measured again")

    monkeypatch.setattr(soundfile, "info", again)
    assert (
        data.load(str(folder), language="en").get("train")["duration"][:]
        == [pytest.approx(0.4)] * 2
    )
    assert first["id"][:] == [f"{folder.name}-00000", f"{folder.name}-00001"]


def test_a_folder_of_sounds_is_not_mixed_in(tmp_path):
    soundfile.write(tmp_path / "a.wav", sound(["ធំ"], seed=0), 16_000)
    (tmp_path / "metadata.csv").write_text("file_name,text\na.wav,big\n", encoding="utf-8")
    with pytest.raises(UserError, match="are files of their own; put it on the Hub as parquet"):
        data.load(str(tmp_path), language="en")


@pytest.mark.parametrize(
    ("column", "values"), [("audio", [[0.1, 0.2]]), ("text", [7]), ("audio", ["a.wav"])]
)
def test_columns_that_are_no_sounds_or_texts_are_named(tmp_path, column, values):
    rows = {"audio": [{"bytes": b"RIFF", "path": None}], "text": ["big"]} | {column: values}
    Dataset.from_dict(rows).to_parquet(str(tmp_path / "train.parquet"))
    with pytest.raises(UserError, match="no column audio of sounds, or none of strings named text"):
        data.load(str(tmp_path), language="en")


def test_only_the_train_split_of_a_mixed_dataset_is_read(tmp_path):
    plain_dataset(tmp_path, ["a", "b"])
    broken = {"audio": [{"bytes": b"no sound", "path": None}], "sentence": ["c"]}
    Dataset.from_dict(broken).to_parquet(str(tmp_path / "test.parquet"))
    splits = data.load(str(tmp_path), language="en", only_train=True)
    assert list(splits.splits) == ["train"]


def test_only_built_datasets_are_streamed(tmp_path):
    (tmp_path / "text.csv").write_text("audio,text\na.wav,a\n", encoding="utf-8")
    with pytest.raises(UserError, match="no column id"):
        data.load(str(tmp_path), streaming=True, language="en")
