"""A folder with a table of its recordings: metadata.csv, metadata.tsv or metadata.jsonl.

Columns: file_name; transcription, sentence or text; optional speaker, split, start, end, licence
and source.
"""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from khmer_aligned.errors import UserError
from khmer_aligned.recordings.columns import (
    LICENCE_COLUMNS,
    SOURCE_COLUMNS,
    SPLIT_NAMES,
    TEXT_COLUMNS,
    stated,
)
from khmer_aligned.recordings.transcripts import read_transcript
from khmer_aligned.schema import SPLITS, Recording

MANIFESTS = ("metadata.csv", "metadata.tsv", "metadata.jsonl")
ENDINGS = MANIFESTS  # of the files that it reads beside audio

_FILE_COLUMNS = ("file_name", "path")
_LONGEST_FIELD = 1 << 30  # characters; the transcript of an hour is one field

Row = Mapping[str, Any]


def find(root: Path) -> bool:
    """Whether the folder itself holds a manifest."""
    return any((root / name).is_file() for name in MANIFESTS)


def read(name: str) -> Iterator[Recording]:
    """A recording for each row of the folder's manifest."""
    root = Path(name)
    manifest = next(root / name for name in MANIFESTS if (root / name).is_file())
    for number, row in enumerate(_rows(manifest), start=1):
        yield _recording(root, row, f"{manifest.name} row {number}")


def _rows(manifest: Path) -> Iterator[Row]:
    text = read_transcript(manifest).removeprefix("\ufeff")
    if manifest.suffix != ".jsonl":
        csv.field_size_limit(_LONGEST_FIELD)
        delimiter = "\t" if manifest.suffix == ".tsv" else ","
        yield from csv.DictReader(text.splitlines(keepends=True), delimiter=delimiter)
        return
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            try:
                row = json.loads(line)
            except json.JSONDecodeError as error:
                raise UserError(f"{manifest}: line {number} is not JSON ({error})") from error
            yield row if isinstance(row, dict) else {}


def _recording(root: Path, row: Row, where: str) -> Recording:
    file_name = next((row[column] for column in _FILE_COLUMNS if row.get(column)), None)
    text = next((row[column] for column in TEXT_COLUMNS if row.get(column) is not None), None)
    if file_name is None:
        problem = f"no file name (column {' or '.join(_FILE_COLUMNS)})"
        return Recording(where, where, None, str(text or ""), where, problem=problem)
    path = root / str(file_name)
    recording = Recording(
        id=path.stem,
        recording=path.stem,
        audio=path,
        text=str(text or ""),
        path=f"{file_name} ({where})",
        speaker=str(row["speaker"]) if row.get("speaker") else None,
        licence=stated(row, LICENCE_COLUMNS),
        source=stated(row, SOURCE_COLUMNS),
    )
    if text is None:
        return replace(recording, problem=f"no text (column {', '.join(TEXT_COLUMNS)})")
    if not Path(os.path.normpath(path)).is_relative_to(os.path.normpath(root)):
        return replace(recording, audio=None, problem="the name leaves the folder")
    if not path.is_file():
        return replace(recording, audio=None, problem="no such audio file")
    try:
        return _with_stretch(recording, row)
    except ValueError as error:
        return replace(recording, problem=str(error))


def _with_stretch(recording: Recording, row: Row) -> Recording:
    """`recording` with the row's split and stretch; ValueError says what is wrong with them."""
    split = str(row.get("split") or "")
    if split and split not in SPLIT_NAMES:
        raise ValueError(f"split {split} is none of {', '.join(SPLITS)}")
    recording = replace(recording, split=SPLIT_NAMES.get(split))
    start, end = _seconds(row, "start"), _seconds(row, "end")
    if start is None and end is None:
        return recording
    if not 0 <= (start or 0) < (end if end is not None else float("inf")):
        raise ValueError(f"the stretch from {start} s to {end} s is empty or negative")
    last = "end" if end is None else f"{end:.3f}"
    id = f"{recording.recording}-{start or 0:.3f}-{last}"
    return replace(recording, id=id, start=start, end=end)


def _seconds(row: Row, column: str) -> float | None:
    return None if row.get(column) in (None, "") else float(row[column])
