"""Names of columns and splits that manifests and datasets use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from khmer_aligned.schema import SPLITS

TEXT_COLUMNS = ("transcription", "sentence", "text")  # the first of these that is there
SPLIT_NAMES = {name: name for name in SPLITS} | {"dev": "validation", "valid": "validation"}

LICENCE_COLUMNS = ("licence", "license")
SOURCE_COLUMNS = ("source",)


def stated(row: Mapping[str, Any], columns: Sequence[str]) -> str | None:
    """What the first of these columns that is filled says."""
    return next((str(row[column]) for column in columns if row.get(column)), None)
