"""What a page shows of a whole build: tables and histograms."""

from __future__ import annotations

import math
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq

from khmer_aligned.dataset.report import Report
from khmer_aligned.dataset.statistics import shards_of
from khmer_aligned.recordings.corrections import CLIP
from khmer_aligned.report.items import Item
from khmer_aligned.schema import SAMPLE_RATE, SPLITS

_SHOWN_SPEAKERS = 30
_SHOWN_WORDS = 40
_BINS = 20  # of a histogram, at most one more
_COUNTED = 20_000  # clips whose labels are counted: a tokenizer takes 0.1 ms for each

CountLabels = Callable[[str, str], int]


@dataclass(frozen=True)
class Histogram:
    """Bars with the range that each stands for, and the middle value."""

    title: str
    unit: str
    bars: tuple[tuple[str, int], ...]
    median: float

    @property
    def most(self) -> int:
        """The height of the highest bar."""
        return max((count for _, count in self.bars), default=0) or 1


@dataclass(frozen=True)
class Became:
    """What became of the audio and the text: one line of the table, and its shares."""

    name: str
    kind: str  # clips, or rejected
    stretches: int
    seconds: float
    characters: int
    share_of_audio: float
    share_of_text: float


@dataclass(frozen=True)
class Group:
    """The clips of a split or a speaker, and what was rejected of it."""

    name: str
    recordings: int
    clips: int
    seconds: float
    characters: int
    score: float | None  # the median
    rejected_seconds: float


@dataclass(frozen=True)
class Words:
    """The words of all clips, and the characters of their texts."""

    different: int
    total: int
    once: int  # words that are there once
    common: tuple[tuple[str, int], ...]
    characters: tuple[tuple[str, str, int], ...]  # a character, its name, how often it is there


def what_became(report: Report) -> list[Became]:
    """Clips first, then the reasons, the one that took most audio first."""
    audio, text = report["balance"]["samples"], report["balance"]["characters"]
    total = max(1, audio["in"]) / SAMPLE_RATE
    clips = sum(size["clips"] for size in report["splits"].values())
    rows = [("in clips", "clips", clips, audio["clips"] / SAMPLE_RATE, text["clips"])]
    rows += [
        (name, "rejected", reason["stretches"], reason["seconds"], reason["characters"])
        for name, reason in sorted(
            report["rejected"].items(), key=lambda entry: -entry[1]["seconds"]
        )
    ]
    return [
        Became(*row, share_of_audio=row[3] / total, share_of_text=row[4] / max(1, text["in"]))
        for row in rows
    ]


def by_split(items: Sequence[Item]) -> list[Group]:
    """The clips of each split, and what was rejected of its recordings."""
    split_of = {item.recording: item.split for item in items if item.kind == CLIP}
    groups = _group(items, lambda item: split_of.get(item.recording) or "")
    return [groups[name] for name in SPLITS if name in groups]


def by_speaker(items: Sequence[Item]) -> list[Group]:
    """The clips of the speakers who say most, and what was rejected of their recordings."""
    speaker_of = {item.recording: item.speaker for item in items if item.kind == CLIP}
    groups = _group(items, lambda item: speaker_of.get(item.recording) or "")
    groups.pop("", None)
    return sorted(groups.values(), key=lambda group: -group.seconds)[:_SHOWN_SPEAKERS]


def _group(items: Sequence[Item], name_of: Callable[[Item], str]) -> dict[str, Group]:
    members: dict[str, list[Item]] = {}
    rejected: dict[str, float] = {}
    for item in items:
        if item.kind == CLIP:
            members.setdefault(name_of(item), []).append(item)
        else:
            name = name_of(item)
            rejected[name] = rejected.get(name, 0.0) + item.seconds
    return {
        name: Group(
            name,
            len({item.recording for item in clips}),
            len(clips),
            sum(item.seconds for item in clips),
            sum(len(item.text) for item in clips),
            _median([item.score or 0.0 for item in clips]),
            rejected.get(name, 0.0),
        )
        for name, clips in members.items()
    }


def histograms(items: Sequence[Item], count_labels: CountLabels | None) -> list[Histogram]:
    """Length, score, speed and labels of the clips; labels only with a tokenizer."""
    clips = [item for item in items if item.kind == CLIP]
    shown = [
        _histogram("Length", "seconds", [item.seconds for item in clips]),
        _histogram("Score", "mean probability", [item.score or 0 for item in clips]),
        _histogram(
            "Speed",
            "characters/s",
            [len(item.spoken) / max(item.seconds, 1e-3) for item in clips],
        ),
    ]
    if count_labels is not None:
        some = clips[:: max(1, len(clips) // _COUNTED)]
        labels = [float(count_labels(item.text, item.spoken)) for item in some]
        shown.append(_histogram("Labels", "Whisper's tokens", labels))
    return shown


def _histogram(title: str, unit: str, values: Sequence[float]) -> Histogram:
    """Bins from the lowest value to the highest, each 1, 2 or 5 times a power of ten wide."""
    low, high = min(values, default=0.0), max(values, default=1.0)
    power = 10.0 ** math.floor(math.log10(max(high - low, 1e-3) / _BINS))
    width = next(power * k for k in (1, 2, 5, 10) if power * k * _BINS >= high - low)
    first = math.floor(low / width)
    counts = [0] * (math.floor(high / width) - first + 1)
    for value in values:
        counts[min(len(counts) - 1, math.floor(value / width) - first)] += 1
    bars = tuple(
        (f"{(first + i) * width:.6g} to {(first + i + 1) * width:.6g}", count)
        for i, count in enumerate(counts)
    )
    return Histogram(title, unit, bars, _median(values) or 0.0)


def _median(values: Sequence[float]) -> float | None:
    return sorted(values)[len(values) // 2] if values else None


def count_words(folder: Path, items: Sequence[Item]) -> Words:
    """The vocabulary and the alphabet of the clips."""
    words: Counter[str] = Counter()
    for split in SPLITS:
        for shard in shards_of(folder, split):
            column = pq.read_table(shard, columns=["words"])["words"]
            texts = pc.struct_field(pc.list_flatten(column), "text")
            for entry in pc.value_counts(texts).to_pylist():
                words[entry["values"]] += entry["counts"]
    characters = Counter("".join(item.text for item in items if item.kind == CLIP))
    return Words(
        len(words),
        sum(words.values()),
        sum(count == 1 for count in words.values()),
        tuple(words.most_common(_SHOWN_WORDS)),
        tuple(
            (char, unicodedata.name(char, f"U+{ord(char):04X}").lower(), count)
            for char, count in sorted(characters.items())
        ),
    )
