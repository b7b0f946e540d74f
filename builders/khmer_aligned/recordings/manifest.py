"""A folder with a table of its recordings: metadata.csv, metadata.tsv or metadata.jsonl.

Columns: file_name; transcription, sentence or text, or a file with it in text_file; optional
speaker (speaker_id, client_id), split, start, end, licence and source. A text_file that several
rows name is a text of which each recording speaks a passage, which is found later. A table in the
folder itself stands for all of it, else each folder below may have one of its own, as in
`train/metadata.csv`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from khmer_aligned.console import note
from khmer_aligned.errors import UserError
from khmer_aligned.recordings import folder
from khmer_aligned.recordings.columns import (
    FILE_COLUMNS,
    LICENCE_COLUMNS,
    SOURCE_COLUMNS,
    SPLIT_NAMES,
    TEXT_COLUMNS,
    TEXT_FILE_COLUMNS,
    speaker_of,
    stated,
    unused,
)
from khmer_aligned.recordings.tables import OVERFLOW, Row, read_rows
from khmer_aligned.recordings.transcripts import PARSERS, read_transcript
from khmer_aligned.schema import SPLITS, Problem, Recording
from khmer_aligned.stores import as_path

MANIFESTS = ("metadata.csv", "metadata.tsv", "metadata.jsonl")
ENDINGS = (*MANIFESTS, *PARSERS)  # of the files that it reads beside audio

_LONGEST = 1e7  # seconds; no recording is longer


def find(root: Path) -> bool:
    """Whether the folder, or a folder in it, holds a manifest."""
    return bool(_manifests(root))


def read(name: str) -> Iterator[Recording]:
    """A recording for each row of the manifests, then each audio file that no row names."""
    root = as_path(name)
    columns: set[str] = set()
    named: set[Path] = set()
    listing = folder.FileNames(root)
    for manifest in _manifests(root):
        folder.check_inside(manifest, root)
        rows = list(read_rows(manifest))
        stated_files = (stated(row, TEXT_FILE_COLUMNS) for _, row in rows)
        files = Counter(file for file in stated_files if file)
        table = _Table(root, manifest, files, listing)
        for number, row in rows:
            columns.update(str(column) for column in row if column != OVERFLOW)
            recording = table.recording(number, row)
            if recording.audio is not None and not isinstance(recording.audio, bytes):
                named.add(recording.audio)
            yield recording
        for name, count in files.items():
            if count > 1:
                note(f"{name}: which passage each of {count} rows speaks is found in their audio")
    if names := unused(columns, (*FILE_COLUMNS, *TEXT_FILE_COLUMNS, "split", "start", "end")):
        note(f"{name}: columns that are not used: {', '.join(names)}")
    for path in folder.walk(root):
        if folder.is_audio(path) and path not in named:
            id = folder.name_of(path, root)
            where = path.relative_to(root).as_posix()
            yield Recording(id, id, None, "", where, problem=Problem.UNNAMED)


def _manifests(root: Path) -> list[Path]:
    """The manifest of the folder itself, else those of the folders in it."""
    for name in MANIFESTS:
        if (root / name).is_file():
            return [root / name]
    first_of: dict[Path, Path] = {}
    for name in MANIFESTS:
        for path in sorted(root.rglob(name)):
            first_of.setdefault(path.parent, path)
    return sorted(first_of.values())


@dataclass(frozen=True)
class _Table:
    """One manifest, whose rows name files in its own folder.

    text_files: how many rows name each file of a text; listing: the files of `root`
    """

    root: Path
    path: Path
    text_files: Counter[str]
    listing: folder.FileNames

    def recording(self, number: int, row: Row) -> Recording:
        """The recording of the row at a line; what is wrong with the row is its problem."""
        where = f"{self.path.relative_to(self.root).as_posix()} line {number}"
        text = next((row[column] for column in TEXT_COLUMNS if row.get(column) is not None), "")
        recording = Recording(where, where, None, _whole(str(text)), where)
        try:
            recording = self._with_audio(recording, row)
            recording = replace(
                recording,
                licence=stated(row, LICENCE_COLUMNS),
                source=stated(row, SOURCE_COLUMNS),
            )
            if speaker := speaker_of(row):
                recording = replace(recording, speaker=_string(speaker, "speaker"))
            if name := stated(row, TEXT_FILE_COLUMNS):
                recording = self._with_text_file(recording, name)
            _check_text(row, recording)
            return _with_stretch(recording, row)
        except UserError as error:
            problem = Problem(error.category)
            return replace(recording, problem=problem, detail=str(error))

    def _with_audio(self, recording: Recording, row: Row) -> Recording:
        file_name = next((row[column] for column in FILE_COLUMNS if row.get(column)), None)
        if file_name is None:
            raise _bad_row(f"no file name (column {' or '.join(FILE_COLUMNS)})")
        path = self._path(str(file_name), "name of the audio file")
        if path not in self.listing:
            raise UserError(f"{path.name}: no such audio file", category=Problem.NO_AUDIO)
        id = folder.name_of(path, self.root)
        return replace(
            recording,
            id=id,
            recording=id,
            audio=path,
            path=f"{path.relative_to(self.root).as_posix()} ({recording.path})",
            split=folder.split_of(self.path, self.root),
        )

    def _with_text_file(self, recording: Recording, name: str) -> Recording:
        """A recording whose text is in a file: all of it, or a passage where other rows name it."""
        path = self._path(name, "name of the text's file")
        if self.text_files[name] > 1 and path in self.listing:
            return replace(recording, text_file=path)
        transcript = read_transcript(path)
        return replace(recording, text=transcript.text, cues=transcript.cues)

    def _path(self, name: str, what: str) -> Path:
        """The file that a row names by a path in its folder: `..`, links and absolute names are
        followed, so that the file is called by its place in the folder."""
        try:
            path = self.path.parent / _string(name, what)
            is_inside = folder.is_inside(path, self.root)
        except ValueError:  # in a store, the URL of a file elsewhere
            is_inside = False
        if not is_inside:
            # Without the name: what lies elsewhere on this machine is not published.
            message = f"the {what} leaves the folder; put the file there"
            raise UserError(message, category=Problem.OUTSIDE)
        try:
            inside = self.root / path.resolve().relative_to(self.root.resolve())
            _ = inside in self.listing  # a name that is too long, or holds a null character
            return inside
        except (OSError, ValueError) as error:
            raise _bad_row("no file can have this name") from error


def _check_text(row: Row, recording: Recording) -> None:
    if row.get(OVERFLOW):
        raise _bad_row("more fields than the header; put quotes around a text with separators")
    if recording.text_file or stated(row, TEXT_FILE_COLUMNS):
        return
    text = next((row[column] for column in TEXT_COLUMNS if row.get(column) is not None), None)
    if text is None:
        message = f"no text (column {', '.join(TEXT_COLUMNS)})"
        raise UserError(message, category=Problem.NO_TRANSCRIPT)
    if isinstance(text, (dict, list)):
        raise _bad_row(f"the text is a {type(text).__name__}")
    _string(str(text), "text")


def _with_stretch(recording: Recording, row: Row) -> Recording:
    """`recording` with the row's split and stretch."""
    split = str(row.get("split") or "")
    if split and split not in SPLIT_NAMES:
        raise _bad_row(f"split {_whole(split)} is none of {', '.join(SPLITS)}")
    if split:
        recording = replace(recording, split=SPLIT_NAMES[split])
    start, end = _seconds(row, "start"), _seconds(row, "end")
    if start is None and end is None:
        return recording
    if not 0 <= (start or 0) < (end if end is not None else _LONGEST):
        raise _bad_row(f"the stretch from {start} s to {end} s is empty or negative")
    last = "end" if end is None else f"{end:.3f}"
    id = f"{recording.recording}-{start or 0:.3f}-{last}"
    return replace(recording, id=id, start=start, end=end)


def _seconds(row: Row, column: str) -> float | None:
    value: Any = row.get(column)
    if value in (None, ""):
        return None
    try:
        seconds = float(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise _bad_row(f"the {column} is no number of seconds") from error
    if not math.isfinite(seconds) or seconds > _LONGEST:
        raise _bad_row(f"the {column} is no time in a recording")
    return seconds


def _string(text: str, what: str) -> str:
    if _whole(text) != text:
        raise _bad_row(f"the {what} holds half of a character (a lone surrogate)")
    return text


def _whole(text: str) -> str:
    """`text` with a replacement character for each lone surrogate, which UTF-8 cannot hold."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _bad_row(message: str) -> UserError:
    return UserError(message, category=Problem.BAD_ROW)
