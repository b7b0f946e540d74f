"""Several datasets with weights: how often each clip is seen, and in which language."""

import io
import json
import tomllib
from pathlib import Path

import numpy as np
import pytest
import soundfile
from datasets import Audio, Dataset
from huggingface_hub import ModelCard

from khmer_aligned.errors import UserError
from khmer_whisper.config import Config, Mixed
from khmer_whisper.examples import data
from khmer_whisper.examples.mix import Clips, Epochs, Key, Part
from khmer_whisper.training import train

from .conftest import clip, random_words, sound, write_dataset


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    """Clips of another builder's set, one recording of them from `few`'s test split."""
    rows = [clip(300 + i, random_words(300 + i), "other") for i in range(7)]
    rows.append(clip(200, random_words(200), "test0"))
    return write_dataset(tmp_path_factory.mktemp("other"), {"train": rows})


def speech(folder: Path, texts: list[str | None], rate: int = 16_000, seconds: float = 0.4) -> Path:
    """A plain dataset of noise and `texts`."""
    audio = []
    for i in range(len(texts)):
        noise = np.random.default_rng(i).normal(0, 0.1, round(seconds * rate))
        buffer = io.BytesIO()
        soundfile.write(buffer, noise, rate, format="FLAC")
        audio.append({"bytes": buffer.getvalue(), "path": None})
    rows = Dataset.from_dict({"audio": audio, "sentence": texts})
    rows.cast_column("audio", Audio(decode=False)).to_parquet(str(folder / "train.parquet"))
    return folder


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """A speech dataset as most are: audio and a sentence."""
    return speech(tmp_path_factory.mktemp("plain"), [f"big {i}" for i in range(10)])


def test_a_weight_is_how_often_a_clip_is_seen():
    sampler = Epochs([4, 10, 3], [1.0, 0.5, 2.0], seed=1)
    seen = []
    for epoch in range(40):
        sampler.epoch = epoch
        keys = list(sampler)
        assert len(keys) == len(sampler) == len(set(keys)) == 4 + 5 + 6
        assert [key.clip for key in keys] != sorted(key.clip for key in keys)
        seen.append([key.clip for key in keys])
    for clip_ in range(4):
        assert all(keys.count(clip_) == 1 for keys in seen)
    for clip_ in range(14, 17):
        assert all(keys.count(clip_) == 2 for keys in seen)
    halves = [frozenset(c for c in keys if 4 <= c < 14) for keys in seen]
    assert all(len(half) == 5 for half in halves)
    assert len(set(halves)) > 30  # drawn anew
    for clip_ in range(4, 14):
        assert 8 <= sum(clip_ in half for half in halves) <= 32


def test_mixing_changes_nothing_in_the_examples_of_the_first(few, other, tiny):
    config = Config(dataset="d", augment=1.0)
    parts = [
        Part(str(path), data.fitting(data.load(str(path)), "train", tiny, "text"), weight)
        for path, weight in ((few, 1.0), (other, 0.5))
    ]
    alone, mixed = Clips(parts[:1], tiny, config), Clips(parts, tiny, config)
    assert len(alone) == 16
    assert len(mixed) == 16 + 4
    for key in alone.sampler(config):
        assert (alone[key].samples == mixed[key].samples).all()


def test_a_plain_dataset_of_another_language_keeps_its_language(plain, tiny):
    splits = data.load(str(plain), language="en")
    fitting = data.fitting(splits, "train", tiny, "text")
    assert fitting.seconds.tolist() == pytest.approx([0.4] * 10)
    config = Config(dataset="d", timestamps=0.5, previous_text=1.0, join=0.5)
    clips = Clips([Part("plain", fitting, language="en")], tiny, config)
    english = tiny.tokenizer.convert_tokens_to_ids("<|en|>")
    for key in clips.sampler(config):
        labels = clips[key].labels.labels
        assert labels[0] == english
        assert tiny.labeller.text(labels) == f"big {key.clip}"
    with pytest.raises(UserError, match="no column id"):
        data.load(str(plain))  # the dataset that is scored on must have it all
    with pytest.raises(UserError, match=r"no <\|xx\|>"):
        Clips([Part("plain", fitting, language="xx")], tiny, config)
    with pytest.raises(UserError, match="gives none of its 10 clips"):
        Part("plain", fitting, weight=0.01)


