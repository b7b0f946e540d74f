"""A built dataset to training examples, each a function of seed, epoch and clip alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import soxr
import torch
from datasets import Audio, Dataset, DatasetDict, load_dataset
from datasets.exceptions import DatasetsError
from tqdm import tqdm

from khmer_aligned import audio
from khmer_aligned.hub import Source, resolve
from khmer_aligned.schema import CLIP_FEATURES, SAMPLE_RATE, UserError
from khmer_whisper.collate import Example
from khmer_whisper.config import Config
from khmer_whisper.labels import Stretch
from khmer_whisper.model import Whisper

MAX_PAUSE = 1.0  # seconds between clips of which one goes on where the other ended


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A clip that this model cannot learn from, whole; it is listed and never cut."""

    id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Splits:
    """A dataset pinned to a revision; each split may be missing."""

    source: Source
    splits: dict[str, Dataset]

    def get(self, name: str) -> Dataset | None:
        """The split's rows, or None; audio stays encoded."""
        return self.splits.get(name)


def load(name: str) -> Splits:
    """The dataset at a Hub id (with @revision) or in a folder, with the columns of a clip.

    Raises UserError when it cannot be loaded or a column is missing.
    """
    source = resolve(name, "dataset")
    options = {"revision": source.revision} if source.revision else {}
    try:
        loaded: DatasetDict = load_dataset(source.path, **options)
    except (DatasetsError, OSError, ValueError) as error:
        reason = " ".join(str(error.__cause__ or error).split())
        raise UserError(f"{name}: cannot be loaded as a dataset: {reason}") from error
    splits = {}
    for split, rows in loaded.items():
        missing = [column for column in CLIP_FEATURES if column not in rows.column_names]
        if missing:
            raise UserError(
                f"{name}: the {split} split has no column {', '.join(missing)}; build a dataset "
                "with `khmer-aligned build` first"
            )
        splits[str(split)] = rows.cast_column("audio", Audio(decode=False))
    return Splits(source, splits)


def waveform(row: dict[str, Any]) -> np.ndarray:
    """A row's samples (n,), mono float32 at 16 kHz. Raises UserError when they cannot be read."""
    return audio.load(row["audio"]["bytes"], name=f"clip {row['id']}")


def fitting(rows: Dataset, whisper: Whisper, text: str | None) -> tuple[Dataset, list[LeftOut]]:
    """The rows that fit the model's window and its decoder, and those that do not.

    `text` is the column to be learned; None where nothing is, and only the window counts. No
    audio is decoded for it.
    """
    kept, left_out = [], []
    batch = 1_000
    columns = rows.select_columns(["id", "duration", *([text] if text else [])])
    with tqdm(total=len(rows), desc="measuring clips", unit="clip", delay=2) as progress:
        for start in range(0, len(rows), batch):
            part = columns[start : start + batch]
            tokens = [0] * len(part["id"])
            if text:  # the end token is not read by the decoder
                tokens = [len(ids) - 1 for ids in whisper.tokenizer(part[text]).input_ids]
            measured = zip(part["id"], part["duration"], tokens, strict=True)
            for index, (clip, seconds, count) in enumerate(measured, start):
                reason = _too_long(seconds, count, whisper)
                if reason:
                    left_out.append(LeftOut(clip, reason))
                else:
                    kept.append(index)
            progress.update(len(part["id"]))
    return (rows.select(kept) if left_out else rows), left_out


def _too_long(seconds: float, tokens: int, whisper: Whisper) -> str | None:
    if round(seconds * SAMPLE_RATE) > whisper.extractor.n_samples:
        return f"{seconds:.2f} s of audio, over the model's {whisper.seconds:g} s"
    if tokens > whisper.max_tokens:
        return f"{tokens} label tokens, over the model's {whisper.max_tokens}"
    return None


