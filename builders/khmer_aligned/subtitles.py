"""Cues to SubRip or WebVTT text."""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import escape
from typing import Literal, NamedTuple

Form = Literal["srt", "vtt"]

HEADERS: dict[Form, str] = {"srt": "", "vtt": "WEBVTT\n\n"}


class Cue(NamedTuple):
    """A text and when it is shown, in seconds from the file's start."""

    start: float
    end: float
    text: str


def render_subtitles(cues: Iterable[Cue], form: Form) -> str:
    """The text of a subtitle file: `form` is srt (SubRip) or vtt (WebVTT)."""
    return HEADERS[form] + "".join(render_cue(cue, form, n) for n, cue in enumerate(cues, start=1))


def render_cue(cue: Cue, form: Form, number: int) -> str:
    """One cue and the empty line behind it; `number` counts from 1.

    A cue's text is shown as it is, in its lines: runs of spaces become one, empty lines are dropped
    as they would end the cue, and `&`, `<` and `>` are escaped where the form reads them as markup.
    """
    lines = [" ".join(line.split()) for line in re.split(r"[\r\n]+", cue.text)]
    text = "\n".join(line for line in lines if line)
    if form == "vtt":
        text = escape(text, quote=False)
    point = "," if form == "srt" else "."
    times = f"{_clock(cue.start, point)} --> {_clock(cue.end, point)}"
    return f"{number}\n{times}\n{text}\n\n"


def _clock(seconds: float, point: str) -> str:
    milliseconds = max(0, round(seconds * 1000))
    hours, rest = divmod(milliseconds, 3_600_000)
    minutes, rest = divmod(rest, 60_000)
    return f"{hours:02}:{minutes:02}:{rest // 1000:02}{point}{rest % 1000:03}"
