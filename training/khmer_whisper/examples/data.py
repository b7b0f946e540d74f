"""Datasets by name: their splits at a pinned revision, and which of their clips a model can use."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from datasets import Audio, Dataset, Features, IterableDataset, Value, concatenate_datasets
from tqdm import tqdm

from khmer_aligned import audio
from khmer_aligned.errors import UserError
from khmer_aligned.hub.resolve import Source, resolve
from khmer_aligned.hub.resolve import load as load_source
from khmer_aligned.schema import CLIP_FEATURES, SAMPLE_RATE
from khmer_aligned.text import normalize, verbalize
from khmer_whisper.config import LANGUAGE
from khmer_whisper.model import Whisper

Rows = Dataset | IterableDataset
TEXTS = ("text", "sentence", "transcription")  # what other datasets call it
STRINGS = (Value("string"), Value("large_string"))
TOLERANCE = 0.1  # seconds; an MP3 tells its length before its padding is taken off
BATCH = 1_000  # rows whose figures are read at a time


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A clip that this model cannot learn from, whole; it is listed and never cut."""

    id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Fitting:
    """The rows of a split that fit a model, and the clips that do not.

    `seconds` (n,) float32 are the durations of the rows.
    """

    rows: Rows
    left_out: list[LeftOut]
    seconds: np.ndarray

    def __len__(self) -> int:
        return len(self.seconds)


@dataclass(frozen=True, slots=True)
class Splits:
    """A dataset pinned to a revision; each split may be missing.

    `figures` are the splits of a stream once more, without what makes them large: a parquet file
    gives single columns without the others being fetched.
    """

    source: Source
    splits: dict[str, Rows]
    figures: dict[str, IterableDataset] | None = None

    def get(self, name: str) -> Rows | None:
        """The split's rows, or None; audio stays encoded."""
        return self.splits.get(name)

    def columns(self, split: str, names: list[str]) -> Iterator[dict[str, list]]:
        """Small columns of a split, some rows at a time; no audio is read."""
        rows = self.figures[split] if self.figures else self.splits[split]
        return rows.select_columns(names).iter(BATCH)


def load(name: str, *, streaming: bool = False, language: str | None = None) -> Splits:
    """The dataset at a Hub id (with @revision) or in a folder, with the columns of a clip.

    With `streaming` nothing of it is put on disk. With `language` it need not have been built by
    khmer-aligned: audio and a text in that language will do.

    Raises UserError when it cannot be loaded or a column is missing.
    """
    source = resolve(name, "dataset")
    loaded = load_source(source, name, streaming=streaming)
    if language and "train" in loaded:  # what is mixed in is learned from, never scored on
        loaded = {"train": loaded["train"]}
    splits = {}
    for split, rows in loaded.items():
        names = rows.column_names or []  # of a stream that is not parquet they are not known
        if "audio" in names and _holds_sounds(rows):
            rows = rows.cast_column("audio", Audio(decode=False))
        missing = [column for column in CLIP_FEATURES if column not in names]
        if missing and language and not streaming:
            rows = _completed(name, rows, language)
        elif missing:
            raise UserError(
                f"{name}: the {split} split has no column {', '.join(missing)}; build a dataset "
                "with `khmer-aligned build` first"
            )
        splits[str(split)] = rows
    small = [column for column in CLIP_FEATURES if column not in ("audio", "words")]
    return Splits(
        source,
        splits,
        load_source(source, name, streaming=True, columns=small) if streaming else None,
    )


def _holds_sounds(rows: Rows) -> bool:
    """Whether the column `audio` is one: encoded bytes and paths, by that name or not."""
    column = rows.features["audio"] if rows.features else None
    return (
        column is None
        or isinstance(column, Audio)
        or (isinstance(column, dict) and {"bytes", "path"} <= set(column))
    )


def _completed(name: str, rows: Dataset, language: str) -> Dataset:
    """Rows of any speech dataset with the columns of a clip, each a recording of its own.

    What is added lies in the cache of `datasets`, so that the audio is measured once.
    """
    told = [column for column in TEXTS if rows.features.get(column) in STRINGS]
    if not isinstance(rows.features.get("audio"), Audio) or not told:
        raise UserError(
            f"{name}: has no column audio of sounds, or none of strings named {', '.join(TEXTS)}"
        )
    rows = rows.select_columns(["audio", told[0]]).rename_columns({told[0]: "told"})
    added = rows.map(
        partial(_clip, prefix=name.rpartition("/")[2], khmer=language == LANGUAGE),
        with_indices=True,
        remove_columns=["audio", "told"],
        features=Features({k: v for k, v in CLIP_FEATURES.items() if k != "audio"}),
        desc=f"measuring {name}",
    )
    return concatenate_datasets([rows.select_columns("audio"), added], axis=1)


