"""Segments as text, subtitles, JSON or a table; all but JSON piece by piece, as they are found."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Any, Literal

from khmer_aligned.subtitles import HEADERS, render_cue
from khmer_whisper.transcription.captions import make_cues
from khmer_whisper.transcription.segments import Segment, Transcription

Form = Literal["txt", "srt", "vtt", "json", "tsv"]
FORMS: tuple[Form, ...] = ("txt", "srt", "vtt", "json", "tsv")


def render(transcription: Transcription, form: Form) -> str:
    """The content of a file: txt is a line for each segment, tsv has times in milliseconds."""
    if form == "json":
        return render_json(transcription)
    return "".join(render_pieces(transcription.segments, form))


def render_pieces(
    segments: Iterable[Segment], form: Literal["txt", "srt", "vtt", "tsv"]
) -> Iterator[str]:
    """The pieces of the file, each as soon as its segment is there."""
    if form == "txt":
        for segment in segments:
            yield segment.text + "\n"
    elif form == "tsv":
        yield "start\tend\ttext\n"
        for segment in segments:
            text = " ".join(segment.text.split())
            yield f"{round(segment.start * 1000)}\t{round(segment.end * 1000)}\t{text}\n"
    else:
        yield HEADERS[form]
        for number, cue in enumerate(make_cues(segments), start=1):
            yield render_cue(cue, form, number)


def render_json(transcription: Transcription) -> str:
    """All there is; the layout of openai/whisper's, with `audio` and `duration`."""
    content: dict[str, Any] = {
        "audio": transcription.audio,
        "duration": round(transcription.duration, 3),
        "language": transcription.language,
        "text": transcription.text,
        "segments": [
            {"id": number, **_segment_row(segment)}
            for number, segment in enumerate(transcription.segments)
        ],
    }
    return json.dumps(content, ensure_ascii=False, indent=2) + "\n"


def _segment_row(segment: Segment) -> dict[str, Any]:
    row = asdict(segment)
    del row["speech"]
    if segment.words is None:
        del row["words"]
    return row
