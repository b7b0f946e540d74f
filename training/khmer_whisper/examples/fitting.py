"""Which clips of a split a model can take: its window and its decoder have limits."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from datasets import Dataset
from tqdm import tqdm

from khmer_aligned.schema import SAMPLE_RATE
from khmer_whisper.examples.data import Splits
from khmer_whisper.examples.rows import Rows
from khmer_whisper.model import Whisper


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A clip that the model cannot take. It is listed, and never cut to fit."""

    id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Fitting:
    """The clips of a split that fit a model, and those that do not.

    `seconds` (n,) float32 are the durations of the `rows`.
    """

    rows: Rows
    left_out: list[LeftOut]
    seconds: np.ndarray

    def __len__(self) -> int:
        return len(self.seconds)

    @property
    def clip_seconds(self) -> float:
        """95 % of the clips are as long as this or shorter."""
        return round(float(np.percentile(self.seconds, 95)), 2)


def select_fitting(splits: Splits, split: str, whisper: Whisper, text: str | None) -> Fitting:
    """Select the clips of `split` that fit the model's window and decoder; decodes no audio.

    `text` is the column that is learned. With None nothing is learned: a clip must fit the window
    and have a text to score against.
    """
    kept: list[int] = []
    seconds: list[float] = []
    left_out: list[LeftOut] = []
    index = 0
    columns = ["id", "duration", text or "text"]
    with tqdm(desc="measuring clips", unit="clip", delay=2) as progress:
        for part in splits.columns(split, columns):
            ids, durations, texts = (part[column] for column in columns)
            counts = _count_labels(whisper, texts) if text else [0] * len(ids)
            for clip, duration, written, count in zip(ids, durations, texts, counts, strict=True):
                # An empty text, learned, makes a Whisper that leaves speech out.
                if written is None or (text and not any(map(str.isalnum, written))):
                    reason: str | None = "no text"
                elif duration is None:
                    reason = "no duration"
                else:
                    reason = _too_long(duration, count, whisper)
                if reason:
                    left_out.append(LeftOut(clip, reason))
                else:
                    kept.append(index)
                    seconds.append(duration)
                index += 1
            progress.update(len(ids))
    rows = _without(splits.splits[split], left_out, kept) if left_out else splits.splits[split]
    return Fitting(rows, left_out, np.array(seconds, np.float32))


def _count_labels(whisper: Whisper, texts: list[str | None]) -> list[int]:
    """Decoder inputs of each text: its labels with Whisper's prefix, less the end token."""
    return [len(ids) - 1 for ids in whisper.tokenizer([t or "" for t in texts]).input_ids]


def _too_long(seconds: float, labels: int, whisper: Whisper) -> str | None:
    """Why a clip does not fit, or None."""
    # Resampling rounds a part of a sample up; float32 durations are off by less than 0.1 samples.
    if math.ceil(seconds * SAMPLE_RATE - 0.1) > whisper.extractor.n_samples:
        return f"{seconds:.2f} s of audio, over the model's {whisper.seconds:g} s"
    if labels > whisper.max_labels:
        return f"{labels} labels, over the model's {whisper.max_labels}"
    return None


def _without(rows: Rows, left_out: list[LeftOut], kept: list[int]) -> Rows:
    if isinstance(rows, Dataset):
        return rows.select(kept)
    names = {clip.id for clip in left_out}
    return rows.filter(lambda clip: clip not in names, input_columns=["id"])
