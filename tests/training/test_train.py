"""The whole line on sounds: learn, score, save, reload, refuse."""

import json
import shutil
import tomllib

import numpy as np
import pytest
import torch
import yaml
from huggingface_hub import ModelCard
from transformers import pipeline

from khmer_aligned.errors import UserError
from khmer_whisper import decode, training
from khmer_whisper import evaluation as evaluation
from khmer_whisper import model as models
from khmer_whisper.config import Config
from khmer_whisper.examples import data
from khmer_whisper.examples.mix import Clips, Part
from khmer_whisper.trainer import WhisperTrainer, finish

from .conftest import clip, sound, tiny_model, write_dataset


def test_it_learns_and_says_how_sure_it_is(trained):
    assert trained.split == "test"
    assert trained.base.cer.rate > 0.9
    assert trained.tuned.cer.rate < 0.4
    assert trained.tuned.cer.total == trained.base.cer.total
    gain = trained.difference["cer"]
    assert gain.high < 0
    assert gain.difference == pytest.approx(trained.tuned.cer.rate - trained.base.cer.rate)


def test_the_folder_is_a_repository(trained):
    names = {path.name for path in trained.folder.iterdir()}
    assert names >= {
        "README.md",
        "config.json",
        "generation_config.json",
        "metrics.json",
        "model.safetensors",
        "predictions.jsonl",
        "preprocessor_config.json",
        "tokenizer.json",  # CTranslate2 and others read this one alone
        "tokenizer_config.json",
        "training.toml",
    }
    assert "checkpoints" not in names
    assert not [name for name in names if name.endswith((".bin", ".pt", ".partial"))]


