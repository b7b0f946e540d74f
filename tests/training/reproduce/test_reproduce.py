"""A model is checked, and everything that was changed in it afterwards is named."""

import json
import shutil

import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import load_file, save_file

from khmer_whisper import cli, evaluation
from khmer_whisper.reproduce import reproduce

from ..conftest import sounds

pytestmark = pytest.mark.slow


@pytest.fixture
def copy(trained, tmp_path):
    return shutil.copytree(trained.folder, tmp_path / "model")


def check(folder, dataset, depth="scores", **places) -> str:
    """The differences that are found, as one text."""
    findings = reproduce(str(folder), depth, dataset=str(dataset), **places)
    return "\n".join(line for line in findings.lines if line.startswith("DIFFERS"))


def edit(path, change) -> None:
    content = json.loads(path.read_text(encoding="utf-8"))
    change(content)
    path.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")


@pytest.mark.parametrize("depth", ["scores", "predictions"])
def test_an_honest_model_agrees(trained, dataset, depth):
    findings = reproduce(str(trained.folder), depth, dataset=str(dataset))
    assert findings.differences == 0, findings.lines
    assert any("every line of the card" in line for line in findings.lines)


def test_the_command_says_so(trained, dataset, copy):
    command = ["reproduce", str(trained.folder), "--dataset", str(dataset), "--scores-only"]
    done = CliRunner().invoke(cli.main, command)
    assert done.exit_code == 0, done.output
    assert done.output.endswith("everything is as published\n")
    nowhere = CliRunner().invoke(cli.main, ["reproduce", str(copy), "--scores-only"])
    assert nowhere.exit_code == 1
    assert "was a folder of whoever trained it: name yours with --dataset" in nowhere.output


def test_a_card_that_says_more_than_its_files_is_called_out_line_by_line(copy, dataset):
    card = copy / "README.md"
    text = card.read_text(encoding="utf-8")
    number = next(line for line in text.splitlines() if line.startswith("| CER |"))
    card.write_text(
        text.replace(number, number.replace(" of ", " of 1", 1)).replace(
            "# whisper-khmer", "# whisper-khmer\n\nBetter than a human."
        ),
        encoding="utf-8",
    )
    found = check(copy, dataset)
    assert found.count("DIFFERS") == 3  # the row, the sentence, and the empty line before it
    assert "'Better than a human.'" in found and "its data say '| CER |" in found
    command = ["reproduce", str(copy), "--dataset", str(dataset), "--scores-only"]
    assert CliRunner().invoke(cli.main, command).exit_code == 1


def test_an_edited_model_index_is_named(copy, dataset, trained):
    card = copy / "README.md"
    value = f"value: {round(100 * trained.tuned.cer.rate, 2)}"
    text = card.read_text(encoding="utf-8")
    assert value in text
    card.write_text(text.replace(value, "value: 1.0"), encoding="utf-8")
    assert "'      value: 1.0'" in check(copy, dataset)


def test_edited_metrics_are_named(copy, dataset):
    def change(metrics):
        metrics["models"]["tuned"]["wer"]["errors"] -= 1
        metrics["models"]["base"]["cer"]["high"] = 0.5
        metrics["difference"]["cer"]["p"] = 0.0001
        metrics["seen_recordings"] = ["test0"]

    edit(copy / "metrics.json", change)
    found = check(copy, dataset)
    changed = ("models.tuned.wer.errors", "models.base.cer.high", "difference.cer.p")
    for part in (*changed, "seen_recordings"):
        assert f"metrics.json.{part} says" in found


def test_edited_predictions_are_named(copy, dataset):
    rows = [json.loads(line) for line in (copy / "predictions.jsonl").open(encoding="utf-8")]
    wrong = next(row for row in rows if row["hypothesis"] != row["reference"])
    wrong["hypothesis"] = wrong["reference"]
    (copy / "predictions.jsonl").write_text(
        "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8"
    )
    assert "metrics.json.models.tuned.cer.errors says" in check(copy, dataset)
    assert f"clip {wrong['id']}: published" in check(copy, dataset, "predictions")


def test_a_removed_clip_and_another_reference_are_named(copy, dataset):
    rows = [json.loads(line) for line in (copy / "predictions.jsonl").open(encoding="utf-8")]
    removed, changed = rows.pop(), rows[0]
    changed["reference"] = "ទឹក ទឹក ទឹក"
    (copy / "predictions.jsonl").write_text(
        "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8"
    )
    found = check(copy, dataset)
    assert f"clip {removed['id']} of the test split has no prediction" in found
    assert f"the reference of clip {changed['id']} is 'ទឹក ទឹក ទឹក'; the dataset's" in found


def test_another_test_split_is_named(copy, tmp_path):
    other = sounds(tmp_path / "other", {"train": 64, "validation": 8, "test": 10})
    found = check(copy, other)
    assert "the dataset is sha256:" in found
    assert "is not in the test split" in found


def test_swapped_weights_are_named(copy, dataset):
    weights = load_file(copy / "model.safetensors")
    generator = torch.Generator().manual_seed(0)
    name = "model.decoder.layers.0.fc1.weight"
    weights[name] = torch.randn(weights[name].shape, generator=generator)
    save_file(weights, copy / "model.safetensors", metadata={"format": "pt"})
    assert check(copy, dataset) == ""  # the numbers are those of the predictions
    assert "characters wrong), decoded" in check(copy, dataset, "predictions")


def test_a_changed_library_version_is_said_with_what_it_may_change(trained, dataset, monkeypatch):
    versions = evaluation.library_versions() | {"torch": "9.9"}
    monkeypatch.setattr(evaluation, "library_versions", lambda: versions)
    findings = reproduce(str(trained.folder), "scores", dataset=str(dataset))
    (note,) = [line for line in findings.lines if line.startswith("note")]
    assert "torch was" in note and "is 9.9 here (the weights and predictions)" in note
    assert findings.differences == 0


def test_trained_again_the_weights_are_the_same(trained, dataset, tiny_folder, copy):
    places = {"dataset": str(dataset), "base": str(tiny_folder)}
    findings = reproduce(str(trained.folder), "weights", **places)
    assert findings.differences == 0, findings.lines
    assert any("the same to the bit" in line for line in findings.lines)
    weights = load_file(copy / "model.safetensors")
    name = "model.decoder.layers.0.fc1.weight"
    weights[name] += 1
    save_file(weights, copy / "model.safetensors", metadata={"format": "pt"})
    findings = reproduce(str(copy), "weights", **places)
    assert any("are not the same to the bit" in line for line in findings.lines)
    assert findings.differences == 0  # but the rates lie within the published intervals
