"""The rows that a recording becomes: a clip, or a rejection as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import PurePath
from typing import NamedTuple

from khmer_aligned import audio
from khmer_aligned.alignment.align import Alignment
from khmer_aligned.alignment.doubts import UNREAD
from khmer_aligned.clips.cut import Piece
from khmer_aligned.clips.parts import Part, Row
from khmer_aligned.errors import Failed
from khmer_aligned.schema import SAMPLE_RATE, Clip, Rejection, Word
from khmer_aligned.text import Span, Unread


class Stretch(NamedTuple):
    """Samples [lo, hi) of a recording, and the text in them: raw characters from `first` on."""

    lo: int
    hi: int
    first: int
    text: str = ""


def make_clip(part: Part, alignment: Alignment, piece: Piece, number: int, score: float) -> Clip:
    """The clip of a piece of a recording, or of a part of it. number: in the recording."""
    row = part.row
    begin = row["start"] or 0.0  # a recording may be a stretch of its file
    start, end = piece.start / SAMPLE_RATE, piece.end / SAMPLE_RATE
    transcript = alignment.transcript
    return Clip(
        id=f"{row['id']}-{number:05d}",
        audio=audio.encode_flac(part.waveform[piece.start : piece.end]),
        text=_one_line(transcript.written(piece.first, piece.last)),
        spoken=_one_line(transcript.spoken_text(piece.first, piece.last)),
        words=[
            Word(word.text, word.start - start, word.end - start, word.score)
            for word in alignment.words[piece.first : piece.last]
        ],
        duration=end - start,
        score=score,
        recording=row["recording"],
        speaker=row["speaker"] or transcript.speaker_of(piece.first, piece.last),
        start=begin + start,
        end=begin + end,
    )


def _one_line(text: str) -> str:
    return text.replace("\n", " ")


def cut_out(text: str, span: Span, omitted: Sequence[Span]) -> str:
    """The characters of a span of `text` without those of the spans in it that are `omitted`."""
    start, end = span
    parts = []
    for first, last in omitted:
        parts.append(text[start:first])
        start = last
    return "".join([*parts, text[start:end]])


def reject(row: Row, stretch: Stretch, reason: str, figures: Row) -> Row:
    """A stretch of a recording, rejected."""
    begin = row["start"] or 0.0
    lo, hi, first, text = stretch
    rejection = Rejection(
        row["recording"],
        row["id"],
        audio_path(row),
        round(begin + lo / SAMPLE_RATE, 4),
        round(begin + hi / SAMPLE_RATE, 4),
        text,
        (first, first + len(text)),
        reason,
        figures,
    )
    return {
        "rejection": json.dumps(rejection.as_row(), ensure_ascii=False),
        "samples": hi - lo,
        "characters": len(text),
    }


def reject_unread(row: Row, sample: int, phrase: Unread, raw: str, offset: int) -> Row:
    """A phrase in a clip's text that was not read aloud; it takes no audio.

    offset: where `raw` begins in the recording's text
    """
    stretch = Stretch(sample, sample, offset + phrase.span[0], raw[slice(*phrase.span)])
    return reject(row, stretch, UNREAD, {"kind": phrase.kind})


def reject_recording(row: Row, samples: int, failed: Failed, first: int = 0) -> Row:
    """A whole recording, or its text from `first` on, that cannot be aligned.

    It has no times where nothing was decoded.
    """
    reason = failed.category or failed.reason
    figures = {"path": row["path"], "detail": failed.reason}
    text = row["text"]
    if samples:
        return reject(row, Stretch(0, samples, first, text), reason, figures)
    span = first, first + len(text)
    rejection = Rejection(
        row["recording"], row["id"], audio_path(row), None, None, text, span, reason, figures
    )
    return {
        "rejection": json.dumps(rejection.as_row(), ensure_ascii=False),
        "samples": 0,
        "characters": len(text),
    }


def audio_path(row: Row) -> str:
    """The path of the audio file in its folder, never on this machine."""
    path = row["audio"]["path"]
    return row["path"] if path is None else row["recording"] + PurePath(path).suffix
