"""What users of the public recipes complain about, beside what the recipes do about it."""

import pytest
import torch
from torch.nn.functional import cross_entropy
from transformers import GenerationConfig

from khmer_aligned.errors import UserError
from khmer_whisper import decode, metrics
from khmer_whisper import model as models
from khmer_whisper.config import Config
from khmer_whisper.examples import data
from khmer_whisper.examples.collate import Collator, log_mel, stack
from khmer_whisper.examples.fitting import select_fitting
from khmer_whisper.examples.mix import Clips, Key, Part
from khmer_whisper.examples.rows import waveform
from khmer_whisper.loss import LossHead, mean_loss
from khmer_whisper.trainer import WhisperTrainer, prepare_model

from .conftest import WORDS, clip, part, sound, tiny_model, write_dataset

ENGLISH = dict(zip(WORDS, ("water", "dog", "good", "big"), strict=True))


@pytest.fixture(scope="module")
def languages(tmp_path_factory):
    """The same sounds in Khmer and in English."""
    folders = []
    for name in ("khmer", "english"):
        rows = []
        for i in range(16):
            word = list(WORDS)[i % 4]
            text = word if name == "khmer" else ENGLISH[word]
            rows.append(clip(i, [word], f"{name}{i}", text=text))
        folders.append(write_dataset(tmp_path_factory.mktemp(name), {"train": rows}))
    return folders


def learn(whisper, parts: list[Part], epochs: int, **options) -> None:
    """Plain AdamW over the project's own examples, order and loss."""
    config = Config(dataset="d", **options)
    model, head = prepare_model(whisper, config).train(), LossHead(whisper.model)
    clips, sampler = Clips(parts, whisper, config), Clips(parts, whisper, config).sampler(config)
    collate = Collator(whisper.extractor, whisper.labeller.end)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for sampler.epoch in range(epochs):
        keys = list(sampler)
        for first in range(0, len(keys), 8):
            batch = collate([clips[key] for key in keys[first : first + 8]])
            head.labels = batch.pop("labels")
            optimizer.zero_grad()
            mean_loss(model(**batch), head.labels).backward()
            optimizer.step()
    head.remove()
    model.eval()


def loss(whisper, parts: list[Part], **options) -> float:
    clips = Clips(parts, whisper, Config(dataset="d", **options))
    collate = Collator(whisper.extractor, whisper.labeller.end)
    batch = collate([clips[Key(0, i)] for i in range(len(clips))])
    labels = batch.pop("labels")
    with torch.inference_mode():
        logits = whisper.model(**batch).logits
    return cross_entropy(logits.flatten(0, 1), labels.flatten()).item()


@pytest.fixture(scope="module")
def tuned(languages):
    """A model that speaks English with timestamps, tuned on Khmer as recipes do, and mixed."""
    torch.set_num_threads(1)
    base = tiny_model()
    khmer, english = (
        part(folder, base, language=code)
        for folder, code in zip(languages, ("km", "en"), strict=True)
    )
    learn(base, [english], epochs=60, timestamps=0.5)
    state = base.model.state_dict()
    whispers = {"base": base}
    for name, parts, timestamps in (
        ("recipe", [khmer], 0.0),
        ("mixed", [khmer, Part("english", english.fitting, 0.5, "en")], 0.5),
    ):
        whispers[name] = tiny_model()
        whispers[name].model.load_state_dict(state)
        learn(whispers[name], parts, epochs=30, timestamps=timestamps)
    return whispers, khmer, english


@pytest.mark.slow
def test_other_languages_are_not_forgotten(tuned):
    """Whisper-Finetune#126: tuned on one language, the model loses the others."""
    models_, khmer, english = tuned
    before, recipe, mixed = (loss(whisper, [english]) for whisper in models_.values())
    assert recipe > before + 2
    assert mixed < before + (recipe - before) / 10
    for name in ("recipe", "mixed"):  # and both have learned their Khmer
        assert loss(models_[name], [khmer]) < loss(models_["base"], [khmer]) / 3


@pytest.mark.slow
def test_timestamps_are_not_lost(tuned):
    """transformers#30148: tuned without timestamps, the model does not know them any more."""
    models_, _, english = tuned
    before, recipe, mixed = (loss(w, [english], timestamps=1.0) for w in models_.values())
    assert recipe > before + 2
    assert mixed < before + (recipe - before) / 10
    whisper = models_["mixed"]
    first = whisper.labeller.first_timestamp
    sounds = stack([sound([word], seed=0) for word in WORDS], whisper.extractor)
    features = log_mel(sounds, whisper.extractor)
    for ids in whisper.model.generate(features, return_timestamps=True).tolist():
        times = [round((i - first) * 0.02, 2) for i in ids if i >= first]
        assert times == pytest.approx([0.0, 0.4], abs=0.1)


