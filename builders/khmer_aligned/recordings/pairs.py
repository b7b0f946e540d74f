"""A folder of audio files, each with its transcript beside it: `a.wav` and `a.txt`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from khmer_aligned import audio
from khmer_aligned.errors import UserError
from khmer_aligned.recordings.transcripts import read_transcript
from khmer_aligned.schema import Recording

ENDINGS = (".txt",)  # of the files that it reads beside audio


def find(root: Path) -> bool:
    """Whether the folder, or a folder in it, holds an audio file."""
    return any(_audio_files(root))


def read(name: str) -> Iterator[Recording]:
    """The audio files of a folder and of the folders in it, then transcripts without audio."""
    root = Path(name)
    audio_of: dict[Path, Path] = {}
    for path in _audio_files(root):
        recording = Recording(path.stem, path.stem, path, "", str(path.relative_to(root)))
        transcript = path.with_suffix(".txt")
        if transcript in audio_of:
            twin = audio_of[transcript].name
            problem = f"shares {transcript.name} with {twin}; keep one of the two"
            yield replace(recording, problem=problem)
        else:
            audio_of[transcript] = path
            yield _with_text(recording, transcript)
    for transcript in sorted(root.rglob("*.txt")):
        if transcript not in audio_of:
            stem, path_name = transcript.stem, str(transcript.relative_to(root))
            recording = _with_text(Recording(stem, stem, None, "", path_name), transcript)
            missing = "no audio file of this name beside the transcript"
            yield replace(recording, problem=recording.problem or missing)


def _with_text(recording: Recording, transcript: Path) -> Recording:
    try:
        return replace(recording, text=read_transcript(transcript))
    except UserError as error:
        return replace(recording, problem=str(error))


def _audio_files(root: Path) -> Iterator[Path]:
    return (path for path in sorted(root.rglob("*")) if path.suffix.lower() in audio.SUFFIXES)
