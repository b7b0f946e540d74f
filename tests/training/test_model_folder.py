"""The folder of a trained model: what it holds, and that its parts agree."""

import json
import socket
import tomllib
from dataclasses import replace

import pytest
import yaml
from huggingface_hub import ModelCard

from khmer_aligned.hub.folder import published_files
from khmer_whisper import decode, evaluation
from khmer_whisper.config import Config, Mixed
from khmer_whisper.examples import data
from khmer_whisper.training import train


@pytest.mark.slow
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


@pytest.mark.slow
def test_scores_are_those_of_the_predictions(trained, dataset):
    lines = (trained.folder / "predictions.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    assert [row["id"] for row in rows] == data.load(str(dataset)).get("test")["id"][:]
    fields = decode.Prediction.__dataclass_fields__
    predictions = [decode.Prediction(**{name: row[name] for name in fields}) for row in rows]
    assert evaluation.score_predictions(predictions) == trained.tuned
    report = json.loads((trained.folder / "metrics.json").read_text(encoding="utf-8"))
    assert report["models"]["tuned"]["cer"]["rate"] == trained.tuned.cer.rate
    assert report["dataset"]["version"].startswith("sha256:")
    assert report["versions"]["khmercut"]
    assert all(row["base"] != row["reference"] for row in rows)


@pytest.mark.slow
def test_nothing_published_names_a_path_of_this_machine(trained, dataset, tiny_folder):
    host = socket.gethostname() if len(socket.gethostname()) > 5 else "no-short-name"
    published = published_files(trained.folder)
    assert not [name for name in published if name.startswith(("runs", "checkpoints"))]
    for path in published.values():
        data = path.read_bytes()
        for private in (dataset.parent, tiny_folder.parent, trained.folder.parent, host):
            assert str(private).encode() not in data, f"{private} in {path.name}"
    for events in (trained.folder / "runs").iterdir():
        assert str(trained.folder.parent).encode() not in events.read_bytes()
        assert b"eval/cer" in events.read_bytes()
        assert b"| worst |" in events.read_bytes()  # predictions beside their references


@pytest.mark.slow
def test_training_toml_trains_the_same_again(trained, dataset):
    path = trained.folder / "training.toml"
    config = Config.read(path)
    assert config.dataset == data.load(str(dataset)).source.identity
    assert config.dataset.startswith(f"{dataset.name}@sha256:")
    assert config.learning_rate == 3e-3
    record = tomllib.loads(path.read_text(encoding="utf-8"))["provenance"]
    assert record["clips"] == 64
    assert record["steps"] == trained.steps == 128
    assert record["dataset_version"].startswith("sha256:")
    assert record["versions"]["transformers"]


@pytest.mark.slow
def test_the_card_carries_the_numbers(trained):
    card = ModelCard.load(trained.folder / "README.md")
    by_name = {result.metric_name: result for result in card.data.eval_results}
    assert by_name["CER"].metric_value == round(100 * trained.tuned.cer.rate, 2)
    assert card.data.language == "km"
    assert f"{trained.tuned.cer.errors} of {trained.tuned.cer.total}" in card.text
    assert "{{" not in card.text
    assert "None of these recordings was trained on" in card.text
    assert "**It is better than its base: -" in card.text
    assert "95 % intervals over 6 recordings" in card.text
    assert yaml.safe_load(card.data.to_yaml())["model-index"][0]["name"] == "whisper-khmer"


@pytest.mark.slow
def test_only_the_conventional_rate_is_called_wer(trained):
    """A reader of a model-index takes the first `wer`, and it has to be what others mean."""
    card = ModelCard.load(trained.folder / "README.md")
    (wer,) = [result for result in card.data.eval_results if result.metric_type == "wer"]
    assert (wer.metric_name, wer.metric_value) == ("WER", round(100 * trained.tuned.wer.rate, 2))
    assert "both sides segmented by khmercut" in wer.metric_args["definition"]
    (projected,) = [r for r in card.data.eval_results if r.metric_type == "projected_wer"]
    assert projected.metric_name == "Projected WER"
    assert "the one that hits the fewest words counts" in projected.metric_args["definition"]


@pytest.mark.slow
def test_five_predictions_stand_beside_their_references(trained):
    text = ModelCard.load(trained.folder / "README.md").text
    rows = [line for line in text.splitlines() if line.startswith(("| best", "| median", "| wor"))]
    rows += [line for line in text.splitlines() if line.startswith("| random")]
    assert [row.split(" | ")[0] for row in rows] == [
        "| best", "| median", "| worst", "| random", "| random",
    ]  # fmt: skip
    assert len({row.split(" | ")[1] for row in rows}) == 5
    (worst,) = [row for row in rows if row.startswith("| worst")]
    lines = (trained.folder / "predictions.jsonl").read_text(encoding="utf-8").splitlines()
    row = next(r for r in map(json.loads, lines) if f"| {r['id']} |" in worst)
    assert f"| {row['reference']} | {row['hypothesis']} |" in worst


@pytest.mark.slow
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
    names = {name: data.load(str(name)).source.identity for name in (few, other)}
    names[plain] = data.load(str(plain), language="en").source.identity
    mix = (Mixed(names[other], 0.5), Mixed(names[plain], 0.2, "en"))
    places = {"dataset": names[few], "model": str(tiny_folder)}
    assert Config.read(again, model=str(tiny_folder)) == replace(config, mix=mix, **places)
    record = tomllib.loads(again.read_text(encoding="utf-8"))["provenance"]
    assert record["clips"] == 16
    assert [each["clips"] for each in record["mix"].values()] == [8, 10]
    assert record["mix"][names[other]]["dataset_version"].startswith("sha256:")
    report = json.loads((tmp_path / "out/metrics.json").read_text(encoding="utf-8"))
    assert report["seen_recordings"] == ["test0"]
    card = ModelCard.load(tmp_path / "out/README.md")
    assert card.data.language == ["km", "en"]
    assert f"- {plain.name} (version `sha256:" in card.text
    assert "language en): 10 clips, 0.001 hours, each 0.2 times an epoch" in card.text
    assert "tuned on Khmer and some en" in card.text
    assert str(plain.parent) not in card.text
    assert "also trained on: the scores are too good" in card.text
