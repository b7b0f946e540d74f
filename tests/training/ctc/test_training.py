"""A dataset to an aligner's folder, and what the folder is good for."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import tomllib

import numpy as np
import pytest
import torch

from khmer_aligned import aligners
from khmer_aligned.alignment.align import align, locate
from khmer_aligned.errors import UserError
from khmer_aligned.schema import SAMPLE_RATE
from khmer_aligned.text import Transcript
from khmer_whisper import model as models
from khmer_whisper.checkpoints import last_checkpoint
from khmer_whisper.ctc import trainer
from khmer_whisper.ctc.config import CtcConfig
from khmer_whisper.ctc.training import train_aligner
from khmer_whisper.transcription.torch_engine import TorchEngine
from khmer_whisper.transcription.word_times import choose_time_words
from khmer_whisper.transcription.words import AlignWords

from ...hub.fixtures import SOURCES
from ..conftest import WORD_SECONDS, close, interrupt, random_words, sound

STEPS = {"batch_size": 4, "max_steps": 6, "learning_rate": 1e-3}


@pytest.fixture(scope="module")
def result(dataset, tiny_folder, tmp_path_factory):
    """A CTC head on a small Whisper's encoder, whose window is 2 s."""
    torch.set_num_threads(1)
    config = CtcConfig(
        dataset=str(dataset),
        model=str(tiny_folder),
        epochs=40,
        learning_rate=3e-3,
        tolerance=0.0,
        augment=0.0,
    )
    return train_aligner(config, tmp_path_factory.mktemp("aligner") / "sounds")


@pytest.mark.slow
def test_it_learns_the_letters_and_the_times(result):
    judgement = result.judgement
    assert result.split == "test"
    assert judgement.letter_error_rate < 0.3
    assert abs(judgement.lag) < 0.04 and judgement.median < 0.04
    assert judgement.words == sum(len(random_words(200 + i)) for i in range(12))


@pytest.mark.slow
def test_its_folder_has_records_and_a_card(result):
    metrics = json.loads((result.folder / "metrics.json").read_text(encoding="utf-8"))
    assert metrics["errors"] == result.judgement.errors
    training = tomllib.loads((result.folder / "training.toml").read_text(encoding="utf-8"))
    assert training["epochs"] == 40 and training["provenance"]["clips"] == 64
    card = (result.folder / "README.md").read_text(encoding="utf-8")
    assert f"| letter error rate, greedy | {metrics['letter_error_rate']:.1%} |" in card
    assert "The licence of the model that it was tuned from is not known." in card
    assert not (result.folder / "checkpoints").exists()
    assert "label_prior" not in (result.folder / "config.json").read_text(encoding="utf-8")


@pytest.mark.slow
def test_minutes_are_aligned_over_all_seams_of_its_windows(result):
    """Two minutes in windows of 2 s; the words are 0.4 s long, so that each seam cuts one."""
    words = [word for i in range(200) for word in random_words(i)][:300]
    pause = 0.2
    waveform, starts = np.zeros(int(pause * SAMPLE_RATE), np.float32), []
    parts = [waveform]
    for i, word in enumerate(words):
        starts.append(sum(map(len, parts)) / SAMPLE_RATE if i % 3 == 0 else starts[-1] + 0.4)
        parts.append(sound([word], seed=i))
        if i % 3 == 2:
            parts.append(np.zeros(int(pause * SAMPLE_RATE), np.float32))
    waveform = np.concatenate(parts)
    assert len(waveform) / SAMPLE_RATE > 120
    aligner = aligners.load(str(result.folder))
    (emission,) = aligner.emissions([waveform])
    assert len(emission) == len(waveform) // aligner.stride
    (found,) = align([waveform], [Transcript.from_text(" ".join(words))], aligner, lag=0.0)
    assert [word.text for word in found.words] == words
    distances = np.abs(np.array([word.start for word in found.words]) - starts)
    assert np.mean(distances < WORD_SECONDS / 4) > 0.9


@pytest.mark.slow
def test_words_are_where_they_are_wherever_the_windows_begin(result, tiny_folder, tmp_path):
    """Two minutes with the head in the model's own folder, and again behind seconds of silence."""
    model = tmp_path / "model"
    shutil.copytree(tiny_folder, model)
    shutil.copytree(result.folder, model / "aligner")
    time_words = choose_time_words(TorchEngine(models.load(str(model))))
    assert isinstance(time_words, AlignWords)
    assert time_words.lag == result.judgement.lag
    words = [word for i in range(200) for word in random_words(i)][:300]
    waveform = np.concatenate([sound([word], seed=i) for i, word in enumerate(words)])
    silence = np.zeros(round(0.74 * SAMPLE_RATE), np.float32)  # no part of a window of 2 s
    text = " ".join(words)
    first, second = time_words([waveform, np.concatenate([silence, waveform])], [text, text])
    assert [word.text for word in first] == [word.text for word in second] == words
    moved = np.array([word.start for word in second]) - [word.start for word in first]
    frame = time_words.aligner.stride / SAMPLE_RATE
    assert np.mean(np.abs(moved - 0.74) <= frame + 1e-6) > 0.85


