"""Extended models in training: their rows first, clips as long as the window, one table."""

import io
import json
from dataclasses import replace

import numpy as np
import pytest
import soundfile as sf
import torch
from click.testing import CliRunner
from datasets import Audio, load_dataset
from transformers import pipeline

from khmer_aligned.dataset.build import build
from khmer_aligned.dataset.config import MAX_CLIP_LABELS, BuildConfig
from khmer_aligned.errors import UserError
from khmer_whisper import cli, decode, training, warm_rows
from khmer_whisper import model as models
from khmer_whisper.config import Config
from khmer_whisper.inputs import load_inputs
from khmer_whisper.vocabulary import extend
from khmer_whisper.vocabulary.rows import khmer_ids

from ..conftest import close, write_dataset
from .conftest import small_whisper

pytestmark = pytest.mark.slow


def config_of(dataset, model, **options) -> Config:
    return Config(
        dataset=str(dataset), model=str(model), batch_size=4, learning_rate=1e-3, **options
    )


def test_at_first_only_the_new_rows_learn(few, extended_folder, tmp_path):
    config = config_of(few, extended_folder, warm_rows=3)
    inputs = load_inputs(config)
    before = {name: tensor.clone() for name, tensor in inputs.whisper.model.state_dict().items()}
    flags = [p.requires_grad for p in inputs.whisper.model.parameters()]
    warm_rows.learn_rows(inputs.whisper, config, inputs.clips, tmp_path / "rows")
    after = inputs.whisper.model.state_dict()
    table = "model.decoder.embed_tokens.weight"
    assert {n for n in before if not torch.equal(before[n], after[n])} == {table, "proj_out.weight"}
    changed = (before[table] != after[table]).any(1).nonzero()[:, 0].tolist()
    assert changed == khmer_ids(inputs.whisper.tokenizer)
    assert [p.requires_grad for p in inputs.whisper.model.parameters()] == flags
    # Started again, the rows are as they were learned.
    again = models.load(str(extended_folder))
    warm_rows.learn_rows(again, config, inputs.clips, tmp_path / "rows")
    assert torch.equal(again.model.state_dict()[table], after[table])


