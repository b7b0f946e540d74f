"""A dataset with an audio and a text column: on the Hub, or a folder in the Hub's layout."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import datasets

from khmer_aligned.errors import UserError
from khmer_aligned.hub.resolve import load, resolve
from khmer_aligned.recordings.columns import (
    LICENCE_COLUMNS,
    SOURCE_COLUMNS,
    SPLIT_NAMES,
    TEXT_COLUMNS,
    stated,
)
from khmer_aligned.schema import Recording

ENDINGS = (".parquet", ".arrow")  # of the files that it reads beside audio


def find(root: Path) -> bool:
    """Whether the folder, or a folder in it, holds a file of a dataset."""
    return any(any(root.rglob(f"*{ending}")) for ending in ENDINGS)


def read(name: str) -> Iterator[Recording]:
    """A recording for each row of each split; `name` is a Hub id or a folder.

    Raises UserError where it cannot be loaded or lacks one of the columns.
    """
    root = Path(name)
    if (root / "dataset_dict.json").is_file() or (root / "state.json").is_file():
        loaded = datasets.load_from_disk(name)
    else:
        loaded = load(resolve(name, "dataset"), name)
    splits = loaded if isinstance(loaded, Mapping) else {"": loaded}
    for split, rows in splits.items():
        audio_column, text_column = _columns(rows.features, name)
        for index, row in enumerate(rows.cast_column(audio_column, datasets.Audio(decode=False))):
            audio = row[audio_column] or {}
            path = audio.get("path")
            stem = Path(path or f"{split or 'all'}-{index:06d}").stem
            content = audio.get("bytes")
            if content is None and path:
                content = Path(path)
            yield Recording(
                id=stem,
                recording=stem,
                audio=content,
                text=row[text_column] or "",
                path=f"{name} {split} row {index}",
                speaker=str(row["speaker"]) if row.get("speaker") else None,
                split=SPLIT_NAMES.get(split),
                problem=None if content else "the row holds no audio",
                licence=stated(row, LICENCE_COLUMNS),
                source=stated(row, SOURCE_COLUMNS),
            )


def _columns(features: Mapping[str, Any], name: str) -> tuple[str, str]:
    """The first audio column and the first of TEXT_COLUMNS."""
    audio = next((c for c, kind in features.items() if isinstance(kind, datasets.Audio)), None)
    text = next((c for c in TEXT_COLUMNS if c in features), None)
    if audio is None or text is None:
        raise UserError(
            f"{name}: needs an audio column and one of {', '.join(TEXT_COLUMNS)}; "
            f"it has {', '.join(features)}"
        )
    return audio, text