def test_scores_are_those_of_the_predictions(trained, dataset):
    lines = (trained.folder / "predictions.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    assert [row["id"] for row in rows] == data.load(str(dataset)).get("test")["id"][:]
    fields = decode.Prediction.__dataclass_fields__
    predictions = [decode.Prediction(**{name: row[name] for name in fields}) for row in rows]
    assert evaluation.score(predictions) == trained.tuned
    found = json.loads((trained.folder / "metrics.json").read_text(encoding="utf-8"))
    assert found["models"]["tuned"]["cer"]["rate"] == trained.tuned.cer.rate
    assert found["dataset"]["version"].startswith("sha256:")
    assert found["versions"]["khmercut"]
    assert all(row["base"] != row["reference"] for row in rows)


def test_nothing_published_names_a_path_of_this_machine(trained, dataset, tiny_folder):
    for name in ("README.md", "metrics.json", "config.json", "generation_config.json"):
        text = (trained.folder / name).read_text(encoding="utf-8")
        assert str(dataset.parent) not in text
        assert str(tiny_folder.parent) not in text
    for events in (trained.folder / "runs").iterdir():
        assert str(trained.folder.parent).encode() not in events.read_bytes()
        assert b"eval/cer" in events.read_bytes()


def test_training_toml_trains_the_same_again(trained, dataset):
    path = trained.folder / "training.toml"
    config = Config.read(path)
    assert config.dataset == str(dataset)
    assert config.learning_rate == 3e-3
    record = tomllib.loads(path.read_text(encoding="utf-8"))["provenance"]
    assert record["clips"] == 64
    assert record["steps"] == trained.steps == 128
    assert record["dataset_version"].startswith("sha256:")
    assert record["versions"]["transformers"]


def test_the_card_carries_the_numbers(trained):
    card = ModelCard.load(trained.folder / "README.md")
    by_name = {result.metric_name: result.metric_value for result in card.data.eval_results}
    assert by_name["CER"] == round(100 * trained.tuned.cer.rate, 2)
    assert card.data.language == "km"
    assert f"{trained.tuned.cer.errors} of {trained.tuned.cer.total}" in card.text
    assert "{{" not in card.text
    assert "None of these recordings was trained on" in card.text
    assert yaml.safe_load(card.data.to_yaml())["model-index"][0]["name"] == "whisper-khmer"


def test_pipeline_generate_and_the_reloaded_model_agree(trained, dataset):
    lines = (trained.folder / "predictions.jsonl").read_text(encoding="utf-8").splitlines()
    whisper = models.load(str(trained.folder))
    config = whisper.model.generation_config
    assert (config.language, config.task) == ("km", "transcribe")
    assert config.lang_to_id["<|km|>"] == whisper.labeller.language
    assert config.max_length == 64
    # A model config has those of the English-only Whisper, here outside of the vocabulary.
    assert config.begin_suppress_tokens == [*whisper.labeller.text_ids(" "), whisper.labeller.end]
    assert max(config.suppress_tokens) < whisper.model.config.vocab_size
    pipe = pipeline("automatic-speech-recognition", str(trained.folder), device="cpu")
    rows = data.load(str(dataset)).get("test")
    for line, row in list(zip(lines, rows, strict=True))[:4]:
        hypothesis = json.loads(line)["hypothesis"]
        samples = data.waveform(row)
        assert decode.recognize(whisper, [samples])[0].text == hypothesis
        heard = pipe({"raw": samples, "sampling_rate": 16_000})["text"]
        assert heard.strip() == hypothesis


def test_a_batch_is_decoded_as_its_clips_alone(trained, dataset):
    whisper = models.load(str(trained.folder))
    rows = data.load(str(dataset)).get("test")
    alone = decode.predict(whisper, rows, batch_size=1)
    assert decode.predict(whisper, rows, batch_size=5) == alone


def test_out_of_memory_halves_the_batch(trained, dataset, monkeypatch, capsys):
    whisper = models.load(str(trained.folder))
    rows = data.load(str(dataset)).get("test")
    expected = decode.predict(whisper, rows, batch_size=4)
    plain = decode.recognize

    def small_gpu(whisper, waveforms):
        if len(waveforms) > 3:
            raise torch.OutOfMemoryError
        return plain(whisper, waveforms)

    monkeypatch.setattr(decode, "recognize", small_gpu)
    assert decode.predict(whisper, rows, batch_size=8) == expected


def test_a_finished_model_and_another_run_are_not_overwritten(trained, dataset, tmp_path):
    config = Config.read(trained.folder / "training.toml")
    with pytest.raises(UserError, match="holds a finished model"):
        training.train(config, trained.folder)
    checkpoint = tmp_path / "checkpoints/checkpoint-5"
    checkpoint.mkdir(parents=True)
    (checkpoint / "trainer_state.json").write_text("{}", encoding="utf-8")
    record = tmp_path / "checkpoints/config.toml"
    record.write_text(config.with_(seed=1, epochs=2).toml(), encoding="utf-8")
    with pytest.raises(UserError, match="unfinished run that differs in seed, epochs, "):
        training.train(config, tmp_path)


def test_a_run_goes_on_with_the_same_data_however_its_steps_are_divided(
    tiny_folder, tmp_path, monkeypatch
):
    rows = {"train": [clip(0, ["ទឹក"], "a")], "test": [clip(1, ["ធំ"], "b")]}
    folder = write_dataset(tmp_path / "d", rows)
    config = Config(dataset=str(folder), model=str(tiny_folder), batch_size=4)
    out = tmp_path / "out"

    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(training, "_trained", stop)
    with pytest.raises(KeyboardInterrupt):
        training.train(config.with_(seed=7), out)
    with pytest.raises(KeyboardInterrupt):
        training.train(config, out)  # nothing was learned yet: another run may take its place
    checkpoint = out / "checkpoints/checkpoint-1"
    checkpoint.mkdir()
    (checkpoint / "trainer_state.json").write_text("{}", encoding="utf-8")
    for changes in ({}, {"batch_size": 2, "accumulation": 2}, {"workers": 1}):
        with pytest.raises(KeyboardInterrupt):
            training.train(config.with_(**changes), out)
    with pytest.raises(UserError, match="differs in batch_size; give the same"):
        training.train(config.with_(batch_size=2), out)
    shutil.rmtree(folder)
    write_dataset(folder, rows | {"train": [clip(2, ["ឆ្កែ"], "a")]})
    with pytest.raises(UserError, match="differs in data; give the same"):
        training.train(config, out)


def test_a_training_that_diverges_is_stopped(few, tiny_folder, tmp_path):
    config = Config(
        dataset=str(few), model=str(tiny_folder), batch_size=4, learning_rate=1e30,
        max_grad_norm=1e30, warmup=0,
    )  # fmt: skip
    with pytest.raises(UserError, match=r"the loss is nan at step .* lower --learning-rate"):
        training.train(config, tmp_path / "out")
    assert not (tmp_path / "out/model.safetensors").exists()


def test_patience_needs_something_to_watch(tiny_folder, tmp_path):
    rows = {"train": [clip(0, ["ទឹក"], "a")], "test": [clip(1, ["ធំ"], "b")]}
    folder = write_dataset(tmp_path / "d", rows)
    config = Config(dataset=str(folder), model=str(tiny_folder), patience=2)
    with pytest.raises(UserError, match="patience needs a validation split"):
        training.train(config, tmp_path / "out")


def test_a_dataset_without_a_split_is_refused(tmp_path, tiny_folder):
    folder = write_dataset(tmp_path / "d", {"train": [clip(0, ["ទឹក"], "a")]})
    config = Config(dataset=str(folder), model=str(tiny_folder))
    with pytest.raises(UserError, match="neither a test nor a validation split"):
        training.train(config, tmp_path / "out")


@pytest.mark.parametrize("workers", [0, 1])
def test_an_unreadable_clip_stops_training_by_its_name(tmp_path, tiny_folder, workers):
    broken = clip(7, ["ធំ"], "b", audio={"bytes": b"RIFF, not really", "path": None})
    splits = {"train": [clip(0, ["ទឹក"], "a"), broken], "test": [clip(1, ["ទឹក"], "c")]}
    folder = write_dataset(tmp_path / "d", splits)
    config = Config(dataset=str(folder), model=str(tiny_folder), workers=workers)
    with pytest.raises(UserError, match=r"^clip b-00007: cannot be decoded.*") as error:
        training.train(config, tmp_path / "out")
    assert "\n" not in str(error.value)


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


def test_an_unknown_tracker_is_named(dataset, tiny_folder, tmp_path):
    config = Config(dataset=str(dataset), model=str(tiny_folder), trackers=("nobody",))
    with pytest.raises(UserError, match="nobody is not installed"):
        training.train(config, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("tune", ["decoder", "lora"])
def test_parts_of_the_model_can_be_tuned(dataset, tmp_path, tune):
    whisper = tiny_model()
    before = {name: value.clone() for name, value in whisper.model.state_dict().items()}
    config = Config(dataset=str(dataset), max_steps=2, learning_rate=1e-2, tune=tune, lora_rank=4)
    clips = Clips(
        [Part("d", data.fitting(data.load(str(dataset)), "train", whisper, "text"))],
        whisper,
        config,
    )
    trainer = WhisperTrainer(whisper, config, clips, None, tmp_path / "checkpoints")
    trainer.train()
    finish(whisper, trainer)
    after = whisper.model.state_dict()
    assert after.keys() == before.keys()  # no adapters left
    changed = {name for name in after if not torch.equal(after[name], before[name])}
    encoder = {name for name in changed if ".encoder." in name}
    assert bool(encoder) == (tune == "lora")
    assert any(".decoder.layers.0.self_attn.q_proj" in name for name in changed)
    if tune == "lora":
        assert not any("embed" in name or "layer_norm" in name for name in changed)


def test_a_silent_clip_does_not_break_decoding(trained):
    whisper = models.load(str(trained.folder))
    heard = decode.recognize(whisper, [np.zeros(8000, np.float32), sound(["ទឹក"], seed=5)])
    assert len(heard) == 2
