"""Cues to SubRip or WebVTT text."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import Literal, NamedTuple

import pysubs2


class Cue(NamedTuple):
    """A line of text and when it is shown, in seconds from the file's start."""

    start: float
    end: float
    text: str


def render_subtitles(cues: Iterable[Cue], form: Literal["srt", "vtt"]) -> str:
    """The text of a subtitle file: `form` is srt (SubRip) or vtt (WebVTT).

    A cue's text is shown as it is: its spaces and line breaks become single spaces, braces are no
    styling, and `&`, `<` and `>` are escaped where the form reads them as markup.
    """
    file = pysubs2.SSAFile()
    for cue in cues:
        text = " ".join(cue.text.split())
        if form == "vtt":
            text = escape(text, quote=False)
        file.append(pysubs2.SSAEvent(round(cue.start * 1000), round(cue.end * 1000), text))
    return file.to_string(form, keep_ssa_tags=True)  # else pysubs2 takes {...} out
