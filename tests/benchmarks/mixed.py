"""Ten minutes of speech with silence, music, noise and applause between, all places known."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import NamedTuple

import numpy as np

from khmer_aligned import audio
from khmer_aligned.schema import SAMPLE_RATE

KINDS = ("silence", "music", "noise", "applause")
LEVEL = 0.05  # RMS of speech and of what is between
PAUSE = 0.4  # seconds between two sentences


class Stretch(NamedTuple):
    """Seconds [start, end) of a recording, and what is there: a word, or one of KINDS."""

    start: float
    end: float
    what: str


@dataclass(frozen=True)
class Mixed:
    """A recording, the words in it, and the stretches without speech.

    sentences: each with its text as it was read, and its place
    """

    waveform: np.ndarray
    words: list[Stretch]
    between: list[Stretch]
    sentences: list[Stretch]


def mix(data: Path, minutes: float = 10.0, seed: int = 0, others: bool = False) -> Mixed:
    """Read sentences of the labelled voice of `data`, two to six in a row, and 3 to 12 s of
    something else; every eighth time an announcement of the second voice, whose words nobody has
    labelled. others: announcements and a piece of news alone, with the words of the news."""
    generator = np.random.default_rng(seed)
    folder = data / "keosaly_labelled"
    words_of: dict[str, list[Stretch]] = {}
    with (folder / "word_times.tsv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            if row["kind"] == "lex":
                stretch = Stretch(float(row["start_s"]), float(row["end_s"]), row["word"])
                words_of.setdefault(row["id"], []).append(stretch)
    with (folder / "metadata.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    sentences, kinds = iter(generator.permutation(len(rows))), cycle(KINDS)
    announced = [*sorted((data / "sevakhum").glob("*.mp3"))]
    news = data / "long" / "audio.wav"
    announcements = cycle([*announced, news] if others else announced)
    parts: list[np.ndarray] = []
    mixed = Mixed(np.zeros(0), [], [], [])
    samples = turn = 0

    def add(part: np.ndarray) -> tuple[float, float]:
        nonlocal samples
        parts.append(part)
        samples += len(part)
        return (samples - len(part)) / SAMPLE_RATE, samples / SAMPLE_RATE

    while samples < minutes * 60 * SAMPLE_RATE:
        kind = next(kinds)
        mixed.between.append(Stretch(*add(make_sound(kind, generator)), kind))
        add(np.zeros(int(PAUSE * SAMPLE_RATE)))
        turn += 1
        if others or turn % 8 == 0:
            path = next(announcements)
            text = path.with_suffix(".txt").read_text(encoding="utf-8")
            start, end = add(_load(path))
            mixed.sentences.append(Stretch(start, end, text))
            if path == news:
                mixed.words.extend(
                    Stretch(start + word.start, start + word.end, word.what)
                    for word in _read_words(path.with_suffix(".TextGrid"))
                )
            add(np.zeros(int(PAUSE * SAMPLE_RATE)))
            continue
        for _ in range(generator.integers(2, 7)):
            row = rows[next(sentences)]
            name = Path(row["file_name"]).stem
            start, end = add(_load(folder / row["file_name"]))
            mixed.sentences.append(Stretch(start, end, row["transcription"]))
            mixed.words.extend(
                Stretch(start + word.start, start + word.end, word.what)
                for word in words_of.get(name, [])
            )
            add(np.zeros(int(PAUSE * SAMPLE_RATE)))
    waveform = np.concatenate(parts)
    waveform += generator.standard_normal(len(waveform)) * 1e-4  # a room is never digital silence
    return Mixed(waveform.astype(np.float32), mixed.words, mixed.between, mixed.sentences)


def add_noise(waveform: np.ndarray, decibels: float, seed: int = 1) -> np.ndarray:
    """Pink noise over the whole recording, so many decibels under the speech."""
    noise = _pink(len(waveform), np.random.default_rng(seed))
    return (waveform + noise * LEVEL * 10 ** (-decibels / 20)).astype(np.float32)


def make_sound(kind: str, generator: np.random.Generator) -> np.ndarray:
    """3 to 12 seconds of one of KINDS."""
    count = int(generator.uniform(3, 12) * SAMPLE_RATE)
    if kind == "silence":
        return np.zeros(count)
    sound = {"music": _music, "noise": _pink, "applause": _applause}[kind](count, generator)
    ramp = np.minimum(1, np.minimum(np.arange(count), np.arange(count)[::-1]) / 800)
    return ramp * sound * LEVEL / np.sqrt(np.mean(sound**2))


def _music(count: int, generator: np.random.Generator) -> np.ndarray:
    """Chords of three or four notes with overtones, each struck and dying away."""
    sound = np.zeros(count)
    position = 0
    while position < count:
        length = int(generator.uniform(0.25, 1.0) * SAMPLE_RATE)
        time = np.arange(min(length * 2, count - position)) / SAMPLE_RATE
        root = 110 * 2 ** (generator.integers(0, 24) / 12)
        for interval in (0, *generator.choice([3, 4, 5, 7, 9, 12], 3, replace=False)):
            note = root * 2 ** (interval / 12)
            for overtone in range(1, 6):
                wave = np.sin(2 * np.pi * note * overtone * time + generator.uniform(0, 6))
                sound[position : position + len(time)] += wave * np.exp(-time * 3) / overtone
        position += length
    return sound


def _pink(count: int, generator: np.random.Generator) -> np.ndarray:
    """Noise whose power falls with the frequency; RMS 1."""
    spectrum = np.fft.rfft(generator.standard_normal(count))
    spectrum /= np.sqrt(np.maximum(1, np.arange(len(spectrum))))
    noise = np.fft.irfft(spectrum, count)
    return noise / np.sqrt(np.mean(noise**2))


def _applause(count: int, generator: np.random.Generator) -> np.ndarray:
    """Claps of many hands: 80 a second, each some milliseconds of noise."""
    sound = np.zeros(count + 1600)
    time = np.arange(1600) / SAMPLE_RATE
    for position in generator.integers(0, count, count * 80 // SAMPLE_RATE):
        decay = np.exp(-time * generator.uniform(100, 400)) * generator.uniform(0.2, 1)
        sound[position : position + 1600] += generator.standard_normal(1600) * decay
    return sound[:count]


def _read_words(path: Path) -> list[Stretch]:
    """The words in the first tier of a TextGrid of Praat's."""
    tier = path.read_text(encoding="utf-8").split('name = "phones"')[0]
    pattern = r'xmin = ([\d.]+)\s+xmax = ([\d.]+)\s+text = "([^"]+)"'
    return [Stretch(float(a), float(b), text) for a, b, text in re.findall(pattern, tier)]


def _load(path: Path) -> np.ndarray:
    waveform = audio.load(path, name=str(path))
    loud = np.abs(waveform) > 0.05 * np.abs(waveform).max()
    return waveform * LEVEL / np.sqrt(np.mean(waveform[loud] ** 2)) * 1.0
