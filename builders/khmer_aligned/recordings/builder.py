"""Recordings as a `datasets.Dataset`, by a builder that runs in process.

Loading scripts are gone from `datasets`, so the builder lives in this importable module:
`Recordings(cache_dir=..., source="my_recordings/").download_and_prepare()`, then `.as_dataset()`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
from datasets.builder import Key
from datasets.exceptions import DatasetGenerationError

from khmer_aligned.errors import UserError
from khmer_aligned.recordings import sources
from khmer_aligned.schema import RECORDING_FEATURES, Recording

_TABLE_ROWS, _TABLE_BYTES = 1_000, 64_000_000  # of what is in memory at once


@dataclass
class RecordingsConfig(datasets.BuilderConfig):
    """The fields of a `sources.Corpus`."""

    source: str = ""
    kind: str = ""
    content: str = ""
    corrections: str = ""


class Recordings(datasets.ArrowBasedBuilder):
    """Yields one row of `RECORDING_FEATURES` per recording, the audio still in its container."""

    BUILDER_CONFIG_CLASS = RecordingsConfig
    VERSION = datasets.Version("1.0.0")

    def __init__(
        self, *args: Any, source: str, corpus: sources.Corpus | None = None, **options: Any
    ) -> None:
        """`corpus` is what `sources.find(source)` gave, where that was called already."""
        corpus = self._corpus = corpus or sources.find(source)
        # The cache's key is made of these values and never of the files: without the hash it
        # would serve yesterday's rows of recordings that were changed today.
        super().__init__(
            *args,
            source=corpus.name,
            kind=corpus.kind,
            content=corpus.content,
            corrections=corpus.corrections,
            **options,
        )

    def _info(self) -> datasets.DatasetInfo:
        return datasets.DatasetInfo(features=RECORDING_FEATURES)

    def _split_generators(self, dl_manager: Any) -> list[datasets.SplitGenerator]:
        return [datasets.SplitGenerator("recordings")]

    def _generate_tables(self) -> Iterator[tuple[Key, pa.Table]]:
        """Tables of a few recordings each: a row at a time would cost six times as much."""
        schema = RECORDING_FEATURES.arrow_schema
        rows: list[dict[str, Any]] = []
        number = size = 0
        for recording in sources.read(self._corpus):
            rows.append(_row(recording))
            size += len(recording.audio) if isinstance(recording.audio, bytes) else 0
            if len(rows) == _TABLE_ROWS or size >= _TABLE_BYTES:
                yield Key(0, number), pa.Table.from_pylist(rows, schema=schema)
                rows, number, size = [], number + 1, 0
        yield Key(0, number), pa.Table.from_pylist(rows, schema=schema)


def _row(recording: Recording) -> dict[str, Any]:
    """A row of `RECORDING_FEATURES`."""
    row: dict[str, Any] = {name: getattr(recording, name) for name in RECORDING_FEATURES}
    audio = recording.audio
    if isinstance(audio, bytes):
        row["audio"] = {"bytes": audio, "path": None}
    else:
        row["audio"] = {"bytes": None, "path": None if audio is None else str(audio)}
    row["cues"] = [asdict(cue) for cue in recording.cues]
    row["corrections"] = [asdict(item) for item in recording.corrections]
    row["stale"] = list(recording.stale)
    row["text_file"] = None if recording.text_file is None else str(recording.text_file)
    return row


def read_recordings(corpus: sources.Corpus, folder: Path) -> datasets.Dataset:
    """The rows of RECORDING_FEATURES of a corpus, which `folder` keeps."""
    builder = Recordings(cache_dir=str(folder), source=corpus.name, corpus=corpus)
    try:
        builder.download_and_prepare()
    except DatasetGenerationError as error:
        cause = error.__cause__
        if isinstance(cause, UserError) or (isinstance(cause, OSError) and cause.errno):
            raise cause from None
        raise
    except OSError as error:
        if error.errno:
            raise
        raise UserError(f"{corpus.name}: {error}") from error  # a disk that `datasets` finds full
    recordings = open_recordings(folder)
    if len(recordings) == 0:
        raise UserError(f"{corpus.name}: holds no recording")
    return recordings


def open_recordings(folder: Path) -> datasets.Dataset:
    """The recordings that `read_recordings` kept in a folder, mapped from disk."""
    paths = sorted(folder.rglob("*.arrow"))
    return datasets.concatenate_datasets([datasets.Dataset.from_file(str(path)) for path in paths])