@pytest.mark.slow
def test_every_language_can_still_be_asked_for(tuned, tmp_path):
    """forced_decoder_ids, or a generation config of one language, leave no other to ask for."""
    whisper = tuned[0]["mixed"]
    whisper.save(tmp_path)
    reloaded = models.load(str(tmp_path))
    config = reloaded.model.generation_config
    assert len(config.lang_to_id) == 99
    assert set(config.task_to_id) == {"transcribe", "translate"}
    assert getattr(config, "forced_decoder_ids", None) is None
    features = log_mel(stack([sound(["ទឹក"], seed=0)], whisper.extractor), whisper.extractor)
    texts = {
        code: reloaded.labeller.decode(reloaded.model.generate(features, language=code)[0].tolist())
        for code in ("km", "en")
    }
    assert texts == {"km": "ទឹក", "en": "water"}
    reloaded.model.generation_config = GenerationConfig(
        **{**config.to_dict(), "lang_to_id": {"<|km|>": reloaded.labeller.language}}
    )
    with pytest.raises(ValueError, match=r"english|en"):  # as after the recipes
        reloaded.model.generate(features, language="en")


def test_a_max_length_of_20_drops_nothing(dataset, tmp_path):
    """transformers#27445: recipes filter by model.config.max_length, which is 20 by default."""
    whisper = tiny_model()
    whisper.model.generation_config = GenerationConfig(max_length=20)
    whisper.save(tmp_path)
    loaded = models.load(str(tmp_path))
    splits = data.load(str(dataset))
    lengths = [len(ids) for ids in loaded.tokenizer(splits.get("train")["text"][:]).input_ids]
    assert sum(length < 20 for length in lengths) < len(lengths) / 2  # what the recipe keeps
    assert len(select_fitting(splits, "train", loaded, "text")) == 64
    assert loaded.model.generation_config.max_length == 64


def test_a_decoder_in_a_loop_does_not_decide_the_error_rate(tiny):
    """WER of 100 to 200 %: one clip that is repeated to the limit outweighs a hundred others."""
    start = tiny.labeller.encode("ឆ្កែ")
    unit = tiny.labeller.encode(" ទឹក")
    ids = start + unit * 20
    caught = decode.read_output(tiny.labeller, ids)
    assert caught == decode.Recognized("ឆ្កែ ទឹក", looped=True, steps=len(ids))
    recipe = tiny.labeller.decode(ids)
    assert metrics.score(["ឆ្កែ ទឹក"], [recipe]).cer.rate > 5
    assert metrics.score(["ឆ្កែ ទឹក"], [recipe]).projected_wer.rate <= 1
    # An output with an end token stays as it is; three repetitions are no loop.
    assert not decode.read_output(tiny.labeller, [*ids, tiny.labeller.end]).looped
    assert decode.cut_loop(start + unit * 3) == start + unit * 3


@pytest.mark.slow
def test_nothing_is_prepared_before_training(dataset, tmp_path, monkeypatch):
    """transformers#29901 and a full disk: hours of `map` at 30 clips/s, and its log-mel kept."""
    cache = tmp_path / "cache"
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", cache)
    read = []
    plain = waveform
    for module in ("khmer_whisper.examples.rows", "khmer_whisper.examples.make"):
        monkeypatch.setattr(f"{module}.waveform", lambda row: read.append(row) or plain(row))
    whisper = tiny_model()
    config = Config(dataset=str(dataset), max_steps=1, batch_size=4)
    clips = Clips([part(dataset, whisper)], whisper, config)
    trainer = WhisperTrainer(whisper, config, clips, None, tmp_path / "run/checkpoints")
    assert read == []
    trainer.train()
    assert len(read) <= 8  # a batch and the one that is read ahead
    written = sum(path.stat().st_size for path in cache.rglob("*") if path.is_file())
    audio = sum(len(row["bytes"]) for row in data.load(str(dataset)).get("train")["audio"])
    features = 64 * 40 * 200 * 4
    assert written < 2 * audio < features


def test_a_bfloat16_model_decodes(tiny):
    """transformers#30673: features of one type, weights of another."""
    samples = sound(["ទឹក"], seed=1)
    tiny.model.bfloat16()
    features = log_mel(stack([samples], tiny.extractor), tiny.extractor)
    with pytest.raises(RuntimeError, match="type"):
        tiny.model.generate(features)
    assert len(decode.recognize(tiny, [samples])) == 1


def test_evaluation_does_not_tell_the_decoder_the_text(dataset, tiny, tmp_path, monkeypatch):
    """A teacher-forced error rate is of a decoder that reads the right text so far."""
    splits = data.load(str(dataset))
    clips = Clips([part(dataset, tiny)], tiny, Config(dataset="d"))
    rows = splits.get("validation")
    trainer = WhisperTrainer(tiny, Config(dataset="d"), clips, rows, tmp_path / "run/checkpoints")
    assert trainer.evaluate()["eval_cer"] > 0.9  # it knows nothing yet
    # The recognized text decides, not what the decoder predicts after the right text.
    right = iter(rows["text"][:])
    monkeypatch.setattr(
        decode,
        "recognize",
        lambda _, waves: [decode.Recognized(next(right), False, 1) for _ in waves],
    )
    assert trainer.evaluate()["eval_cer"] == 0


def test_an_unreadable_clip_is_never_left_out_of_the_scores(dataset, tiny):
    rows = data.load(str(dataset)).get("test").select(range(3))
    name = rows[1]["id"]

    def broken(row: dict) -> dict:
        return {"audio": {"bytes": b"RIFF", "path": None} if row["id"] == name else row["audio"]}

    with pytest.raises(UserError, match=f"clip {name}"):
        decode.predict(tiny, rows.map(broken), batch_size=2)
