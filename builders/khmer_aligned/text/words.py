"""Spoken text -> words, by khmercut's conditional random field."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from importlib.metadata import version
from typing import NamedTuple

import khmercut

from khmer_aligned.text.spans import Span

SEGMENTER = f"khmercut {version('khmercut')}"  # published with every word error rate

# Combining marks of the scripts met in Khmer texts: Latin, Arabic, Devanagari, Thai, Lao.
_ACCENTS = "\u0300-\u036f\u064b-\u0652\u0900-\u0903\u093a-\u094f\u0e31\u0e34-\u0e4e\u0eb1-\u0ece"
_LETTER = f"[^\\W\\d_\u1780-\u17ff][{_ACCENTS}]*"

# A stretch of Khmer; a word of another script, with its accents and inner apostrophes; emoji in a
# row; any other sign. Python's \w does not match Khmer marks.
_PIECE = re.compile(
    "(?P<khmer>[\u1780-\u17d3\u17dc\u17dd\u25cc]+)"
    f"|(?P<foreign>{_LETTER}(?:['’]?{_LETTER})*)"
    "|(?P<emoji>[\u2600-\u2793\U0001f000-\U0001faff][\u2600-\u2793\ufe0f\u200d\U0001f000-\U0001faff]*)"
    "|(?P<space>\\s+)"
    "|(?P<sign>.)",
    re.DOTALL,
)


class Piece(NamedTuple):
    """A word or a sign, text[start:end]; kind is "khmer", "foreign", "emoji" or "sign"."""

    start: int
    end: int
    kind: str


def words(text: str) -> list[str]:
    """The words of verbalized `text` in order, punctuation marks as items of their own.

    Lossless but for white space and zero-width spaces: the items joined are the text without
    them. Never splits a cluster. Each stretch of Khmer between spaces, signs and other scripts is
    segmented by itself, so a word depends on its own stretch only.
    """
    text = text.replace("\u200b", "")
    return [text[piece.start : piece.end] for piece in segment(text)]


def segment(text: str) -> Iterator[Piece]:
    """The items of `words` with their places in `text`."""
    for match in _PIECE.finditer(text):
        if match["khmer"]:
            for start, end in _segment_khmer(match[0]):
                yield Piece(match.start() + start, match.start() + end, "khmer")
        elif not match["space"]:
            yield Piece(match.start(), match.end(), str(match.lastgroup))


@lru_cache(maxsize=1 << 14)
def _segment_khmer(stretch: str) -> tuple[Span, ...]:
    spans = []
    end = 0
    for word in khmercut.tokenize(stretch):
        start, end = end, end + len(word)
        spans.append((start, end))
    return tuple(spans)
