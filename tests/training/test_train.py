"""The whole line on sounds: learn, score, save, reload; killed, resumed, divided, refused."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from huggingface_hub import ModelCard
from safetensors.torch import load_file
from transformers import TrainerCallback, pipeline

from khmer_aligned.schema import UserError
from khmer_whisper import data, decode, train
from khmer_whisper import evaluate as evaluation
from khmer_whisper import model as models
from khmer_whisper.config import Config, Mixed
from khmer_whisper.mix import Clips, Part
from khmer_whisper.trainer import WhisperTrainer, finish, last_checkpoint

from .conftest import clip, sound, tiny_model, write_dataset

SOURCES = [str(Path(__file__).parents[2] / name) for name in ("builders", "training")]
EVERYTHING = {
    "join": 0.5,
    "timestamps": 0.5,
    "previous_text": 0.5,
    "augment": 0.5,
    "spec_augment": True,
}


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
        train.train(config, trained.folder)
    checkpoints = tmp_path / "checkpoints"
    checkpoints.mkdir()
    (checkpoints / "config.toml").write_text(config.with_(seed=1).toml(), encoding="utf-8")
    with pytest.raises(UserError, match="another configuration"):
        train.train(config, tmp_path)


def test_a_run_does_not_go_on_with_other_data(tiny_folder, tmp_path, monkeypatch):
    rows = {"train": [clip(0, ["ទឹក"], "a")], "test": [clip(1, ["ធំ"], "b")]}
    folder = write_dataset(tmp_path / "d", rows)
    config = Config(dataset=str(folder), model=str(tiny_folder))

    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(train, "_trained", stop)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            train.train(config, tmp_path / "out")
    shutil.rmtree(folder)
    write_dataset(folder, rows | {"train": [clip(2, ["ឆ្កែ"], "a")]})
    with pytest.raises(UserError, match="another configuration or other data"):
        train.train(config, tmp_path / "out")


def test_a_dataset_without_a_split_is_refused(tmp_path, tiny_folder):
    folder = write_dataset(tmp_path / "d", {"train": [clip(0, ["ទឹក"], "a")]})
    config = Config(dataset=str(folder), model=str(tiny_folder))
    with pytest.raises(UserError, match="neither a test nor a validation split"):
        train.train(config, tmp_path / "out")


@pytest.mark.parametrize("workers", [0, 1])
def test_an_unreadable_clip_stops_training_by_its_name(tmp_path, tiny_folder, workers):
    broken = clip(7, ["ធំ"], "b", audio={"bytes": b"RIFF, not really", "path": None})
    splits = {"train": [clip(0, ["ទឹក"], "a"), broken], "test": [clip(1, ["ទឹក"], "c")]}
    folder = write_dataset(tmp_path / "d", splits)
    config = Config(dataset=str(folder), model=str(tiny_folder), workers=workers)
    with pytest.raises(UserError, match=r"^clip b-00007: cannot be decoded.*") as error:
        train.train(config, tmp_path / "out")
    assert "\n" not in str(error.value)


def test_an_unknown_tracker_is_named(dataset, tiny_folder, tmp_path):
    config = Config(dataset=str(dataset), model=str(tiny_folder), trackers=("nobody",))
    with pytest.raises(UserError, match="nobody is not installed"):
        train.train(config, tmp_path / "out")
    assert not (tmp_path / "out").exists()


class Gradients(TrainerCallback):
    """Keeps the gradients of each optimizer step."""

    def __init__(self) -> None:
        self.steps: list[torch.Tensor] = []

    def on_pre_optimizer_step(self, args, state, control, model=None, **kwargs) -> None:
        found = [p.grad.flatten() for p in model.parameters() if p.grad is not None]
        self.steps.append(torch.cat(found).clone())


def one_step(dataset: Path, folder: Path, batch_size: int = 8, **options):
    """Loss and gradients of the first step over the same eight clips, through the Trainer."""
    whisper = tiny_model()
    config = Config(
        dataset=str(dataset), batch_size=batch_size, max_steps=1, max_grad_norm=1e9, **options
    )
    clips = Clips(
        [Part("d", data.fitting(data.load(str(dataset)), "train", whisper, "text"))],
        whisper,
        config,
    )
    trainer = WhisperTrainer(whisper, config, clips, None, folder)
    gradients = Gradients()
    trainer.add_callback(gradients)
    trainer.train()
    return trainer.state.log_history[0]["loss"], gradients.steps[0]


def test_dividing_the_work_changes_neither_loss_nor_gradients(dataset, tmp_path):
    # transformers multiplies both by the number of accumulated batches.
    loss, gradient = one_step(dataset, tmp_path / "whole")
    for n, options in enumerate(
        [
            {"batch_size": 4, "accumulation": 2},
            {"batch_size": 2, "accumulation": 4},
            {"batch_size": 1, "accumulation": 8},
            {"workers": 2},
            {"gradient_checkpointing": True},
        ]
    ):
        other, divided = one_step(dataset, tmp_path / str(n), **options)
        assert other == pytest.approx(loss, rel=1e-4), options
        torch.testing.assert_close(divided, gradient, atol=1e-6, rtol=1e-4, msg=str(options))


def test_two_processes_learn_what_one_does(few, tiny_folder, tmp_path):
    rows = [clip(300, ["ទឹក"], "more"), clip(301, ["ទឹក"] * 6, "more")]  # of 2.4 s
    mix = (Mixed(str(write_dataset(tmp_path / "more", {"train": rows})), 1.0),)
    config = Config(dataset=str(few), mix=mix, model=str(tiny_folder), batch_size=8, max_steps=2)
    train.train(config, tmp_path / "one")
    # The same batches of eight, each divided over two processes.
    (tmp_path / "run.toml").write_text(config.with_(batch_size=4).toml(), encoding="utf-8")
    command = [
        *(sys.executable, "-m", "khmer_whisper.cli", "train", str(few), str(tmp_path / "two")),
        *("--config", str(tmp_path / "run.toml"), "--processes", "2"),
    ]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(SOURCES), "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        command,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        printed, complaints = process.communicate(timeout=400)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)  # the launcher and the processes it started
        raise
    assert process.returncode == 0, complaints
    assert printed.count("Model folder") == 1
    assert printed.count("left out of training") == 1  # they know of each other from the start
    close(tmp_path / "one", tmp_path / "two", atol=1e-5)
    card = (tmp_path / "one/README.md").read_text(encoding="utf-8")
    assert "None of these recordings, going by their names, was trained on" in card
    one, two = (
        [json.loads(line) for line in (tmp_path / name / "predictions.jsonl").open()]
        for name in ("one", "two")
    )
    assert [row["id"] for row in one] == [row["id"] for row in two]


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


def test_out_of_memory_divides_the_batch_and_keeps_the_step(few, tiny_folder, tmp_path):
    class SmallGpu(WhisperTrainer):
        def training_step(self, model, inputs, *args):
            if len(inputs["labels"]) > 4:
                raise torch.OutOfMemoryError
            return super().training_step(model, inputs, *args)

    config = Config(dataset=str(few), model=str(tiny_folder), batch_size=16, max_steps=2, epochs=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train, "WhisperTrainer", SmallGpu)
        divided = train.train(config, tmp_path / "small")
    assert divided.steps == 2
    train.train(config, tmp_path / "large")
    close(tmp_path / "small", tmp_path / "large", atol=1e-5)


def close(first: Path, second: Path, atol: float = 0) -> None:
    weights = load_file(second / "model.safetensors")
    for name, tensor in load_file(first / "model.safetensors").items():
        torch.testing.assert_close(tensor, weights[name], atol=atol, rtol=0, msg=name)


def test_killed_twice_it_ends_with_the_same_weights(few, tiny_folder, tmp_path):
    config = Config(
        dataset=str(few),
        model=str(tiny_folder),
        batch_size=4,
        max_steps=12,
        learning_rate=1e-3,
        evaluate_every=2,
        **EVERYTHING,
    )
    torch.set_num_threads(1)
    train.train(config, tmp_path / "undisturbed")
    out = tmp_path / "killed"
    (tmp_path / "run.toml").write_text(config.toml(), encoding="utf-8")
    # Imports once, then each line it reads starts the training in a process of its own.
    code = (
        "import os, sys; from pathlib import Path; import torch; torch.set_num_threads(1);"
        "from khmer_whisper.config import Config; from khmer_whisper.train import train\n"
        "for _ in sys.stdin:\n"
        "    if child := os.fork():\n"
        "        print(child, flush=True); os.waitpid(child, 0)\n"
        "    else:\n"
        f"        train(Config.read(Path({str(tmp_path / 'run.toml')!r})), Path({str(out)!r}))\n"
        "        os._exit(0)\n"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(SOURCES)}
    starter = subprocess.Popen(
        [sys.executable, "-c", code],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with starter:
        for step in (4, 8):
            starter.stdin.write("train\n")
            starter.stdin.flush()
            training = int(starter.stdout.readline())
            deadline = time.monotonic() + 120
            while not (out / f"checkpoints/checkpoint-{step}").exists():
                assert time.monotonic() < deadline
                time.sleep(0.005)
            os.kill(training, signal.SIGKILL)
            time.sleep(0.05)
            reached = last_checkpoint(out / "checkpoints")
            assert reached is not None and int(reached.name.split("-")[1]) < 12
    train.train(config, out)
    close(out, tmp_path / "undisturbed")


def test_cut_off_after_the_last_step_it_still_ends_the_same(few, tiny_folder, tmp_path):
    config = Config(dataset=str(few), model=str(tiny_folder), max_steps=4, evaluate_every=2)
    train.train(config, tmp_path / "undisturbed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train, "finish", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            train.train(config, tmp_path / "cut")
    assert not (tmp_path / "cut/model.safetensors").exists()
    train.train(config, tmp_path / "cut")
    close(tmp_path / "cut", tmp_path / "undisturbed")


def test_a_half_written_checkpoint_is_passed_over(tmp_path):
    for step, state in ((5, "{}"), (10, None), (15, '{"global_')):
        folder = tmp_path / f"checkpoint-{step}"
        folder.mkdir()
        if state:
            (folder / "trainer_state.json").write_text(state, encoding="utf-8")
    assert last_checkpoint(tmp_path) == tmp_path / "checkpoint-5"


def test_a_silent_clip_does_not_break_decoding(trained):
    whisper = models.load(str(trained.folder))
    heard = decode.recognize(whisper, [np.zeros(8000, np.float32), sound(["ទឹក"], seed=5)])
    assert len(heard) == 2
