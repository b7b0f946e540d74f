"""Builds in which every recording becomes one clip: plan, shards and join without an aligner."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile as sf

from khmer_aligned.audio import encode_flac
from khmer_aligned.clips import make
from khmer_aligned.clips.fingerprint import fingerprint
from khmer_aligned.dataset import rows as plan_rows
from khmer_aligned.dataset.config import BuildConfig
from khmer_aligned.errors import Failed
from khmer_aligned.schema import SAMPLE_RATE
from khmer_aligned.text.normalize import normalize

Row = dict[str, Any]
SYLLABLES = [a + b for a in "កខគងចជញដតថទនបផពមយរលវសហអ" for b in ("", "ា", "ិ", "ុ", "េ", "ោ")]


class WholeClips:
    """Stands for `MakeClips.__call__`; remembers what it was given."""

    def __init__(self) -> None:
        self.ids: list[str] = []

    def __call__(self, batch: dict[str, list[Any]]) -> dict[str, list[Any]]:
        rows = [
            dict(zip(batch, values, strict=True)) for values in zip(*batch.values(), strict=True)
        ]
        self.ids += [row["id"] for row in rows]
        outcomes = [_outcome(row) for row in rows]
        return {name: [row.get(name) for row in outcomes] for name in make.OUTCOME_FEATURES}


def _outcome(row: Row) -> Row:
    waveform = make.load_waveform(row)
    text = row["text"]
    if isinstance(waveform, Failed):
        outcome = make.reject_recording(row, 0, waveform)
        return outcome | {"recording_samples": 0, "recording_characters": len(text)}
    seconds = len(waveform) / SAMPLE_RATE
    clip_id = f"{row['id']}-00000"
    return {
        "id": clip_id,
        "audio": {"bytes": encode_flac(waveform), "path": f"{clip_id}.flac"},
        "text": normalize(text),
        "spoken": normalize(text),
        "words": [],
        "duration": seconds,
        "score": 0.9,
        "recording": row["recording"],
        "speaker": row["speaker"],
        "start": 0.0,
        "end": seconds,
        "samples": len(waveform),
        "characters": len(text),
        "raw": text,
        "raw_first": 0,
        "path": f"{row['recording']}.flac",
        "recording_samples": len(waveform),
        "recording_characters": len(text),
        "fingerprint": fingerprint(waveform),
    }


@pytest.fixture
def config(aligner_folder, tokenizer_folder):
    return BuildConfig(str(aligner_folder), str(tokenizer_folder), 200, lag=0.04)


@pytest.fixture
def whole_clips(monkeypatch) -> WholeClips:
    """Every recording becomes one clip; shards hold about ten of `write_recordings`."""
    clips = WholeClips()
    monkeypatch.setattr(make.MakeClips, "__call__", lambda self, batch: clips(batch))
    monkeypatch.setattr(plan_rows, "_SHARD_CHARACTERS", 800)
    return clips


def sound(seed: int, seconds: float = 1.5) -> np.ndarray:
    """A waveform as unlike that of any other seed as two sentences are."""
    rng = np.random.default_rng(seed)
    times = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    tones = rng.uniform(200, 1_900, (12, 1)) + 200 * np.sin(rng.uniform(3, 9, (12, 1)) * times)
    waves = np.sin(2 * np.pi * np.cumsum(tones, axis=1) / SAMPLE_RATE) * rng.uniform(0, 1, (12, 1))
    return (0.05 * waves.sum(axis=0) + rng.normal(0, 0.003, len(times))).astype(np.float32)


def sentence(seed: int, words: int = 12) -> str:
    """A text of random words."""
    rng = np.random.default_rng(seed)
    return " ".join("".join(rng.choice(SYLLABLES, 3)) for _ in range(words)) + "។"


def write_recordings(folder: Path, seeds: range) -> None:
    """A recording and its text for each seed: `012.wav` and `012.txt`."""
    folder.mkdir(parents=True, exist_ok=True)
    for seed in seeds:
        write_recording(folder / f"{seed:03d}", seed, sentence(seed))


def write_recording(path: Path, seed: int, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    sf.write(path.with_suffix(".wav"), sound(seed), SAMPLE_RATE)
    path.with_suffix(".txt").write_text(text, encoding="utf-8")