@pytest.mark.slow
def test_a_short_clip_has_the_frames_of_its_own_audio(result):
    aligner = aligners.load(str(result.folder))
    for samples in (1600, 8000, 31_999, 32_000, 32_001, 40_000):
        (emission,) = aligner.emissions([sound(["ធំ"] * 7, seed=0)[:samples]])
        assert len(emission) == samples // 320


@pytest.mark.slow
def test_text_alone_teaches_letters_without_times(plain, tmp_path):
    config = CtcConfig(dataset=str(plain), **STEPS)
    result = train_aligner(config, tmp_path / "out")
    training = tomllib.loads((tmp_path / "out/training.toml").read_text(encoding="utf-8"))
    assert training["provenance"]["word_times"] is False
    assert result.steps == 6


@pytest.mark.slow
def test_killed_it_ends_with_the_same_weights(few, tiny_folder, tmp_path, monkeypatch):
    monkeypatch.setattr(trainer, "STEPS_BETWEEN_CHECKPOINTS", 2)
    torch.set_num_threads(1)
    config = CtcConfig(dataset=str(few), model=str(tiny_folder), **STEPS)
    train_aligner(config, tmp_path / "undisturbed")
    out = tmp_path / "killed"
    code = (
        "import torch; torch.set_num_threads(1)\n"
        "from pathlib import Path\n"
        "from khmer_whisper.ctc import trainer; trainer.STEPS_BETWEEN_CHECKPOINTS = 2\n"
        "from khmer_whisper.ctc.config import CtcConfig\n"
        "from khmer_whisper.ctc.training import train_aligner\n"
        f"train_aligner(CtcConfig(dataset={str(few)!r}, model={str(tiny_folder)!r}, **{STEPS}), "
        f"Path({str(out)!r}))"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(SOURCES)}
    process = subprocess.Popen([sys.executable, "-c", code], env=environment)
    deadline = time.monotonic() + 240
    while last_checkpoint(out / "checkpoints") is None:
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    reached = last_checkpoint(out / "checkpoints")
    assert int(reached.name.split("-")[1]) < 6
    train_aligner(config, out)
    close(out, tmp_path / "undisturbed")


@pytest.mark.slow
def test_another_training_does_not_go_on_from_its_checkpoints(few, tmp_path, monkeypatch):
    monkeypatch.setattr(trainer, "STEPS_BETWEEN_CHECKPOINTS", 2)
    monkeypatch.setattr("khmer_whisper.ctc.training.judge", interrupt)
    config = CtcConfig(dataset=str(few), **STEPS)
    with pytest.raises(KeyboardInterrupt):
        train_aligner(config, tmp_path / "out")
    with pytest.raises(UserError, match="differs in seed; give the same to finish it"):
        train_aligner(CtcConfig(dataset=str(few), seed=1, **STEPS), tmp_path / "out")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"dataset": ""}, "no dataset is named"),
        ({"priors": 2}, "--priors is 2"),
        ({"freeze": True}, "--freeze needs a --model"),
    ],
)
def test_what_makes_no_sense_is_one_line(options, words):
    with pytest.raises(UserError, match=words):
        CtcConfig(**({"dataset": "x"} | options))


def test_a_record_is_read_back_with_changes(tmp_path):
    config = CtcConfig(dataset="x", epochs=3, priors=0)
    (tmp_path / "training.toml").write_text(config.toml({"steps": 7}), encoding="utf-8")
    assert CtcConfig.read(tmp_path / "training.toml") == config
    assert CtcConfig.read(tmp_path / "training.toml", seed=1).seed == 1
    (tmp_path / "wrong.toml").write_text('dataset = "x"\nepoch = 3\n', encoding="utf-8")
    with pytest.raises(UserError, match="unknown key 'epoch'; known: epochs"):
        CtcConfig.read(tmp_path / "wrong.toml")


@pytest.mark.slow
def test_its_lag_is_stated_and_taken_off(result):
    assert aligners.stated_lag(str(result.folder)) == pytest.approx(result.judgement.lag, abs=5e-4)
    aligner = aligners.load(str(result.folder))
    assert aligner.lag == aligners.stated_lag(str(result.folder))
    assert AlignWords(str(result.folder)).lag == aligner.lag
    waveform = sound(random_words(200), seed=0)
    (item,) = locate([waveform], [Transcript.from_text(" ".join(random_words(200)))], aligner)
    assert item.edges.count == 0
