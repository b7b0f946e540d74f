"""Names of columns and splits that manifests and datasets use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from khmer_aligned.schema import SPLITS

TEXT_COLUMNS = ("transcription", "sentence", "text")  # the first of these that is there
SPLIT_NAMES = {name: name for name in SPLITS} | {"dev": "validation", "valid": "validation"}


def stated_rights(row: Mapping[str, Any]) -> dict[str, str | None]:
    """The fields `licence` and `source` of a recording from a row's columns of these names."""
    columns = {"licence": ("licence", "license"), "source": ("source",)}
    return {
        field: next((str(row[name]) for name in names if row.get(name)), None)
        for field, names in columns.items()
    }