@pytest.mark.parametrize("place", [warm_rows, training])
def test_cut_off_while_or_after_the_rows_learn_it_ends_the_same(
    few, extended_folder, tmp_path, place
):
    config = config_of(few, extended_folder, warm_rows=4, max_steps=4, evaluate_every=2)
    training.train(config, tmp_path / "undisturbed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(place, "restore_model", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            training.train(config, tmp_path / "cut")
    with pytest.raises(UserError, match="holds an unfinished run that differs in warm_rows"):
        training.train(replace(config, warm_rows=2), tmp_path / "cut")
    training.train(config, tmp_path / "cut")
    close(tmp_path / "cut", tmp_path / "undisturbed")


def test_base_extended_and_tuned_stand_in_one_table(few, stock_folder, extended_folder, tmp_path):
    out = tmp_path / "tuned"
    command = ["train", str(few), str(out), "--model", str(extended_folder), "--max-steps", "2"]
    done = CliRunner().invoke(cli.main, [*command, "--warm-rows", "2"])
    assert done.exit_code == 0, done.output
    lines = done.output.splitlines()
    assert [line.split()[0] for line in lines if " CER " in line] == ["base", "extended", "tuned"]
    found = json.loads((out / "metrics.json").read_text(encoding="utf-8"))["models"]
    assert (found["base"]["name"], found["extended"]["name"]) == ("stock", "extended")
    assert found["base"]["tokens_per_character"] > 2 > found["extended"]["tokens_per_character"]
    assert found["tuned"]["tokens_per_character"] == found["extended"]["tokens_per_character"]
    rows = [json.loads(line) for line in (out / "predictions.jsonl").open(encoding="utf-8")]
    steps = sum(row["steps"] for row in rows) / sum(row["duration"] for row in rows)
    assert found["tuned"]["steps_per_second"] == round(steps, 2)
    card = (out / "README.md").read_text(encoding="utf-8")
    assert "| | base | extended | this model | errors of total |\n|---|---|---|---|---|\n" in card
    assert "\n| Tokens a character | 2." in card and "\n| Decoder steps a second of" in card
    assert "tokens of Khmer in place of Cyrillic ones" in card
    # Trained, it is a model as any other: what it was made from is not scored again.
    again = load_inputs(config_of(few, out))
    assert again.extended_from is None and again.whisper.khmer_vocabulary


def test_rows_that_nothing_would_learn_are_refused(few, stock_folder, extended_folder):
    with pytest.raises(UserError, match=r"--warm-rows: .* has no new tokens"):
        load_inputs(config_of(few, stock_folder, warm_rows=2))
    with pytest.raises(UserError, match="--tune lora never learns the new tokens"):
        load_inputs(config_of(few, extended_folder, tune="lora"))


@pytest.fixture(scope="module")
def long_row(recordings, aligner_folder, tmp_path_factory):
    """The longest clip that is built of the demo's recordings with an extended tokenizer."""
    folder = tmp_path_factory.mktemp("long")
    small_whisper(30, positions=448).save(folder / "stock")
    texts = sorted(recordings.glob("*.txt"))
    extend(str(folder / "stock"), folder / "extended", texts, tokens=300)
    config = BuildConfig(str(aligner_folder), str(folder / "extended"), MAX_CLIP_LABELS)
    build(recordings, folder / "dataset", config)
    loaded = load_dataset(str(folder / "dataset")).cast_column("audio", Audio(decode=False))
    rows = [row for split in loaded.values() for row in split]
    row = max(rows, key=lambda row: row["duration"])
    write_dataset(folder / "clips", {"train": [row], "test": [row]})
    return folder, row


def test_a_clip_as_long_as_the_window_is_built_learned_and_written_whole(long_row, tmp_path):
    folder, row = long_row
    stock, extended = (models.load(str(folder / name)) for name in ("stock", "extended"))
    assert row["duration"] > 24
    assert len(stock.labeller.encode(row["text"])) > stock.max_labels
    assert len(extended.labeller.encode(row["text"])) <= MAX_CLIP_LABELS
    config = Config(
        dataset=str(folder / "clips"),
        model=str(folder / "extended"),
        batch_size=1,
        warm_rows=20,
        max_steps=150,
        learning_rate=3e-3,
        timestamps=0.0,
    )
    result = training.train(config, tmp_path / "tuned")
    assert not result.left_out and result.tuned.cer.rate == 0
    samples, rate = sf.read(io.BytesIO(row["audio"]["bytes"]), dtype="float32")
    tuned = models.load(str(tmp_path / "tuned"))
    (result,) = decode.recognize(tuned, [samples])
    assert result.text == row["text"]
    recognize = pipeline("automatic-speech-recognition", str(tmp_path / "tuned"))
    assert recognize({"raw": samples, "sampling_rate": rate})["text"].strip() == row["text"]
    assert _read_by_faster_whisper(tmp_path, samples, folder / "clips") == row["text"]


def _read_by_faster_whisper(folder, samples: np.ndarray, dataset) -> str:
    faster_whisper = pytest.importorskip("faster_whisper")
    command = ["export", str(folder / "tuned"), str(folder / "ct2"), "--dataset", str(dataset)]
    done = CliRunner().invoke(cli.main, command)
    assert done.exit_code == 0, done.output
    model = faster_whisper.WhisperModel(str(folder / "ct2"), device="cpu", compute_type="float32")
    segments, _ = model.transcribe(
        samples,
        language="km",
        beam_size=1,
        temperature=0,
        without_timestamps=True,
        # It suppresses the first token of " -", which is the space in this small vocabulary.
        suppress_tokens=None,
    )
    return "".join(segment.text for segment in segments).strip()
