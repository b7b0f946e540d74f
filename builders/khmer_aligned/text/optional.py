"""Phrases of a transcript that may not be spoken: names of speakers, stage directions, addresses.

Whether a phrase was spoken is decided by the audio, as the reading of a number is. What nobody can
speak, markup and emoji, is taken out without a question.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from typing import NamedTuple

from khmer_aligned.text.turns import COLON, LINE_START, NAME, find_turns


class OptionalPhrase(NamedTuple):
    """Characters [start, end) of a text that may not be spoken, and what they seem to be."""

    start: int
    end: int
    kind: str  # as in `a heading`
    silent: bool = False  # nobody can speak it
    spoken: str = ""  # what stands in its place where it is left out


_NAME = "a name before a colon"
_KHMER = "\u1780-\u17d3\u17dd"
_SENTENCE_END = frozenset("។៕?!…៖:;,")
_MAX_HEADING = 60  # characters
_MAX_HEADINGS = 0.3  # share of the lines; where there are more, lines end without a mark
_LEAST_KHMER = 0.2  # share of the letters; a text with less is not a Khmer one with foreign lines

# In this order where two begin at the same character; the longer ones first.
_PHRASES: tuple[tuple[str, str], ...] = (
    ("an address", r"(?:https?://|www\.)[^\s<>()\[\]។]+"),
    ("an address", r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+"),
    ("an address", r"(?<![\w.@/])[A-Za-z0-9][\w-]*(?:\.[\w-]+)*\.(?:com|org|net|gov|edu|info|kh)"
                   r"(?![A-Za-z])(?:/[^\s<>()\[\]។]*)?"),
    ("a footnote mark", r"\[[\d០-៩]{1,3}\]|\([\d០-៩]{1,2}\)(?=[\s។])"
                        rf"|(?<=[{_KHMER}។])[¹²³⁰-⁹]+|(?<=[{_KHMER}])[*†‡]+(?=[\s។]|$)"),
    ("a stage direction", r"\[[^\[\]\n]{1,100}\]|\([^()\n]{1,100}\)|\{[^{}\n]{1,100}\}"
                          r"|（[^（）\n]{1,100}）|♪[^♪\n]{0,100}♪|\*[^*\n]{1,60}\*"),
    ("a telephone number", r"(?<![\d០-៩])(?:\+|0|០)[\d០-៩](?:[ .-]?[\d០-៩]){7,11}(?![\d០-៩])"),
    (_NAME, rf"{LINE_START}{NAME}{COLON}(?=[ \t]*\S)[ \t]*"),
    ("a list number", r"(?m:^)[ \t]*[\d០-៩]{1,3}[.)](?![\d០-៩])[ \t]*(?=\S)"),
    ("a page number", r"(?m:^)[ \t]*(?:[-–—~*]+ ?)?(?:ទំព័រ(?:ទី)?[ :]*|[Pp]age )?[\d០-៩]{1,4}"
                      r"(?: ?/ ?[\d០-៩]{1,4})?(?: ?[-–—~*]+)?[ \t]*(?m:$)"),
)  # fmt: skip
_SILENT: tuple[tuple[str, str], ...] = (
    ("markup", r"</?[A-Za-z][^<>\n]*>|<!--.*?-->"),
    ("markup", r"&(?:[A-Za-z]{2,8}|#\d{2,6}|#x[0-9A-Fa-f]{2,5});"),
    ("an emoji", "[\u2600-\u2793\u2b50\U0001f000-\U0001faff][\u2600-\u2793\ufe0f\u200d\u20e3"
                 "\U0001f000-\U0001faff\U000e0020-\U000e007f]*"),
)  # fmt: skip
_PATTERN = re.compile(
    "|".join(f"(?P<p{k}>{pattern})" for k, (_, pattern) in enumerate((*_PHRASES, *_SILENT)))
)
_HEADING_MARK = re.compile(r"#{1,6} |ជំពូក|មេរៀនទី|ភាគទី|ផ្នែកទី|Chapter ")
_ANY_KHMER = re.compile("[\u1780-\u17ff]")
_LETTER = re.compile(r"[^\W\d_]")


def find_optional(canonical: str) -> list[OptionalPhrase]:
    """The optional phrases of a canonical text, in order; none overlaps another."""
    phrases: list[OptionalPhrase] = []
    names = [OptionalPhrase(*turn[:2], _NAME) for turn in find_turns(canonical)]
    candidates = [*_inline(canonical), *_optional_lines(canonical), *names]
    for phrase in sorted(candidates, key=lambda phrase: (phrase.start, -phrase.end)):
        if not phrases or phrase.start >= phrases[-1].end:
            phrases.append(phrase)
    return phrases


def _inline(canonical: str) -> Iterator[OptionalPhrase]:
    kinds = [kind for kind, _ in (*_PHRASES, *_SILENT)]
    for match in _PATTERN.finditer(canonical):
        number = int(str(match.lastgroup)[1:])
        silent = number >= len(_PHRASES)
        spoken = html.unescape(match[0]) if match[0].startswith("&") else ""
        if spoken == match[0]:
            continue  # no entity
        yield OptionalPhrase(*match.span(), kinds[number], silent, spoken.replace("\xa0", " "))


def _optional_lines(canonical: str) -> Iterator[OptionalPhrase]:
    """Headings, and lines of another script in a text that is Khmer."""
    lines = [*re.finditer(r"[^\n]*\S[^\n]*", canonical)]
    letters = _LETTER.findall(canonical)
    khmer = sum("\u1780" <= letter <= "\u17d3" for letter in letters)
    is_khmer = khmer > _LEAST_KHMER * len(letters)
    for match in lines if is_khmer else ():
        if _LETTER.search(match[0]) and not _ANY_KHMER.search(match[0]):
            yield OptionalPhrase(*match.span(), "a line of another script")
    headings = [match for match in lines if _is_heading(match, canonical)]
    if len(headings) <= max(1, _MAX_HEADINGS * len(lines)) and len(lines) > 1:
        yield from (OptionalPhrase(*match.span(), "a heading") for match in headings)


def _is_heading(line: re.Match[str], canonical: str) -> bool:
    """Whether a line is marked as one, or short and without a mark at its end where others have."""
    text = line[0].strip()
    if len(text) > _MAX_HEADING or not _LETTER.search(text):
        return False
    if _HEADING_MARK.match(text):
        return True
    rest = canonical[line.end() :].lstrip()
    return bool(rest) and text[-1] not in _SENTENCE_END and "។" not in text and "។" in rest
