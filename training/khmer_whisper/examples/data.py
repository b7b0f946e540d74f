"""A dataset's name to its splits, pinned to a revision and with the columns of a clip."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from datasets import Audio, Dataset, Features, IterableDataset, Value, concatenate_datasets

from khmer_aligned.errors import UserError
from khmer_aligned.hub.resolve import Source, resolve
from khmer_aligned.hub.resolve import load as load_source
from khmer_aligned.schema import CLIP_FEATURES
from khmer_aligned.text import normalize, verbalize
from khmer_whisper.config import LANGUAGE
from khmer_whisper.examples.rows import Row, Rows, measure

TRANSCRIPTS = ("text", "sentence", "transcription")  # column names in other datasets
STRINGS = (Value("string"), Value("large_string"))
LARGE_COLUMNS = ("audio", "words")
BATCH = 1_000  # rows of which small columns are read at a time


@dataclass(frozen=True, slots=True)
class Splits:
    """A dataset pinned to a revision; any split may be missing.

    `figures` holds the splits of a stream once more without LARGE_COLUMNS: of a parquet file
    single columns can be fetched without the others.
    """

    source: Source
    splits: dict[str, Rows]
    figures: dict[str, IterableDataset] | None = None

    def get(self, name: str) -> Rows | None:
        """The split's rows, or None; audio stays encoded."""
        return self.splits.get(name)

    def columns(self, split: str, names: list[str]) -> Iterator[dict[str, list]]:
        """Small columns of a split, in batches of rows; no audio is read."""
        rows = self.figures[split] if self.figures else self.splits[split]
        return rows.select_columns(names).iter(BATCH)

    def recordings(self, split: str) -> set[str]:
        """The names of the recordings that the clips of a split come from."""
        return {name for part in self.columns(split, ["recording"]) for name in part["recording"]}


def load(
    name: str, *, streaming: bool = False, language: str | None = None, only_train: bool = False
) -> Splits:
    """Load the dataset at a Hub id (with @revision) or in a folder.

    With `streaming` nothing of it is put on disk. With `language` the dataset need not have been
    built by khmer-aligned: audio and a transcript in that language suffice. With `only_train` the
    other splits are not read.

    Raises UserError when it cannot be loaded or a column is missing.
    """
    source = resolve(name, "dataset")
    loaded = load_source(source, name, streaming=streaming)
    if only_train and "train" in loaded:
        loaded = {"train": loaded["train"]}
    splits = {
        str(split): _with_clip_columns(name, str(split), rows, language, streaming)
        for split, rows in loaded.items()
    }
    if not streaming:
        return Splits(source, splits)
    small = [column for column in CLIP_FEATURES if column not in LARGE_COLUMNS]
    return Splits(source, splits, load_source(source, name, streaming=True, columns=small))


def _with_clip_columns(
    name: str, split: str, rows: Rows, language: str | None, streaming: bool
) -> Rows:
    names = rows.column_names or []  # unknown for a stream that is not parquet
    if "audio" in names and _holds_audio(rows):
        rows = rows.cast_column("audio", Audio(decode=False))
    missing = [column for column in CLIP_FEATURES if column not in names]
    if missing and language and not streaming:
        return _complete(name, rows, language)
    if missing:
        raise UserError(
            f"{name}: the {split} split has no column {', '.join(missing)}; build a dataset "
            "with `khmer-aligned build` first"
        )
    return rows


def _holds_audio(rows: Rows) -> bool:
    """Whether the column `audio` holds encoded bytes and paths, as type Audio or as a struct."""
    column = rows.features["audio"] if rows.features else None
    return (
        column is None
        or isinstance(column, Audio)
        or (isinstance(column, dict) and {"bytes", "path"} <= set(column))
    )


def _complete(name: str, rows: Dataset, language: str) -> Dataset:
    """Give rows of any speech dataset the columns of a clip; each becomes its own recording.

    The added columns lie in the cache of `datasets`: the audio is measured once.
    """
    columns = [column for column in TRANSCRIPTS if rows.features.get(column) in STRINGS]
    if not isinstance(rows.features.get("audio"), Audio) or not columns:
        raise UserError(
            f"{name}: has no column audio of sounds, or none of strings named "
            f"{', '.join(TRANSCRIPTS)}"
        )
    rows = rows.select_columns(["audio", columns[0]]).rename_columns({columns[0]: "transcript"})
    added = rows.map(
        partial(_clip_columns, prefix=name.rpartition("/")[2], khmer=language == LANGUAGE),
        with_indices=True,
        remove_columns=["audio", "transcript"],
        features=Features({k: v for k, v in CLIP_FEATURES.items() if k != "audio"}),
        desc=f"measuring {name}",
    )
    return concatenate_datasets([rows.select_columns("audio"), added], axis=1)


def _clip_columns(row: Row, number: int, *, prefix: str, khmer: bool) -> Row:
    """The columns of a clip for a row of `audio` and `transcript`, without the audio."""
    clip, text = f"{prefix}-{number:05}", row["transcript"]
    if khmer and text is not None:
        text = normalize(text)
    seconds = measure(row["audio"], clip)
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
