"""A folder of audio files, each with its transcript beside it: `a.wav` and `a.txt`.

Folders in it may be splits (`train/`, `test/`) and, below these, speakers. Where one text of a
folder has the name of no audio file, each audio file there without a transcript speaks a passage of
it, which is found later.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from khmer_aligned.console import note
from khmer_aligned.errors import UserError
from khmer_aligned.recordings import folder
from khmer_aligned.recordings.transcripts import PARSERS, read_transcript
from khmer_aligned.schema import Problem, Recording
from khmer_aligned.stores import as_path

ENDINGS = tuple(PARSERS)  # of the files that it reads beside audio

_ORPHANS = (".txt", ".srt", ".vtt", ".lrc", ".textgrid", ".eaf")  # any program writes .json
_KHMER = re.compile("[\u1780-\u17a2]")
_READERS, _GROUP = 16, 1_000  # transcripts that are read at once, of so many
_LANGUAGE = ".km"  # what is fetched with a video is called `a.km.vtt`


def find(root: Path) -> bool:
    """Whether the folder, or a folder in it, holds an audio file."""
    return any(folder.is_audio(path) for path in folder.walk(root))


def read(name: str) -> Iterator[Recording]:
    """The audio files of a folder and of the folders in it, then transcripts without audio."""
    root = as_path(name)
    named = _name_recordings(root)
    with ThreadPoolExecutor(_READERS) as readers:
        while group := list(islice(named, _GROUP)):
            yield from readers.map(
                lambda item: _with_text(item.recording, item.transcript, root), group
            )


class _Named(NamedTuple):
    """A recording without its text, and the file that has it; None where no file is to be read."""

    recording: Recording
    transcript: Path | None = None


def _name_recordings(root: Path) -> Iterator[_Named]:
    """The recordings that a folder's names tell of, in order."""
    files = list(folder.walk(root))
    audio_files = [path for path in files if folder.is_audio(path)]
    speakers = folder.speakers_by_folder(audio_files, root)
    if speakers:
        note(f"{root}: a folder for each speaker: {len(set(speakers.values()))} speakers")
    transcripts = _Transcripts(root, files)
    audio_of: dict[Path, Path] = {}
    readers: Counter[Path] = Counter()
    for path in audio_files:
        id, where = folder.name_of(path, root), path.relative_to(root).as_posix()
        split, speaker = folder.split_of(path, root), speakers.get(path)
        recording = Recording(id, id, path, "", where, speaker, split)
        transcript = transcripts.of(path)
        if transcript is None and (text_file := transcripts.whole_text_of(path)):
            audio_of.setdefault(text_file, path)
            readers[text_file] += 1
            yield _Named(_with_whole_text(recording, text_file, root))
        elif transcript is None:
            detail = f"no transcript: {path.with_suffix('.txt').name} is missing"
            yield _Named(replace(recording, problem=Problem.NO_TRANSCRIPT, detail=detail))
        elif transcript in audio_of:
            detail = f"shares {transcript.name} with {audio_of[transcript].name}; keep one of them"
            yield _Named(replace(recording, problem=Problem.DUPLICATE, detail=detail))
        else:
            audio_of[transcript] = path
            yield _Named(recording, transcript)
    for text_file, count in readers.items():
        where = text_file.relative_to(root).as_posix()
        note(f"{where}: which passage each of {count} recordings speaks is found in their audio")
    for transcript in transcripts.unused(audio_of):
        id, where = folder.name_of(transcript, root), transcript.relative_to(root).as_posix()
        yield _Named(Recording(id, id, None, "", where), transcript)


class _Transcripts:
    """The transcripts of a folder, by the audio files that they are of."""

    def __init__(self, root: Path, files: list[Path]) -> None:
        self._root, self._files = root, files
        order = list(PARSERS)
        self._by_stem: dict[Path, list[Path]] = {}
        for path in files:
            if path.suffix.lower() in order:
                self._by_stem.setdefault(_stem(path), []).append(path)
        for paths in self._by_stem.values():
            paths.sort(key=lambda path: (order.index(path.suffix.lower()), path))
        stems = {path.with_suffix("") for path in files if folder.is_audio(path)}
        self._khmer: dict[Path, bool] = {}
        self._unmatched: dict[Path, list[Path]] = {}  # by the folder
        for path in files:
            if path.suffix.lower() in _ORPHANS and _stem(path) not in stems:
                self._unmatched.setdefault(path.parent, []).append(path)

    def of(self, audio: Path) -> Path | None:
        """The transcript of an audio file: the first of its name in the order of PARSERS."""
        found = self._by_stem.get(audio.with_suffix(""), [])
        if len(found) > 1:
            where = audio.relative_to(self._root).as_posix()
            note(f"{where}: {found[0].name} is read, not {', '.join(p.name for p in found[1:])}")
        return found[0] if found else None

    def whole_text_of(self, audio: Path) -> Path | None:
        """The text of which an audio file speaks a passage: the only one that has the name of no
        audio file, in its folder or the nearest one above."""
        for parent in audio.parents:
            if texts := self._unmatched.get(parent):
                return texts[0] if len(texts) == 1 and self._holds_khmer(texts[0]) else None
            if parent == self._root:
                return None
        return None

    def _holds_khmer(self, transcript: Path) -> bool:
        """Whether a file holds some Khmer, as a README beside recordings does not; of one that
        cannot be read the recordings say so."""
        if transcript not in self._khmer:
            try:
                text = read_transcript(transcript).text
                self._khmer[transcript] = _KHMER.search(text) is not None
            except UserError:
                self._khmer[transcript] = True
        return self._khmer[transcript]

    def unused(self, used: dict[Path, Path]) -> list[Path]:
        """Transcripts of a name that no audio file has."""
        stems = {path.with_suffix("") for path in used.values()}
        return [
            path
            for path in self._files
            if path.suffix.lower() in _ORPHANS and path not in used and _stem(path) not in stems
        ]


def _stem(transcript: Path) -> Path:
    plain = transcript.with_suffix("")
    return plain.with_suffix("") if plain.suffix.lower() == _LANGUAGE else plain


def _with_whole_text(recording: Recording, text_file: Path, root: Path) -> Recording:
    """A recording that speaks a passage of a text."""
    try:
        folder.check_inside(text_file, root)
    except UserError as error:
        return replace(recording, problem=Problem.OUTSIDE, detail=str(error))
    return replace(recording, text_file=text_file)


def _with_text(recording: Recording, transcript: Path | None, root: Path) -> Recording:
    if transcript is None:
        return recording
    try:
        folder.check_inside(transcript, root)
        text, cues = read_transcript(transcript)
    except UserError as error:
        problem = Problem(error.category)
        return replace(recording, problem=problem, detail=str(error))
    if recording.audio is None:
        detail = "no audio file of this name beside the transcript"
        recording = replace(recording, problem=Problem.NO_AUDIO, detail=detail)
    return replace(recording, text=text, cues=cues)
