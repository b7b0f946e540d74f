"""Which heads of a decoder follow the speech: chosen by a dataset's own word times.

The heads that OpenAI has published for its models no longer fit once a model is tuned.
transformers and faster-whisper read them from the generation config, as `alignment_heads`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from tqdm import tqdm

from khmer_whisper.attention.labels import label_bytes, span_times
from khmer_whisper.attention.paths import smooth, warp
from khmer_whisper.attention.weights import attend
from khmer_whisper.examples.rows import Row, Rows, waveform
from khmer_whisper.model import Whisper

Head = tuple[int, int]  # layer, and its number there

CLIPS = 48
MAX_HEADS = 10
FARTHEST = 1.0  # seconds; a path that has nothing to do with the speech is no worse than that


@dataclass(frozen=True, slots=True)
class WordStarts:
    """The distance of word starts from the dataset's, in seconds: the median of their absolute
    values, their 90th percentile, and the median with its sign, above 0 where words come late."""

    words: int
    median: float
    percentile90: float
    lag: float


@dataclass(frozen=True, slots=True)
class HeadChoice:
    """The chosen heads, and the word starts that those before and they give on held-out clips."""

    heads: list[Head]
    clips: int
    before: WordStarts
    after: WordStarts

    def as_dict(self) -> dict[str, Any]:
        return asdict(self) | {"heads": [list(head) for head in self.heads]}

    def __str__(self) -> str:
        before, after = self.before, self.after
        return (
            f"word starts by cross-attention: half within {1000 * after.median:.0f} ms of the "
            f"dataset's, with the heads before within {1000 * before.median:.0f} ms "
            f"({after.words} words of {self.clips} clips)"
        )


@dataclass(frozen=True, slots=True)
class _TimedClip:
    """A clip's smoothed attention (layer, head, L + 1, F), and its words that have times.

    spans: of the words in the text; starts: (W,) seconds
    """

    text: str
    weights: torch.Tensor
    sizes: np.ndarray
    spans: list[tuple[int, int]]
    starts: np.ndarray
    frame_seconds: float

    def distances(self, weights: torch.Tensor) -> np.ndarray:
        """Seconds (B, W) by which each word comes late in smoothed weights (B, L + 1, F)."""
        begins = warp(weights.numpy()) * self.frame_seconds
        return np.stack(
            [
                span_times(self.text, self.spans, self.sizes, row)[:, 0] - self.starts
                for row in begins
            ]
        )


def choose_heads(whisper: Whisper, rows: Rows, clips: int = CLIPS) -> HeadChoice | None:
    """Choose the heads of `whisper` whose paths begin words where `rows` say that they begin.

    Every second clip ranks the heads, each by the mean distance of its word starts; the others
    decide how many of the best are taken, at most MAX_HEADS. Nothing is subtracted from the times,
    as neither transformers nor faster-whisper does. None where too few of the first clips have
    word times.
    """
    timed = [
        clip
        for row in tqdm(_select(rows, clips), desc="choosing heads", unit="clip", delay=2)
        if (clip := _read(whisper, row)) is not None
    ]
    if len(timed) < 2:
        return None
    ranking, held_out = timed[::2], timed[1::2]
    ranked = _rank(ranking)
    choices = [ranked[:count] for count in range(1, min(MAX_HEADS, len(ranked)) + 1)]
    figures = [measure(held_out, heads) for heads in choices]
    best = min(range(len(choices)), key=lambda i: figures[i].median)
    before = measure(held_out, current_heads(whisper))
    return HeadChoice(sorted(choices[best]), len(held_out), before, figures[best])


def current_heads(whisper: Whisper) -> list[Head]:
    """Those of the generation config; without any, all of the upper half of the layers, as
    CTranslate2 takes them."""
    stated = getattr(whisper.model.generation_config, "alignment_heads", None)
    if stated:
        return [(layer, head) for layer, head in stated]
    config = whisper.model.config
    return [
        (layer, head)
        for layer in range(config.decoder_layers // 2, config.decoder_layers)
        for head in range(config.decoder_attention_heads)
    ]


def measure(clips: Sequence[_TimedClip], heads: Sequence[Head]) -> WordStarts:
    """The word starts that heads give together."""
    late = np.concatenate(
        [
            clip.distances(torch.stack([clip.weights[head] for head in heads]).mean(0)[None])[0]
            for clip in clips
        ]
    )
    distances = np.abs(late)
    return WordStarts(
        len(late),
        round(float(np.median(distances)), 4),
        round(float(np.percentile(distances, 90)), 4),
        round(float(np.median(late)), 4),
    )


def _rank(clips: Sequence[_TimedClip]) -> list[Head]:
    """All heads, the best first."""
    layers, heads = clips[0].weights.shape[:2]
    total, words = np.zeros(layers * heads), 0
    for clip in clips:
        distances = np.abs(clip.distances(clip.weights.flatten(0, 1)))
        total += np.minimum(distances, FARTHEST).sum(1)
        words += distances.shape[1]
    return [(int(i) // heads, int(i) % heads) for i in np.argsort(total / words, kind="stable")]


def _read(whisper: Whisper, row: Row) -> _TimedClip | None:
    """A clip with its attention; None for one without word times or longer than the window."""
    text, labeller = row["text"], whisper.labeller
    words = _place(text, row["words"] or [])
    labels = labeller.encode(text)
    prompt = labeller.prompt()
    if (
        not words
        or row["duration"] > whisper.seconds
        or len(prompt) + len(labels) > whisper.max_labels
    ):
        return None
    attention = attend(whisper, waveform(row), labels, prompt)
    return _TimedClip(
        text,
        torch.stack([smooth(layer).cpu() for layer in attention.layers]),
        label_bytes(labeller, labels),
        [span for span, _ in words],
        np.array([start for _, start in words]),
        attention.frame_seconds,
    )


def _place(text: str, words: Iterable[dict[str, Any]]) -> list[tuple[tuple[int, int], float]]:
    """The spans and starts of the words that stand in `text` as they are, in order."""
    placed, position = [], 0
    for word in words:
        first = text.find(word["text"], position)
        if first >= 0 and word["end"] > word["start"]:
            position = first + len(word["text"])
            placed.append(((first, position), float(word["start"])))
    return placed


def _select(rows: Rows, count: int) -> list[Row]:
    """`count` rows from all over a dataset, the first ones of a stream."""
    if isinstance(rows, Dataset):
        step = max(1, len(rows) // count)
        return [rows[i] for i in range(0, min(len(rows), step * count), step)]
    return list(islice(rows, count))
