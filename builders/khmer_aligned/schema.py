"""The contract: what a recording, a clip and a rejected stretch are, and their columns.

Both halves of the project meet in `CLIP_FEATURES`: `khmer_aligned` writes it, `khmer_whisper`
reads it, and whoever calls `load_dataset` on a published dataset gets it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from datasets import Audio, Features, List, Value

SAMPLE_RATE = 16_000  # Hz; of every waveform inside the project and of every clip
MAX_CLIP_SECONDS = 30.0  # Whisper's window
MAX_CLIP_SAMPLES = int(MAX_CLIP_SECONDS * SAMPLE_RATE)

SPLITS = ("train", "validation", "test")


class Problem(StrEnum):
    """Why a whole recording cannot be used: the reasons of its rejection, without particulars."""

    NO_TRANSCRIPT = "no transcript"
    UNREADABLE_TRANSCRIPT = "the transcript cannot be read"
    EMPTY_TRANSCRIPT = "the transcript is empty"
    UNSPELLABLE = "the aligner cannot spell the transcript"
    TOO_LONG = "the transcript is too long for the audio"
    NO_AUDIO = "no audio"
    UNREADABLE_AUDIO = "the audio cannot be read"
    SILENT = "the audio is silent"
    TOO_SHORT = "the audio is too short"
    OUTSIDE = "the audio or the transcript lies outside the folder"
    BAD_ROW = "a row of the table that cannot be used"
    UNNAMED = "an audio file that no row of the table names"
    DUPLICATE = "a name that another recording has"
    NOT_IN_TEXT = "no passage of the text is clearly what the recording speaks"
    UNSPOKEN_TEXT = "a part of the text that no recording speaks"


@dataclass(frozen=True, slots=True)
class Cue:
    """Characters [first, last) of a text, and the seconds at which a caption file shows them."""

    first: int
    last: int
    start: float
    end: float


def cues_of(row: Mapping[str, Any]) -> tuple[Cue, ...]:
    """The captions of a row of RECORDING_FEATURES."""
    return tuple(Cue(**cue) for cue in row["cues"] or ())


@dataclass(frozen=True, slots=True)
class Correction:
    """What a person decided of characters [first, last) of a text and of the audio they are in."""

    first: int
    last: int
    start: float  # seconds in the file
    end: float
    verdict: str  # accept or reject
    reason: str = ""  # of a rejection


@dataclass(frozen=True, slots=True)
class Recording:
    """One audio file, or the stretch [start, end) seconds of it, and its rough transcript."""

    id: str  # unique: `recording`, and the stretch where there is one
    recording: str  # the file's path in its folder, without its ending
    audio: Path | bytes | None  # None only with a problem
    text: str  # as read, nothing normalized; of a caption file its captions, a line each
    path: str  # what an error calls it; nothing of the machine that it lies on
    speaker: str | None = None
    split: str | None = None  # train, validation or test where the source decides
    start: float | None = None  # seconds in the file
    end: float | None = None
    problem: str | None = None  # a Problem: why it cannot be aligned; it becomes a rejection
    detail: str = ""  # the particulars of the problem
    cues: tuple[Cue, ...] = ()  # rough times of parts of the text, where its file has them
    content: str | None = None  # a hash of the audio file
    licence: str | None = None  # as the source states it
    source: str | None = None  # where the source has it from
    corrections: tuple[Correction, ...] = ()  # in order; `text` is the corrected one
    stale: tuple[str, ...] = ()  # corrections that no longer apply, and why
    # The file of a text of which this recording speaks a passage: `text` and `cues` are empty until
    # the passage is found. `text_start`: the character of the whole text at which `text` begins.
    text_file: Path | None = None
    text_start: int | None = None


@dataclass(frozen=True, slots=True)
class Word:
    """A spoken word; seconds from the clip's start, score 0-1."""

    text: str
    start: float
    end: float
    score: float


@dataclass(frozen=True, slots=True)
class Clip:
    """A stretch that Whisper can learn from; `start` and `end` are seconds in the recording."""

    id: str
    audio: bytes  # mono FLAC at SAMPLE_RATE
    text: str  # written form: an exact slice of the canonical transcript
    spoken: str  # read aloud: numbers, signs and the repetition sign in words; what was aligned
    words: list[Word]
    duration: float  # seconds
    score: float  # mean probability of the aligned tokens
    recording: str
    speaker: str | None
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Rejection:
    """A stretch that did not become a clip, and why."""

    recording: str
    id: str  # of the Recording: the ids of its clips begin with it
    path: str  # of the audio file in its folder; the row, where a dataset holds the audio
    start: float | None  # seconds in the recording; None where nothing could be timed
    end: float | None
    text: str  # raw characters; "" for audio without text
    span: tuple[int, int]  # of `text` in the Recording's text
    reason: str  # one of a dozen, without names and figures, so that reasons can be counted
    figures: dict[str, Any] = field(default_factory=dict)  # the particulars

    def as_row(self) -> dict[str, Any]:
        """The line of rejected.jsonl."""
        return asdict(self)


CLIP_FEATURES = Features(
    {
        "id": Value("string"),
        "audio": Audio(sampling_rate=SAMPLE_RATE),
        "text": Value("string"),
        "spoken": Value("string"),
        "words": List(
            {
                "text": Value("string"),
                "start": Value("float32"),
                "end": Value("float32"),
                "score": Value("float32"),
            }
        ),
        "duration": Value("float32"),
        "score": Value("float32"),
        "recording": Value("string"),
        "speaker": Value("string"),
        "start": Value("float64"),
        "end": Value("float64"),
    }
)

# The audio stays in its container until the aligner reads it: decoding in `datasets` would need
# torchcodec and with it the system's FFmpeg.
RECORDING_FEATURES = Features(
    {
        "id": Value("string"),
        "recording": Value("string"),
        "audio": {"bytes": Value("binary"), "path": Value("string")},
        "text": Value("string"),
        "path": Value("string"),
        "speaker": Value("string"),
        "split": Value("string"),
        "start": Value("float64"),
        "end": Value("float64"),
        "problem": Value("string"),
        "detail": Value("string"),
        "cues": List(
            {
                "first": Value("int64"),
                "last": Value("int64"),
                "start": Value("float64"),
                "end": Value("float64"),
            }
        ),
        "content": Value("string"),
        "licence": Value("string"),
        "source": Value("string"),
        "corrections": List(
            {
                "first": Value("int64"),
                "last": Value("int64"),
                "start": Value("float64"),
                "end": Value("float64"),
                "verdict": Value("string"),
                "reason": Value("string"),
            }
        ),
        "stale": List(Value("string")),
        "text_file": Value("string"),
        "text_start": Value("int64"),
    }
)