class Clips(torch.utils.data.Dataset):
    """Training examples by key: epoch * len + index, as `Epochs` draws them.

    What is drawn for an example (timestamps, neighbours, augmentation) is drawn from the seed and
    its key alone: the number of workers, the batch and what was trained before change nothing.
    """

    def __init__(self, rows: Dataset, whisper: Whisper, config: Config) -> None:
        self.rows = rows
        self.labeller = whisper.labeller
        self.max_tokens = whisper.max_tokens
        self.max_samples = whisper.extractor.n_samples
        self.config = config
        self.before, self.after = _neighbours(rows)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def mean_seconds(self) -> float:
        """Of a clip."""
        return float(np.mean(self.rows["duration"]))

    @property
    def usual_seconds(self) -> float:
        """As long as 95 % of the clips, or shorter."""
        return round(float(np.percentile(self.rows["duration"], 95)), 2)

    def __getitem__(self, key: int) -> Example:
        config, index = self.config, key % len(self)
        draw = np.random.default_rng([config.seed, key])
        joined, timed, prompted, changed = draw.random(4) < (
            config.join,
            config.timestamps,
            config.previous_text,
            config.augment,
        )
        samples, stretches = self._joined(index) if joined else self._parts([self.rows[index]])
        if changed:
            samples, tempo = augmented(samples, draw, self.max_samples)
            stretches = [Stretch(s.text, s.start / tempo, s.end / tempo) for s in stretches]
        previous = self._previous(index, stretches) if prompted else []
        if timed and self._length(stretches) + 2 * len(stretches) - 1 <= self.max_tokens:
            return Example(samples, self.labeller.timed(stretches, previous))
        text = " ".join(stretch.text for stretch in stretches)
        return Example(samples, self.labeller.plain(text, previous))

    def _joined(self, index: int) -> tuple[np.ndarray, list[Stretch]]:
        """The clip and as many that follow it in its recording as the model's limits allow."""
        rows = [self.rows[index]]
        found = self._parts(rows)
        while (index := self.after[index]) >= 0:
            rows.append(self.rows[index])
            longer = self._parts(rows)
            if len(longer[0]) > self.max_samples or self._length(longer[1]) > self.max_tokens:
                break
            found = longer
        return found

    def _parts(self, rows: list[dict[str, Any]]) -> tuple[np.ndarray, list[Stretch]]:
        """Clips of one recording, the pauses between them filled with silence."""
        parts: list[np.ndarray] = []
        stretches: list[Stretch] = []
        for i, row in enumerate(rows):
            if i:
                pause = row["start"] - rows[i - 1]["end"]
                parts.append(np.zeros(max(0, round(pause * SAMPLE_RATE)), np.float32))
            offset = sum(map(len, parts)) / SAMPLE_RATE
            words = row["words"] or [{"start": 0.0, "end": row["duration"]}]
            stretches.append(
                Stretch(
                    row[self.config.text],
                    offset + words[0]["start"],
                    offset + words[-1]["end"],
                )
            )
            parts.append(waveform(row))
        return np.concatenate(parts), stretches

    def _previous(self, index: int, stretches: list[Stretch]) -> list[int]:
        """The end of the clip before, as much as half the decoder and the labels leave room for."""
        if self.before[index] < 0:
            return []
        ids = self.labeller.text_ids(self.rows[self.before[index]][self.config.text])
        timestamps = 2 * len(stretches)
        free = self.max_tokens - self._length(stretches) - timestamps - 1
        room = min(self.max_tokens // 2 - 1, free)
        return ids[-room:] if room > 0 else []

    def _length(self, stretches: list[Stretch]) -> int:
        return len(self.labeller.plain(" ".join(stretch.text for stretch in stretches)))


def augmented(
    samples: np.ndarray, draw: np.random.Generator, longest: int
) -> tuple[np.ndarray, float]:
    """Other speed (0.9-1.1), noise (10-40 dB below the speech), other loudness (+-6 dB).

    Returns the samples and the factor of speed; a clip that would outgrow `longest` keeps its
    own. The speed is changed together with the pitch, by resampling (Ko et al. 2015, "Audio
    augmentation for speech recognition").
    """
    tempo = float(draw.choice([0.9, 1.0, 1.1]))
    if len(samples) / tempo > longest - 1:
        tempo = 1.0
    if tempo != 1.0:
        samples = soxr.resample(samples, SAMPLE_RATE * tempo, SAMPLE_RATE)
    level = float(np.sqrt(np.mean(np.square(samples))))
    noise = draw.standard_normal(len(samples), dtype=np.float32)
    samples = samples + noise * np.float32(level * 10 ** (-draw.uniform(10, 40) / 20))
    gain = 10 ** (draw.uniform(-6, 6) / 20)
    return (samples * np.float32(gain)).astype(np.float32), tempo


def _neighbours(rows: Dataset) -> tuple[list[int], list[int]]:
    """For each row the one before and the one after it in its recording; -1 where none is near."""
    columns = rows.select_columns(["recording", "start", "end"])[:]
    order = sorted(range(len(rows)), key=lambda i: (columns["recording"][i], columns["start"][i]))
    before, after = [-1] * len(rows), [-1] * len(rows)
    for first, second in pairwise(order):
        pause = columns["start"][second] - columns["end"][first]
        same = columns["recording"][first] == columns["recording"][second]
        if same and 0 <= pause <= MAX_PAUSE:
            after[first], before[second] = second, first
    return before, after


class Epochs(torch.utils.data.Sampler):
    """Keys of `Clips`, in an order drawn anew from the seed in each epoch.

    The Trainer's own sampler draws from the global generator, and so from all that ran before:
    a run that was killed and resumed would see other orders. `epoch` is set before each pass.
    """

    def __init__(self, size: int, seed: int) -> None:
        self.size = size
        self.seed = seed
        self.epoch = 0

    def __len__(self) -> int:
        return self.size

    def __iter__(self) -> Iterator[int]:
        order = np.random.default_rng([self.seed, self.epoch]).permutation(self.size)
        yield from (self.epoch * self.size + order).tolist()
