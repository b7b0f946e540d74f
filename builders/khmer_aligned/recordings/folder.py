"""A folder of recordings: its files, what their paths say, and which of them may be read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from khmer_aligned import audio
from khmer_aligned.errors import UserError
from khmer_aligned.recordings.columns import SPLIT_NAMES
from khmer_aligned.schema import Problem
from khmer_aligned.stores import is_remote, list_store


def walk(root: Path) -> Iterator[Path]:
    """The files of a folder and of the folders in it, sorted; no hidden ones.

    A Mac leaves a hidden `._a.wav`, which is no audio, beside each `a.wav` on a foreign disk.
    """
    if is_remote(root):
        for name in list_store(root):
            if not any(part.startswith(".") for part in name.split("/")):
                yield root / name
        return
    for path in sorted(root.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(root).parts)
        if not hidden and path.is_file():
            yield path


class FileNames:
    """Which files a folder has: a store is asked once for all of them, as each question costs."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._listed = set(list_store(root)) if is_remote(root) else None

    def __contains__(self, path: Path) -> bool:
        if self._listed is None:
            return path.is_file()
        return path.relative_to(self._root).as_posix() in self._listed


def is_audio(path: Path) -> bool:
    """Whether the file's name ends as an audio file's."""
    return path.suffix.lower() in audio.SUFFIXES


def name_of(path: Path, root: Path) -> str:
    """What a recording is called: its path in the folder, without its ending."""
    return path.with_suffix("").relative_to(root).as_posix()


def is_inside(path: Path, root: Path) -> bool:
    """Whether the file that `path` names, all links followed, lies in the folder."""
    try:
        return path.resolve().is_relative_to(root.resolve())
    except (OSError, RuntimeError, ValueError):  # links in a circle, a name with a null character
        return False


def check_inside(path: Path, root: Path) -> None:
    """Raises UserError for a link that leads out of the folder."""
    if not is_inside(path, root):
        raise UserError(
            f"{path.relative_to(root)}: is a link that leaves the folder; put the file there",
            category=Problem.OUTSIDE,
        )


def split_of(path: Path, root: Path) -> str | None:
    """The split whose folder the file lies in: `train/a.wav` is in train."""
    parts = path.relative_to(root).parts
    return SPLIT_NAMES.get(parts[0].lower()) if len(parts) > 1 else None


def speakers_by_folder(paths: Iterable[Path], root: Path) -> dict[Path, str]:
    """The speaker of each file where there is a folder for each speaker: the folder's name.

    There is, where every file lies in a folder, below those of splits, and they are two or more.
    """
    folder_of: dict[Path, str] = {}
    for path in paths:
        parts = path.relative_to(root).parts[:-1]
        if parts and parts[0].lower() in SPLIT_NAMES:
            parts = parts[1:]
        if not parts:
            return {}
        folder_of[path] = parts[0]
    return folder_of if len(set(folder_of.values())) > 1 else {}
