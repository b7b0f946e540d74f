"""Audio of any length: where it is cut, what comes out, and in which form."""

import json
from itertools import pairwise

import numpy as np
import pysubs2
import pytest
import soundfile

from khmer_aligned.errors import UserError
from khmer_aligned.schema import SAMPLE_RATE
from khmer_whisper import metrics
from khmer_whisper import model as models
from khmer_whisper.transcription import (
    Segment,
    Transcription,
    find_stretches,
    longest_stretch,
    transcribe,
)

from .conftest import WORDS, sound

PAUSE = 0.5


def speech(count: int, seed: int = 0) -> tuple[np.ndarray, list[tuple[str, float]]]:
    """Words with pauses of half a second, and where each begins."""
    chosen = np.random.default_rng(seed).choice(list(WORDS), size=count)
    parts, said, position = [], [], 0.0
    for i, word in enumerate(chosen):
        parts += [sound([word], seed=i), np.zeros(int(PAUSE * SAMPLE_RATE), np.float32)]
        said.append((str(word), position))
        position += 0.4 + PAUSE
    return np.concatenate(parts), said


def test_cuts_lie_in_pauses_and_cover_all_sound():
    samples, said = speech(30)
    spans = [(a / SAMPLE_RATE, b / SAMPLE_RATE) for a, b in find_stretches(samples, longest=4.0)]
    assert all(b - a <= 4.0 for a, b in spans)
    assert len(spans) < 15  # not a stretch for each word
    for _, start in said:
        inside = [(a, b) for a, b in spans if a <= start + 0.05 and start + 0.35 <= b]
        assert len(inside) == 1, f"the word at {start} s is cut"
    assert all(first[1] <= second[0] for first, second in pairwise(spans))


def test_silence_is_left_out():
    samples, _ = speech(2)
    silence = np.zeros(10 * SAMPLE_RATE, np.float32)
    spans = find_stretches(np.concatenate([silence, samples, silence]), longest=4.0)
    assert spans[0][0] >= 9.5 * SAMPLE_RATE
    assert spans[-1][1] <= 12 * SAMPLE_RATE
    assert find_stretches(silence, longest=4.0) == []
    assert find_stretches(np.zeros(0, np.float32), longest=4.0) == []


def test_one_long_sound_is_still_cut_to_the_window():
    tone = np.sin(np.arange(20 * SAMPLE_RATE) / 10).astype(np.float32)
    spans = find_stretches(tone, longest=3.0)
    assert spans[0][0] == 0 and spans[-1][1] == len(tone)
    assert all(b - a <= 3 * SAMPLE_RATE for a, b in spans)
    assert all(first[1] == second[0] for first, second in pairwise(spans))


@pytest.mark.slow
def test_a_file_longer_than_the_window_is_transcribed_in_order(trained, tmp_path):
    whisper = models.load(str(trained.folder))
    assert longest_stretch(whisper) == pytest.approx(1.2, abs=0.01)  # as its clips were
    samples, said = speech(12, seed=4)
    path = tmp_path / "speech.wav"
    soundfile.write(path, samples, SAMPLE_RATE)
    found = transcribe(whisper, path, batch_size=5)
    assert found.duration == pytest.approx(len(samples) / SAMPLE_RATE)
    scores = metrics.score(["".join(word for word, _ in said)], [found.text])
    assert scores.cer.rate < 0.5, (found, said)
    times = [time for s in found.segments for time in (s.start, s.end)]
    assert times == sorted(times)
    assert transcribe(whisper, path, batch_size=2) == found


@pytest.mark.slow
def test_a_silent_file_says_nothing(trained, tmp_path):
    path = tmp_path / "silence.wav"
    soundfile.write(path, np.zeros(SAMPLE_RATE), SAMPLE_RATE)
    assert transcribe(models.load(str(trained.folder)), path).segments == []
    (tmp_path / "text.wav").write_text("no audio")
    with pytest.raises(UserError, match=r"text\.wav"):
        transcribe(models.load(str(trained.folder)), tmp_path / "text.wav")


def test_forms():
    found = Transcription("a.wav", 70.0, [Segment(0.5, 1.25, "ទឹក"), Segment(61.0, 62.0, "ធំ")])
    assert found.render("txt") == "ទឹក\nធំ\n"
    assert json.loads(found.render("json"))["segments"][1]["start"] == 61.0
    assert "00:00:00,500 --> 00:00:01,250\nទឹក" in found.render("srt")
    assert found.render("vtt").startswith("WEBVTT")
    for form in ("srt", "vtt"):
        again = pysubs2.SSAFile.from_string(found.render(form))
        assert [(e.start, e.end, e.text) for e in again] == [
            (500, 1250, "ទឹក"),
            (61_000, 62_000, "ធំ"),
        ]
