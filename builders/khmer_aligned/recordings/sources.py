"""Where recordings come from: one function per format, and the table SOURCES.

A source never stops at one bad row: what cannot be aligned is yielded with its `problem`, and
ends as a rejection with that reason.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import datasets

from khmer_aligned import audio
from khmer_aligned.errors import UserError
from khmer_aligned.hub.resolve import load, resolve
from khmer_aligned.schema import SPLITS, Recording

_FILE_COLUMNS = ("file_name", "path")
_TEXT_COLUMNS = ("transcription", "sentence", "text")
_MANIFESTS = ("metadata.csv", "metadata.tsv", "metadata.jsonl")
_SPLIT_NAMES = {name: name for name in SPLITS} | {"dev": "validation", "valid": "validation"}


class Corpus(NamedTuple):
    """A collection of recordings: how it is read, and a hash that changes when its content does."""

    name: str  # as the user wrote it
    kind: str  # a key of SOURCES
    content: str


def find(name: str) -> Corpus:
    """What `name` is: a folder with a manifest, a folder of pairs, a dataset, or a Hub id."""
    root = Path(name)
    if root.is_file() and root.name in _MANIFESTS:
        root = root.parent
        name = str(root)
    if not root.is_dir():
        return Corpus(name, "dataset", resolve(name, "dataset").identity)
    if any((root / manifest).is_file() for manifest in _MANIFESTS):
        return Corpus(name, "manifest", _folder_sha256(root))
    if any(_audio_files(root)):
        return Corpus(name, "pairs", _folder_sha256(root))
    if any(root.rglob("*.parquet")) or any(root.rglob("*.arrow")):
        return Corpus(name, "dataset", _folder_sha256(root))
    raise UserError(
        f"{name}: holds no audio file, no {', '.join(_MANIFESTS)} and no dataset; "
        f"put recordings and their .txt of the same name there"
    )


def read(corpus: Corpus) -> Iterator[Recording]:
    """The recordings of a corpus, in a fixed order, ids unique."""
    first_of: dict[str, str] = {}
    for recording in SOURCES[corpus.kind](corpus.name):
        if first := first_of.get(recording.id):
            problem = f"duplicate id {recording.id}: {first} has it; rename one"
            yield replace(recording, problem=recording.problem or problem)
        else:
            first_of[recording.id] = recording.path
            yield recording


def read_pairs(name: str) -> Iterator[Recording]:
    """A folder, searched through, of audio files with a transcript of the same stem in .txt."""
    root = Path(name)
    audio_of: dict[Path, Path] = {}
    for path in _audio_files(root):
        recording = Recording(path.stem, path.stem, path, "", str(path.relative_to(root)))
        transcript = path.with_suffix(".txt")
        if transcript in audio_of:
            other = audio_of[transcript].name
            yield _broken(recording, f"shares {transcript.name} with {other}; keep one of the two")
            continue
        audio_of[transcript] = path
        try:
            yield replace(recording, text=read_transcript(transcript))
        except UserError as error:
            yield _broken(recording, str(error))
    for transcript in sorted(root.rglob("*.txt")):
        if transcript not in audio_of:
            lost = Recording(
                transcript.stem, transcript.stem, None, "", str(transcript.relative_to(root))
            )
            try:
                lost = replace(lost, text=read_transcript(transcript))
            except UserError as error:
                yield _broken(lost, str(error))
            else:
                yield _broken(lost, "no audio file of this name beside the transcript")


def read_manifest(name: str) -> Iterator[Recording]:
    """A folder with metadata.csv, .tsv or .jsonl.

    Columns: file_name; transcription, sentence or text; optional speaker, split, start, end.
    """
    root = Path(name)
    manifest = next(root / m for m in _MANIFESTS if (root / m).is_file())
    for number, row in enumerate(_manifest_rows(manifest), start=1):
        where = f"{manifest.name} row {number}"
        file_name = next((row[c] for c in _FILE_COLUMNS if row.get(c)), None)
        text = next((row[c] for c in _TEXT_COLUMNS if row.get(c) is not None), None)
        if file_name is None:
            lost = Recording(where, where, None, str(text or ""), where)
            yield _broken(lost, f"no file name (column {' or '.join(_FILE_COLUMNS)})")
            continue
        path = root / str(file_name)
        recording = Recording(
            id=path.stem,
            recording=path.stem,
            audio=path,
            text=str(text or ""),
            path=f"{file_name} ({where})",
            speaker=str(row["speaker"]) if row.get("speaker") else None,
        )
        if text is None:
            yield _broken(recording, f"no text (column {', '.join(_TEXT_COLUMNS)})")
        elif not Path(os.path.normpath(path)).is_relative_to(os.path.normpath(root)):
            yield _broken(replace(recording, audio=None), "the name leaves the folder")
        elif not path.is_file():
            yield _broken(replace(recording, audio=None), "no such audio file")
        else:
            try:
                yield _with_stretch(recording, row)
            except ValueError as error:
                yield _broken(recording, str(error))


def read_dataset(name: str) -> Iterator[Recording]:
    """A dataset with an audio and a text column: a Hub id or a local folder."""
    root = Path(name)
    if (root / "dataset_dict.json").is_file() or (root / "state.json").is_file():
        loaded = datasets.load_from_disk(name)
    else:
        loaded = load(resolve(name, "dataset"), name)
    splits = loaded if isinstance(loaded, Mapping) else {"": loaded}
    for split, dataset in splits.items():
        audio_column = next(
            (n for n, f in dataset.features.items() if isinstance(f, datasets.Audio)), None
        )
        text_column = next((n for n in _TEXT_COLUMNS if n in dataset.features), None)
        if audio_column is None or text_column is None:
            raise UserError(
                f"{name}: needs an audio column and one of {', '.join(_TEXT_COLUMNS)}; "
                f"it has {', '.join(dataset.features)}"
            )
        dataset = dataset.cast_column(audio_column, datasets.Audio(decode=False))
        for index, row in enumerate(dataset):
            value = row[audio_column] or {}
            stem = Path(value.get("path") or f"{split or 'all'}-{index:06d}").stem
            local = value.get("path") if value.get("bytes") is None else None
            recording = Recording(
                id=stem,
                recording=stem,
                audio=Path(local) if local else value.get("bytes"),
                text=row[text_column] or "",
                path=f"{name} {split} row {index}",
                speaker=str(row["speaker"]) if row.get("speaker") else None,
                split=_SPLIT_NAMES.get(split),
            )
            yield recording if recording.audio else _broken(recording, "the row holds no audio")


SOURCES = {"pairs": read_pairs, "manifest": read_manifest, "dataset": read_dataset}


def read_transcript(path: Path) -> str:
    """A text file as it stands, byte-order mark and line ends included, so that offsets count."""
    try:
        return path.read_bytes().decode("utf-8")
    except FileNotFoundError as error:
        raise UserError(f"no transcript: {path.name} is missing") from error
    except OSError as error:
        raise UserError(f"{path.name}: cannot be opened ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise UserError(
            f"{path.name}: byte {error.start} is not UTF-8; save the transcript as UTF-8"
        ) from error


def _manifest_rows(manifest: Path) -> Iterator[dict[str, Any]]:
    text = read_transcript(manifest).removeprefix("\ufeff")
    if manifest.suffix != ".jsonl":
        csv.field_size_limit(1 << 30)  # an hour's transcript is one field
        delimiter = "\t" if manifest.suffix == ".tsv" else ","
        yield from csv.DictReader(text.splitlines(keepends=True), delimiter=delimiter)
        return
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            try:
                row = json.loads(line)
            except json.JSONDecodeError as error:
                raise UserError(f"{manifest}: line {number} is not JSON ({error})") from error
            yield row if isinstance(row, dict) else {}


def _with_stretch(recording: Recording, row: Mapping[str, Any]) -> Recording:
    """`recording` with the row's split and stretch; ValueError says what is wrong with them."""
    split = str(row.get("split") or "")
    if split and split not in _SPLIT_NAMES:
        raise ValueError(f"split {split} is none of {', '.join(SPLITS)}")
    start, end = (float(row[c]) if row.get(c) not in (None, "") else None for c in ("start", "end"))
    if start is None and end is None:
        return replace(recording, split=_SPLIT_NAMES.get(split))
    if not 0 <= (start or 0) < (end if end is not None else float("inf")):
        raise ValueError(f"the stretch from {start} s to {end} s is empty or negative")
    last = "end" if end is None else f"{end:.3f}"
    return replace(
        recording,
        id=f"{recording.recording}-{start or 0:.3f}-{last}",
        split=_SPLIT_NAMES.get(split),
        start=start,
        end=end,
    )


def _audio_files(root: Path) -> Iterator[Path]:
    return (p for p in sorted(root.rglob("*")) if p.suffix.lower() in audio.SUFFIXES)


def _folder_sha256(root: Path) -> str:
    """One hash over the names and contents of everything a source may read."""
    whole = hashlib.sha256()
    for path in sorted(root.rglob("*")):
        known = path.suffix in {".txt", ".parquet", ".arrow"} or path.name in _MANIFESTS
        if path.is_file() and (known or path.suffix.lower() in audio.SUFFIXES):
            with path.open("rb") as file:
                content = hashlib.file_digest(file, "sha256").hexdigest()
            whole.update(f"{path.relative_to(root)}\0{content}\n".encode())
    return whole.hexdigest()


def _broken(recording: Recording, problem: str) -> Recording:
    return replace(recording, problem=problem)
