"""Spoken words -> the letters of the aligner (a-z and the apostrophe), by uroman."""

from __future__ import annotations

from functools import cache, lru_cache
from typing import TYPE_CHECKING

from khmer_aligned.text.spans import Span

if TYPE_CHECKING:
    from uroman import Uroman

LETTERS = frozenset("abcdefghijklmnopqrstuvwxyz'")


@cache
def _uroman() -> Uroman:
    from uroman import Uroman  # takes seconds to load, so only when a word is romanized

    return Uroman()


@lru_cache(maxsize=1 << 17)
def romanize(word: str) -> tuple[str, tuple[Span, ...]]:
    """The letters of one word and the span in the word of each letter.

    Words are romanized one by one, because uroman's letters depend on the words around. A word
    without letters, such as an emoji, gives `("", ())`.

    Source: Hermjakob, May, Knight, "Out-of-the-box Universal Romanization Tool uroman", ACL 2018.
    """
    from uroman import RomFormat

    letters: list[str] = []
    spans: list[Span] = []
    for edge in _uroman().romanize_string(word, lcode="khm", rom_format=RomFormat.EDGES):
        for letter in edge.txt.lower().replace("’", "'"):
            if letter in LETTERS:
                letters.append(letter)
                spans.append((edge.start, edge.end))
    if not any(letter != "'" for letter in letters):
        return "", ()
    return "".join(letters), tuple(spans)