def test_plain_khmer_is_canonical_and_can_be_learned_as_it_is_read_aloud(tmp_path):
    folder = speech(tmp_path, ["ទិញ\u200b១៨"])
    [row] = data.load(str(folder), language="km").get("train")
    assert (row["text"], row["spoken"]) == ("ទិញ១៨", "ទិញដប់ប្រាំបី")
    [row] = data.load(str(folder), language="en").get("train")
    assert row["text"] == row["spoken"] == "ទិញ\u200b១៨"


def test_a_plain_dataset_is_measured_once(tmp_path, monkeypatch):
    folder = speech(tmp_path, ["a", "b"])
    first = data.load(str(folder), language="en").get("train")

    def again(*_):
        raise AssertionError("measured again")

    monkeypatch.setattr(soundfile, "info", again)
    assert (
        data.load(str(folder), language="en").get("train")["duration"][:]
        == [pytest.approx(0.4)] * 2
    )
    assert first["id"][:] == [f"{folder.name}-00000", f"{folder.name}-00001"]


def test_half_a_sample_over_the_window_does_not_fit(tmp_path, tiny):
    # 64,001 samples at 32 kHz are 32,001 at 16 kHz, one more than the window of 2 s.
    folder = speech(tmp_path, ["a"], rate=32_000, seconds=2 + 1 / 32_000)
    found = data.fitting(data.load(str(folder), language="en"), "train", tiny, "text")
    assert [clip.reason for clip in found.left_out] == ["2.00 s of audio, over the model's 2 s"]


def test_a_clip_longer_than_its_row_says_is_named(tmp_path, tiny):
    row = clip(0, ["ទឹក"] * 6, "a", duration=0.4)
    folder = write_dataset(tmp_path / "d", {"train": [row]})
    fitting = data.fitting(data.load(str(folder)), "train", tiny, "text")
    clips = Clips([Part("d", fitting)], tiny, Config(dataset="d"))
    with pytest.raises(UserError, match=r"clip a-00000: holds 2\.40 s .* says 0\.40 s"):
        clips[Key(0, 0)]
    for missing in (None, {"bytes": None, "path": None}):
        with pytest.raises(UserError, match="clip a-00000: has no audio"):
            data.waveform(row | {"audio": missing})


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
    speech(tmp_path, ["a", "b"])
    broken = {"audio": [{"bytes": b"no sound", "path": None}], "sentence": ["c"]}
    Dataset.from_dict(broken).to_parquet(str(tmp_path / "test.parquet"))
    splits = data.load(str(tmp_path), language="en")
    assert list(splits.splits) == ["train"]


def test_a_clip_that_nobody_transcribed_is_listed(tmp_path, tiny):
    speech(tmp_path, ["big", None, "...", " "])
    splits = data.load(str(tmp_path), language="en")
    fitting = data.fitting(splits, "train", tiny, "text")
    assert len(fitting) == 1
    assert [clip.reason for clip in fitting.left_out] == ["no text"] * 3


def test_a_mistake_in_the_mix_does_not_take_the_folder(few, other, tiny_folder, tmp_path):
    mix = (Mixed(str(other), 1.0, "xx"),)
    with pytest.raises(UserError, match=r"no <\|xx\|>"):
        train(Config(dataset=str(few), mix=mix, model=str(tiny_folder)), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_mixed_training_says_what_it_learned(few, other, plain, tiny_folder, tmp_path):
    config = Config(
        dataset=str(few),
        mix=(Mixed(str(other), 0.5), Mixed(str(plain), 0.2, "en")),
        model=str(tiny_folder),
        epochs=2,
        batch_size=11,
    )
    result = train(config, tmp_path / "out")
    assert result.steps == 2 * 2  # of 16 + 4 + 2 clips
    again = tmp_path / "out/training.toml"
    assert Config.read(again) == config
    record = tomllib.loads(again.read_text(encoding="utf-8"))["provenance"]
    assert record["clips"] == 16
    assert [each["clips"] for each in record["mix"].values()] == [8, 10]
    assert record["mix"][str(other)]["dataset_version"].startswith("sha256:")
    found = json.loads((tmp_path / "out/metrics.json").read_text(encoding="utf-8"))
    assert found["seen_recordings"] == ["test0"]
    card = ModelCard.load(tmp_path / "out/README.md")
    assert card.data.language == ["km", "en"]
    assert f"- {plain.name} (version `sha256:" in card.text
    assert "language en): 10 clips, 0.001 hours, each 0.2 times an epoch" in card.text
    assert "tuned on Khmer and some en" in card.text
    assert str(plain.parent) not in card.text
    assert "also trained on: the scores are too good" in card.text
