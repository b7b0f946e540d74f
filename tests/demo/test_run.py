import json

import pytest
from click.testing import CliRunner
from datasets import load_dataset
from transformers import WhisperForConditionalGeneration

from khmer_aligned.schema import UserError
from khmer_whisper.cli import main
from khmer_whisper.demo import run as demo


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    out = tmp_path_factory.mktemp("demo") / "out"
    demo.run(out, {"max-steps": 2, "batch-size": 4})
    return out


def test_leaves_a_dataset_a_model_and_a_table(out, capfd):
    built = load_dataset(str(out / "khmer-aligned"))
    assert {split: len(rows) > 5 for split, rows in built.items()} == {
        "train": True,
        "validation": True,
        "test": True,
    }
    build = json.loads((out / "khmer-aligned" / "build.json").read_text())
    assert "speech that is not in the transcript" in build["rejected"]
    rejected = (out / "khmer-aligned" / "rejected.jsonl").read_text(encoding="utf-8")
    assert demo.RECORDINGS.joinpath("school.txt").read_text()
    assert "ពួកគេស្រលាញ់សាលា" in rejected  # it is in the transcript and was never spoken

    model = out / "whisper-khmer"
    WhisperForConditionalGeneration.from_pretrained(model)
    assert (model / "README.md").is_file()
    metrics = json.loads((model / "metrics.json").read_text())["models"]
    assert metrics["tuned"]["cer"]["rate"] < 1
    table = demo._table(out / "khmer-aligned", model)
    assert f"{metrics['base']['cer']['rate']:.1%}" in table
    assert (out / "journey.TextGrid").is_file()


def test_run_again_keeps_what_is_there(out, capfd):
    weights = (out / "whisper-khmer" / "model.safetensors").stat().st_mtime_ns
    demo.run(out, {"max-steps": 2, "batch-size": 4})
    assert (out / "whisper-khmer" / "model.safetensors").stat().st_mtime_ns == weights
    said = capfd.readouterr().out
    assert "$ khmer-aligned build" in said
    assert "finished already" in said
    assert "khmer-whisper push-model out/whisper-khmer org/whisper-khmer" in said


def test_a_failing_step_stops_it(tmp_path, capfd):
    (tmp_path / "khmer-aligned").mkdir()
    (tmp_path / "khmer-aligned" / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match="khmer-aligned build ended with status"):
        demo.run(tmp_path)
    assert "holds other files" in capfd.readouterr().err
    assert (tmp_path / "khmer-aligned" / "notes.txt").read_text() == "mine"


def test_the_command_has_its_help():
    result = CliRunner().invoke(main, ["demo", "--help"])
    assert result.exit_code == 0
    assert "--out" in result.output
