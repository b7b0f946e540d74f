"""Transcriptions in the forms of OpenAI's interface."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Literal, cast

from starlette.responses import JSONResponse, PlainTextResponse, Response
from transformers.models.whisper.tokenization_whisper import LANGUAGES

from khmer_whisper.transcription import forms
from khmer_whisper.transcription.segments import Segment, Transcription

RESPONSE_FORMATS = ("json", "text", "srt", "verbose_json", "vtt")


def render_reply(
    transcription: Transcription, response_format: str, granularities: Collection[str]
) -> Response:
    """The answer in one of RESPONSE_FORMATS; granularities: word, segment, of verbose_json."""
    if response_format == "json":
        return JSONResponse({"text": transcription.text})
    if response_format == "verbose_json":
        return JSONResponse(_verbose(transcription, granularities))
    if response_format == "text":
        return PlainTextResponse(transcription.text + "\n")
    form = cast(Literal["srt", "vtt"], response_format)
    kind = "text/vtt" if form == "vtt" else "application/x-subrip"
    return PlainTextResponse(forms.render(transcription, form), media_type=kind)


def _verbose(transcription: Transcription, granularities: Collection[str]) -> dict[str, Any]:
    reply: dict[str, Any] = {
        "task": "transcribe",
        "language": LANGUAGES.get(transcription.language, transcription.language),
        "duration": transcription.duration,
        "text": transcription.text,
    }
    if "segment" in granularities:
        reply["segments"] = [_segment(i, s) for i, s in enumerate(transcription.segments)]
    if "word" in granularities:
        reply["words"] = [
            {"word": word.text, "start": round(word.start, 3), "end": round(word.end, 3)}
            for segment in transcription.segments
            for word in segment.words or []
        ]
    return reply


def _segment(number: int, segment: Segment) -> dict[str, Any]:
    return {
        "id": number,
        "seek": 0,
        "start": round(segment.start, 3),
        "end": round(segment.end, 3),
        "text": segment.text,
        "tokens": [],  # OpenAI's; the ids of another vocabulary are of no use to a client
        "temperature": segment.temperature,
        "avg_logprob": segment.avg_logprob,
        "compression_ratio": segment.compression_ratio,
        "no_speech_prob": segment.no_speech_prob,
    }
