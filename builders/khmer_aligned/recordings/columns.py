"""Names of columns and splits that manifests and datasets use."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from khmer_aligned.schema import SPLITS

# Of each, the first that is there.
FILE_COLUMNS = ("file_name", "path")
TEXT_COLUMNS = ("transcription", "sentence", "text")
TEXT_FILE_COLUMNS = ("text_file", "transcript_file", "text_path", "transcript_path")
SPEAKER_COLUMNS = ("speaker", "speaker_id", "client_id")
LICENCE_COLUMNS = ("licence", "license")
SOURCE_COLUMNS = ("source",)
SPLIT_NAMES = {name: name for name in SPLITS} | {
    "dev": "validation",
    "valid": "validation",
    "val": "validation",
    "eval": "test",
}


def speaker_of(row: Mapping[str, Any]) -> str | None:
    """The speaker that a row names, if it names one."""
    return stated(row, SPEAKER_COLUMNS)


def stated(row: Mapping[str, Any], columns: Sequence[str]) -> str | None:
    """What the first of these columns that is filled says."""
    values = (row.get(column) for column in columns)
    return next((str(value) for value in values if value not in (None, "")), None)


def unused(columns: Iterable[str], used: Iterable[str]) -> list[str]:
    """The columns that nothing is read from, to be named on the screen."""
    known = (*TEXT_COLUMNS, *SPEAKER_COLUMNS, *LICENCE_COLUMNS, *SOURCE_COLUMNS)
    return sorted(set(columns) - {*used, *known})
