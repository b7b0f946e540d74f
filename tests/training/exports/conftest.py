"""Clips of the demo's recordings, and Whispers in OpenAI's shape that write their texts."""

import csv
from pathlib import Path

import pytest

from khmer_aligned import audio
from khmer_aligned.audio import encode_flac
from khmer_aligned.schema import SAMPLE_RATE
from khmer_whisper import model as models
from khmer_whisper.examples import data
from khmer_whisper.vocabulary import extend

from ...conftest import ASSETS
from ..conftest import write_dataset
from .standard import memorize, standard_whisper


def cut(name: str, seconds: list[tuple[float, float]]) -> list[dict]:
    """Rows of the words of a demo recording between two times each."""
    folder = ASSETS / "recordings"
    samples = audio.load(folder / f"{name}.ogg", name=name)
    text = (folder / f"{name}.txt").read_text(encoding="utf-8")
    with (folder / f"{name}.words.tsv").open(encoding="utf-8") as file:
        words = list(csv.DictReader(file, delimiter="\t"))
    rows = []
    for number, (start, end) in enumerate(seconds):
        inside = [w for w in words if start <= float(w["start"]) and float(w["end"]) <= end]
        written = text[int(inside[0]["from"]) : int(inside[-1]["to"])]
        first, last = float(inside[0]["start"]) - 0.1, float(inside[-1]["end"]) + 0.1
        part = samples[int(first * SAMPLE_RATE) : int(last * SAMPLE_RATE)]
        rows.append(
            {
                "id": f"{name}-{number:05}",
                "audio": {"bytes": encode_flac(part), "path": None},
                "text": " ".join(written.split()),
                "spoken": " ".join(written.split()),
                "words": [
                    {
                        "text": text[int(w["from"]) : int(w["to"])],
                        "start": float(w["start"]) - first,
                        "end": float(w["end"]) - first,
                        "score": 1.0,
                    }
                    for w in inside
                ],
                "duration": len(part) / SAMPLE_RATE,
                "score": 1.0,
                "recording": name,
                "speaker": None,
                "start": first,
                "end": last,
            }
        )
    return rows


@pytest.fixture(scope="session")
def short_clips(tmp_path_factory) -> Path:
    """A dataset of two clips."""
    rows = cut("farm", [(0.0, 4.5), (5.0, 9.0)])
    return write_dataset(tmp_path_factory.mktemp("short"), {"test": rows})


@pytest.fixture(scope="session")
def long_clip(tmp_path_factory) -> Path:
    """A dataset of one clip that takes more than 220 labels over bytes."""
    return write_dataset(tmp_path_factory.mktemp("long"), {"test": cut("farm", [(10.0, 25.0)])})


@pytest.fixture(scope="session")
def untrained_folder(tmp_path_factory) -> Path:
    """A Whisper over bytes in OpenAI's shape, that writes Khmer letters at random."""
    folder = tmp_path_factory.mktemp("standard") / "model"
    standard_whisper().save(folder)
    return folder


@pytest.fixture(scope="session")
def standard_folder(untrained_folder, long_clip) -> Path:
    """The same after it has learned the long clip by heart."""
    return _learned(untrained_folder, long_clip, steps=40)


@pytest.fixture(scope="session")
def extended_folder(untrained_folder, short_clips) -> Path:
    """A Whisper with Khmer entries in its vocabulary that knows the short clips by heart."""
    out = untrained_folder.with_name("extended")
    texts = sorted((ASSETS / "recordings").glob("*.txt"))
    extend(str(untrained_folder), out, texts, tokens=136)
    return _learned(out, short_clips, steps=30)


def _learned(folder: Path, dataset: Path, steps: int) -> Path:
    whisper = models.load(str(folder))
    memorize(whisper, list(data.load(str(dataset)).splits["test"]), steps)
    out = folder.with_name(f"{folder.name}-learned")
    whisper.save(out)
    return out