def _clip(row: dict[str, Any], number: int, *, prefix: str, khmer: bool) -> dict[str, Any]:
    """The columns of a clip that a row of audio and text does not have."""
    clip, text = f"{prefix}-{number:05}", row["told"]
    if khmer and text is not None:
        text = normalize(text)
    seconds = _seconds(row["audio"], clip)
    return {
        "id": clip,
        "text": text,
        "spoken": verbalize(text) if khmer and text is not None else text,
        "words": [],
        "duration": seconds,
        "score": 1.0,
        "recording": clip,
        "speaker": None,
        "start": 0.0,
        "end": seconds,
    }


def _encoded(sound: dict[str, Any] | None, clip: str) -> bytes | Path:
    if sound is None or (sound["bytes"] is None and sound["path"] is None):
        raise UserError(f"clip {clip}: has no audio; leave it out of its dataset")
    return sound["bytes"] if sound["bytes"] is not None else Path(sound["path"])


def _seconds(sound: dict[str, Any], clip: str) -> float:
    encoded = _encoded(sound, clip)
    try:
        file = io.BytesIO(encoded) if isinstance(encoded, bytes) else encoded
        return soundfile.info(file).duration
    except (soundfile.LibsndfileError, OSError):
        return len(audio.load(encoded, name=f"clip {clip}")) / SAMPLE_RATE


def waveform(row: dict[str, Any]) -> np.ndarray:
    """A row's samples (n,), mono float32 at 16 kHz.

    Raises UserError when they cannot be read, or are not as long as the row says: a file that was
    cut off would teach a Whisper to make words up.
    """
    clip = row["id"]
    samples = audio.load(_encoded(row["audio"], clip), name=f"clip {clip}")
    seconds = len(samples) / SAMPLE_RATE
    if abs(seconds - row["duration"]) > TOLERANCE:
        raise UserError(
            f"clip {clip}: holds {seconds:.2f} s of audio where its row says "
            f"{row['duration']:.2f} s; build its dataset anew, or leave it out"
        )
    return samples


def fitting(splits: Splits, split: str, whisper: Whisper, text: str | None) -> Fitting:
    """The rows of `split` that fit the model's window and its decoder, and those that do not.

    `text` is the column to be learned; None where nothing is, and only the window counts, and that
    there is a text to score against. No audio is decoded for it.
    """
    kept: list[int] = []
    seconds: list[float] = []
    left_out: list[LeftOut] = []
    index = 0
    columns = ["id", "duration", text or "text"]
    with tqdm(desc="measuring clips", unit="clip", delay=2) as progress:
        for part in splits.columns(split, columns):
            clips, durations, told = (part[column] for column in columns)
            tokens = [0] * len(clips)
            if text:  # the end token is not read by the decoder
                tokens = [len(i) - 1 for i in whisper.tokenizer([t or "" for t in told]).input_ids]
            for clip, duration, said, count in zip(clips, durations, told, tokens, strict=True):
                # Learned, an empty text makes a Whisper that leaves speech out.
                if said is None or (text and not any(map(str.isalnum, said))):
                    reason = "no text"
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
            progress.update(len(part["id"]))
    rows = splits.splits[split]
    if left_out and isinstance(rows, Dataset):
        rows = rows.select(kept)
    elif left_out:
        names = {clip.id for clip in left_out}
        rows = rows.filter(lambda clip: clip not in names, input_columns=["id"])
    return Fitting(rows, left_out, np.array(seconds, np.float32))


def _too_long(seconds: float, tokens: int, whisper: Whisper) -> str | None:
    # Resampled, a part of a sample becomes a whole one; the column's float32 is not that exact.
    if math.ceil(seconds * SAMPLE_RATE - 0.1) > whisper.extractor.n_samples:
        return f"{seconds:.2f} s of audio, over the model's {whisper.seconds:g} s"
    if tokens > whisper.max_tokens:
        return f"{tokens} label tokens, over the model's {whisper.max_tokens}"
    return None
