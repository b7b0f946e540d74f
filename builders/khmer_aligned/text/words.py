"""Spoken text -> words, by khmercut's conditional random field."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from importlib.metadata import version

import khmercut

from khmer_aligned.text.spans import Span

SEGMENTER = f"khmercut {version('khmercut')}"  # named with every word error rate

# Combining marks of the scripts met in Khmer texts: Latin, Arabic, Devanagari, Thai, Lao.
_ACCENTS = "\u0300-\u036f\u064b-\u0652\u0900-\u0903\u093a-\u094f\u0e31\u0e34-\u0e4e\u0eb1-\u0ece"
_LETTER = f"[^\\W\\d_\u1780-\u17ff][{_ACCENTS}]*"

# A stretch of Khmer, a word of another script (accents and inner apostrophes included), any
# other sign; emoji in a row are one. Python's \w does not match Khmer marks.
_PIECE = re.compile(
    "(?P<khmer>[\u1780-\u17d3\u17dc\u17dd\u25cc]+)"
    f"|(?P<other>{_LETTER}(?:['’]?{_LETTER})*)"
    "|(?P<picture>[\u2600-\u2793\U0001f000-\U0001faff][\u2600-\u2793\ufe0f\u200d\U0001f000-\U0001faff]*)"
    "|(?P<space>\\s+)"
    "|(?P<sign>.)",
    re.DOTALL,
)


def words(text: str) -> list[str]:
    """The words of verbalized `text` in order, punctuation marks as items of their own.

    Lossless but for white space and zero-width spaces: the items joined are the text without
    them. Never splits a cluster. Each stretch of Khmer between spaces, signs and other scripts is
    segmented by itself, so a word depends on its own stretch only.
    """
    text = text.replace("\u200b", "")
    return [text[start:end] for start, end, _ in pieces(text)]


def pieces(text: str) -> Iterator[tuple[int, int, str]]:
    """(start, end, kind) of each item of `words`; kind is "khmer", "other", "picture" or "sign"."""
    for match in _PIECE.finditer(text):
        kind = match.lastgroup
        if kind == "khmer":
            for start, end in _segmented(match[0]):
                yield match.start() + start, match.start() + end, kind
        elif kind != "space":
            yield match.start(), match.end(), kind


@lru_cache(maxsize=1 << 14)
def _segmented(stretch: str) -> tuple[Span, ...]:
    spans = []
    end = 0
    for word in khmercut.tokenize(stretch):
        start, end = end, end + len(word)
        spans.append((start, end))
    return tuple(spans)
