"""Names of columns and splits that manifests and datasets use."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from khmer_aligned.schema import SPLITS

# Of each, the first that is there.
FILE_COLUMNS = ("file_name", "path")
TEXT_COLUMNS = ("transcription", "sentence", "text")
SPEAKER_COLUMNS = ("speaker", "speaker_id", "client_id")
SPLIT_NAMES = {name: name for name in SPLITS} | {
    "dev": "validation",
    "valid": "validation",
    "val": "validation",
    "eval": "test",
}


def speaker_of(row: Mapping[str, Any]) -> str | None:
    """The speaker that a row names, if it names one."""
    names = (row.get(column) for column in SPEAKER_COLUMNS)
    return next((str(name) for name in names if name not in (None, "")), None)


def unused(columns: Iterable[str], used: Iterable[str]) -> list[str]:
    """The columns that nothing is read from, to be named on the screen."""
    return sorted(set(columns) - {*used, *TEXT_COLUMNS, *SPEAKER_COLUMNS})
