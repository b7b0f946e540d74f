"""A model as it is loaded and saved."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from transformers import pipeline

from khmer_aligned.errors import UserError
from khmer_whisper import decode
from khmer_whisper import model as models
from khmer_whisper.examples import data
from khmer_whisper.examples.rows import waveform


@pytest.mark.slow
def test_pipeline_generate_and_the_reloaded_model_agree(trained, dataset):
    lines = (trained.folder / "predictions.jsonl").read_text(encoding="utf-8").splitlines()
    whisper = models.load(str(trained.folder))
    config = whisper.model.generation_config
    assert (config.language, config.task) == ("km", "transcribe")
    assert config.lang_to_id["<|km|>"] == whisper.labeller.language
    assert config.max_length == 64
    # A model config has those of the English-only Whisper, here outside of the vocabulary.
    assert config.begin_suppress_tokens == [*whisper.labeller.encode(" "), whisper.labeller.end]
    assert max(config.suppress_tokens) < whisper.model.config.vocab_size
    pipe = pipeline("automatic-speech-recognition", str(trained.folder), device="cpu")
    rows = data.load(str(dataset)).get("test")
    for line, row in list(zip(lines, rows, strict=True))[:4]:
        hypothesis = json.loads(line)["hypothesis"]
        samples = waveform(row)
        assert decode.recognize(whisper, [samples])[0].text == hypothesis
        text = pipe({"raw": samples, "sampling_rate": 16_000})["text"]
        assert text.strip() == hypothesis
    # Past the model's window, in the way of the card.
    pipe = pipeline(
        "automatic-speech-recognition", str(trained.folder), chunk_length_s=2, device="cpu"
    )
    long = np.concatenate([waveform(row) for row in list(rows) * 2])
    assert len(pipe({"raw": long, "sampling_rate": 16_000})["text"]) > 3 * len(hypothesis)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("model.safetensors", b"version https://git-lfs.github.com/spec/v1"),
        ("config.json", None),
        ("tokenizer.json", None),
        ("tokenizer.json", b"{}"),
        ("generation_config.json", b"[]"),
    ],
)
def test_a_damaged_model_is_one_line(tiny_folder, tmp_path, name, content):
    folder = tmp_path / "model"
    shutil.copytree(tiny_folder, folder)
    if content is None:
        (folder / name).unlink()
    else:
        (folder / name).write_bytes(content)
    with pytest.raises(UserError, match=r"^.*/model: (cannot be loaded|the tokenizer cannot)") as e:
        models.load(str(folder))
    assert "\n" not in str(e.value)


def test_an_english_only_whisper_is_refused(tiny_folder, tmp_path):
    folder = tmp_path / "whisper.en"
    shutil.copytree(tiny_folder, folder)
    path = folder / "generation_config.json"
    config = json.loads(path.read_text(encoding="utf-8")) | {"is_multilingual": False}
    path.write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(UserError, match="is an English-only Whisper"):
        models.load(str(folder))


def test_what_is_saved_can_be_read_by_whoever_can_read_the_folder(tiny_folder):
    modes = {path.name: path.stat().st_mode for path in tiny_folder.iterdir()}
    assert modes["model.safetensors"] == modes["config.json"]


def test_the_length_of_the_training_clips_stays_with_the_model(tiny, tmp_path):
    tiny.save(tmp_path / "base")
    assert models.load(str(tmp_path / "base")).clip_seconds is None
    replace(tiny, clip_seconds=4.13).save(tmp_path / "tuned")
    assert models.load(str(tmp_path / "tuned")).clip_seconds == 4.13


def test_the_languages_of_the_training_clips_stay_with_the_model(tiny, tmp_path):
    tiny.save(tmp_path / "base")
    assert models.load(str(tmp_path / "base")).languages == ()
    replace(tiny, languages=("en", "km")).save(tmp_path / "tuned")
    assert models.load(str(tmp_path / "tuned")).languages == ("en", "km")
