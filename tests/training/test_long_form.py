"""Whole recordings: what is left out and what is invented counts, and what was learned does not."""

import json
import shutil
from pathlib import Path

import pytest

from khmer_aligned.errors import UserError
from khmer_aligned.schema import SAMPLE_RATE
from khmer_whisper import long_form
from khmer_whisper.transcription.engine import Decoded
from khmer_whisper.transcription.transcriber import Transcriber

from .conftest import VOICES, voice


class Listed:
    """An engine that writes the texts of a list, one for each window."""

    name, seconds, clip_seconds, positions = "listed", 30.0, 30.0, 448
    languages = ("km",)

    def __init__(self, labeller, texts: list[str]) -> None:
        self.labeller = labeller
        self.texts = iter(texts)

    def decode(self, waveforms, prompt, *, beams, temperature):
        return [Decoded(next(self.texts, ""), False, -0.1, 0.0) for _ in waveforms]


@pytest.fixture
def source(tmp_path) -> Path:
    """Two recordings with their texts, and one without."""
    folder = tmp_path / "recordings"
    folder.mkdir()
    for name in ("farm", "market"):
        shutil.copy(VOICES / f"{name}.ogg", folder)
        shutil.copy(VOICES / f"{name}.txt", folder)
    shutil.copy(VOICES / "school.ogg", folder)
    return folder


def evaluate(tiny, source: Path, texts: list[str], trained_on: set[str]):
    transcriber = Transcriber(tiny)
    transcriber.engine = Listed(tiny.labeller, texts)
    return long_form.evaluate_long(transcriber, str(source), trained_on)


def test_the_whole_text_counts(tiny, source, tmp_path):
    text = (source / "farm.txt").read_text(encoding="utf-8")
    result = evaluate(tiny, source, [text], {"market"})
    assert result.scores.cer.errors == 0
    (prediction,) = result.predictions
    assert prediction.recording == "farm" and 0 < prediction.speech < prediction.duration
    assert prediction.duration == pytest.approx(len(voice(999)) / SAMPLE_RATE, abs=0.01)
    reasons = {item.id: item.reason for item in result.left_out}
    assert reasons["market"] == "is in the train split"
    assert reasons["school"].startswith("no transcript")
    long_form.write_predictions(tmp_path, result)
    (row,) = (tmp_path / "long.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(row)["segments"] == 1
    assert "1 whole recording of" in long_form.format_scores("model", result)
    assert result.as_dict()["cer"]["errors"] == 0


def test_what_is_left_out_and_what_is_invented_are_errors(tiny, source):
    text = (source / "farm.txt").read_text(encoding="utf-8")
    half = evaluate(tiny, source, [text[: len(text) // 2]], {"market"}).scores.cer
    assert half.rate == pytest.approx(0.5, abs=0.05)
    invented = "ព្រឹកនេះម្តាយទៅផ្សារ"
    more = evaluate(tiny, source, [text, invented], {"market"}).scores.cer
    assert more.errors == len(invented)


def test_nothing_to_score_is_said(tiny, source):
    with pytest.raises(UserError, match="holds no recording to score: farm: is in the train split"):
        evaluate(tiny, source, [], {"farm", "market"})
