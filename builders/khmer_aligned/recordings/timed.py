"""A transcript with rough times: the text of captions, and where each caption is in it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from khmer_aligned.schema import Cue


class Caption(NamedTuple):
    """A text and the seconds from which to which it is shown."""

    start: float
    end: float
    text: str


class TimedText(NamedTuple):
    """A transcript; `cues` say when parts of it are shown, and are empty for plain text."""

    text: str
    cues: tuple[Cue, ...] = ()


def join(captions: Iterable[Caption]) -> TimedText:
    """Captions as one text, a line each, in the order of their times."""
    parts: list[str] = []
    cues: list[Cue] = []
    position = 0
    for caption in sorted(captions, key=lambda caption: caption[:2]):
        if text := caption.text.strip():
            cues.append(Cue(position, position + len(text), caption.start, caption.end))
            parts.append(text)
            position += len(text) + 1
    return TimedText("\n".join(parts), tuple(cues))
