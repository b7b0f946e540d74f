"""A dataset with an audio and a text column: on the Hub, or a folder in the Hub's layout."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath
from typing import Any

import datasets

from khmer_aligned.console import note
from khmer_aligned.errors import UserError
from khmer_aligned.hub.resolve import load, resolve
from khmer_aligned.recordings.columns import (
    LICENCE_COLUMNS,
    SOURCE_COLUMNS,
    SPLIT_NAMES,
    TEXT_COLUMNS,
    speaker_of,
    stated,
    unused,
)
from khmer_aligned.recordings.folder import is_inside
from khmer_aligned.schema import Problem, Recording

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
    ids: set[str] = set()
    for split, rows in splits.items():
        audio_column, text_column = _columns(rows.features, name)
        if names := unused(rows.column_names, (audio_column,)):
            note(f"{name} {split}: columns that are not used: {', '.join(names)}")
        for index, row in enumerate(rows.cast_column(audio_column, datasets.Audio(decode=False))):
            audio = row[audio_column] or {}
            number = f"{split or 'all'}-{index:06d}"
            id = _name(audio.get("path"), root) or number
            id = f"{id}-{number}" if id in ids else id
            ids.add(id)
            recording = Recording(
                id=id,
                recording=id,
                audio=audio.get("bytes"),
                text=row[text_column] or "",
                path=f"{split or 'all'} row {index}",
                speaker=speaker_of(row),
                split=SPLIT_NAMES.get(split),
                licence=stated(row, LICENCE_COLUMNS),
                source=stated(row, SOURCE_COLUMNS),
            )
            yield recording if recording.audio else _with_file(recording, audio.get("path"), root)


def _with_file(recording: Recording, path: str | None, root: Path) -> Recording:
    """A recording whose row names a file, which is read in a local dataset's own folder only.

    Whoever publishes a dataset writes these names, and they may be those of any file here.
    """
    if not path:
        detail = f"{recording.path}: the row holds no audio"
        return replace(recording, problem=Problem.NO_AUDIO, detail=detail)
    file = root / path
    if not root.is_dir() or not is_inside(file, root):
        detail = f"{recording.path}: names a file outside the dataset, which is not read"
        return replace(recording, problem=Problem.OUTSIDE, detail=detail)
    return replace(recording, audio=file)


def _name(path: str | None, root: Path) -> str | None:
    """What a row's recording is called: its audio's place in the dataset, without the ending."""
    if not path:
        return None
    file: PurePath = PureWindowsPath(path) if "\\" in path else PurePosixPath(path)
    if root.is_dir() and is_inside(root / path, root):
        with suppress(ValueError):
            file = PurePosixPath((root / path).resolve().relative_to(root.resolve()))
    if file.is_absolute() or ".." in file.parts or isinstance(file, PureWindowsPath):
        file = PurePosixPath(file.name)  # the rest would tell of the machine it was made on
    return file.with_suffix("").as_posix()


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
