"""Which files of a folder are published, and whether they make a whole dataset or model."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable
from fnmatch import fnmatch
from pathlib import Path
from typing import Literal

from khmer_aligned.errors import UserError

RepoType = Literal["dataset", "model", "space"]

# What a loader picks up by its name. A publish deletes those that the folder no longer holds, so
# that nobody loads two builds mixed; whatever else was put into the repository by hand stays.
MANAGED = {
    "dataset": re.compile(r"data/.+"),
    "model": re.compile(r"(model|pytorch_model)[^/]*\.(safetensors|bin)(\.index\.json)?"),
    "space": re.compile(r"index\.html"),
}
REQUIRED = {
    "dataset": ("README.md", "data/*.parquet"),
    "model": ("README.md", "config.json", "*.safetensors"),
    "space": ("README.md", "index.html"),
}
# Files of work in progress start with a dot or lie in one of these folders, and stay at home.
PUBLISHED_DOT_NAMES = {".gitattributes", ".eval_results"}
# TensorBoard's files, in `runs`, bear this machine's name.
UNPUBLISHED_FOLDERS = {"checkpoints", "runs", "__pycache__"}
# A page with the audio of rejections, which are not published.
UNPUBLISHED_FILES = {"report.html"}
# Loading one of these runs whatever code its author put inside.
PICKLES = (
    "*.pt",
    "*.pth",
    "*.pkl",
    "*.pickle",
    "*.ckpt",
    "training_args.bin",
    "pytorch_model*.bin",
)

_SHARD = re.compile(r"(?P<stem>.+)-(?P<index>\d{5})-of-(?P<count>\d{5})(?P<ending>\.\w+)")


def published_files(folder: Path) -> dict[str, Path]:
    """The files of a folder by their names in the repository, sorted."""
    files: dict[str, Path] = {}
    for parent, folders, names in os.walk(folder):
        folders[:] = [
            name for name in folders if name not in UNPUBLISHED_FOLDERS and _visible(name)
        ]
        for name in folders:
            if (linked := Path(parent, name)).is_symlink():
                raise UserError(f"{linked} is a link to a folder: put the folder itself there")
        for name in filter(_visible, names):
            path = Path(parent, name)
            files[path.relative_to(folder).as_posix()] = path
    for name in UNPUBLISHED_FILES:
        files.pop(name, None)
    return dict(sorted(files.items()))


def _visible(name: str) -> bool:
    return not name.startswith(".") or name in PUBLISHED_DOT_NAMES


def checked_files(folder: Path, repo_type: RepoType) -> dict[str, Path]:
    """`published_files` of a whole dataset or model; UserError says why it is none."""
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder")
    files = published_files(folder)
    for pattern in REQUIRED[repo_type]:
        if not any(folder.glob(pattern)):
            raise UserError(f"{folder} is not a {repo_type} folder: it has no {pattern}")
    for name in files:
        if any(fnmatch(Path(name).name, pattern) for pattern in PICKLES):
            raise UserError(f"{folder / name} is a pickle: save it as safetensors, or remove it")
    _check_shards(folder, files)
    return files


def _check_shards(folder: Path, names: Iterable[str]) -> None:
    """Raises UserError where shards of one set are missing, or two sets are mixed."""
    shards: dict[tuple[str, str], dict[int, set[int]]] = {}
    for name in names:
        if match := _SHARD.fullmatch(name):
            counts = shards.setdefault((match["stem"], match["ending"]), {})
            counts.setdefault(int(match["count"]), set()).add(int(match["index"]))
    for (stem, ending), counts in shards.items():
        if len(counts) > 1:
            first, second = sorted(counts)[:2]
            raise UserError(
                f"{folder} mixes two builds: {stem} is there in {first} shards and in {second};"
                " remove the older ones"
            )
        [(count, present)] = counts.items()
        if missing := sorted(set(range(count)) - present):
            name = f"{stem}-{missing[0]:05d}-of-{count:05d}{ending}"
            raise UserError(f"{folder} is incomplete: {name} is missing; finish it first")


def sha256(path: Path) -> str:
    """The hash of a file's content, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
