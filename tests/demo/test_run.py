"""The demo as a user runs it, with a shorter training."""

import contextlib
import io
import json

import pytest
from click.testing import CliRunner
from datasets import load_dataset
from transformers import WhisperForConditionalGeneration

from khmer_aligned.errors import UserError
from khmer_whisper.cli import main
from khmer_whisper.demo import run as demo


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A whole run but for a shorter training: its folder and its output."""
    out = tmp_path_factory.mktemp("demo") / "out"
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        demo.run(out, {"max-steps": 2, "batch-size": 4})
    return out, output.getvalue()


@pytest.mark.slow
def test_leaves_a_dataset_and_a_model(finished):
    out, _ = finished
    built = load_dataset(str(out / "khmer-aligned"))
    assert {split: len(rows) > 5 for split, rows in built.items()} == {
        "train": True,
        "validation": True,
        "test": True,
    }
    build = json.loads((out / "khmer-aligned" / "build.json").read_text())
    assert "speech that is not in the transcript" in build["rejected"]
    rejected = (out / "khmer-aligned" / "rejected.jsonl").read_text(encoding="utf-8")
    assert "ពួកគេស្រលាញ់សាលា" in rejected  # it is in the transcript and was never spoken

    model = out / "whisper-khmer"
    WhisperForConditionalGeneration.from_pretrained(model)
    assert (model / "README.md").is_file()
    metrics = json.loads((model / "metrics.json").read_text())["models"]
    assert metrics["tuned"]["cer"]["rate"] < 1
    assert (out / "journey.TextGrid").is_file()


@pytest.mark.slow
def test_shows_the_commands_the_numbers_and_what_to_do_next(finished):
    out, output = finished
    assert f"$ khmer-aligned build {demo._short(demo.RECORDINGS)} {out / 'khmer-aligned'}" in output
    assert f"$ khmer-whisper transcribe {out / 'whisper-khmer'}" in output
    metrics = json.loads((out / "whisper-khmer" / "metrics.json").read_text())["models"]
    for model in ("base", "tuned"):
        assert f"{metrics[model]['cer']['rate']:.1%}" in output
    assert "khmer-whisper push-model out/whisper-khmer org/whisper-khmer" in output


@pytest.mark.slow
def test_run_again_keeps_a_finished_model(finished, monkeypatch, capsys):
    out, _ = finished
    commands = []
    monkeypatch.setattr(demo, "_command", lambda *words: commands.append(words[:2]))
    demo.run(out)
    assert ("khmer-aligned", "build") in commands
    assert ("khmer-whisper", "train") not in commands
    assert "finished already" in capsys.readouterr().out


@pytest.mark.slow
def test_a_failing_step_stops_it(tmp_path):
    with pytest.raises(UserError, match="khmer-aligned align ended with status"):
        demo._command("khmer-aligned", "align", tmp_path / "none.ogg", tmp_path / "none.txt")


def test_the_command_has_its_help():
    result = CliRunner().invoke(main, ["demo", "--help"])
    assert result.exit_code == 0
    assert "--out" in result.output
