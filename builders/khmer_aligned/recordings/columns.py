"""Names of columns and splits that manifests and datasets use."""

from __future__ import annotations

from khmer_aligned.schema import SPLITS

TEXT_COLUMNS = ("transcription", "sentence", "text")  # the first of these that is there
SPLIT_NAMES = {name: name for name in SPLITS} | {"dev": "validation", "valid": "validation"}
