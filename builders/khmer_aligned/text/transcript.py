"""Transcript: raw -> canonical -> spoken -> words -> romanized, with spans all the way back."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from itertools import pairwise

from khmer_aligned.text.normalize import normalize_traced
from khmer_aligned.text.romanize import romanize
from khmer_aligned.text.spans import Span, Traced, rewrite
from khmer_aligned.text.verbalize import Unit, join, units
from khmer_aligned.text.words import pieces


class Break(IntEnum):
    """Strength of the boundary after a word.

    NEVER stands inside one written unit (a number read as several words, before ៗ) and inside a
    name. A spaced ។ belongs to the word before it, so the break after that word is a SENTENCE.
    """

    NEVER = 0
    WORD = 1
    SPACE = 2
    COLON = 3
    SENTENCE = 4
    PARAGRAPH = 5


@dataclass(frozen=True, slots=True)
class SpokenWord:
    """One spoken word; every span is in characters of the raw text."""

    text: str  # canonical, without spaces
    romanized: str  # a-z and '; "" where the word has no letter, which the aligner hears as a star
    span: Span  # what it was read from; all the words of a number share the number's span
    slot: Span  # from this word's start to the next word's: the slots tile the raw text
    char_spans: tuple[Span, ...]  # of each character of `text`
    letter_spans: tuple[Span, ...]  # of each letter of `romanized`
    break_after: Break

    @property
    def is_star(self) -> bool:
        """A symbol, an emoji: it keeps its place, but the aligner has no letter for it."""
        return not self.romanized


@dataclass(frozen=True, slots=True)
class Ambiguity:
    """A written unit that can be read in several ways, for the aligner to choose by ear."""

    span: Span  # raw
    first: int  # words[first:last] of the transcript are the reading in use
    last: int
    readings: tuple[tuple[SpokenWord, ...], ...]  # the default first, at most 4
    chosen: int


@dataclass(frozen=True, slots=True)
class Transcript:
    """A text at every level, from the raw characters to the words an aligner hears.

    Slots: a word's slot starts where the word starts (or at the bullet, the opening bracket or
    the quote before it) and ends where the next one's starts, so trailing punctuation and space
    belong to the word before, and whatever precedes the first word to the first. Of the words of
    one number the last takes the whole slot and the others an empty one at its start.
    """

    raw: str
    canonical: str
    spoken: str
    words: tuple[SpokenWord, ...]
    ambiguities: tuple[Ambiguity, ...]
    _raw_bounds: tuple[int, ...]  # one more than words
    _canonical_bounds: tuple[int, ...]
    _spoken_bounds: tuple[int, ...]

    @classmethod
    def from_text(cls, raw: str, chosen: Mapping[Span, int] | None = None) -> Transcript:
        """Read `raw`; `chosen` maps the raw span of an ambiguity to the reading to use there."""
        return _Reader(raw, chosen or {}).transcript()

    def reread(self, chosen: Mapping[Span, int]) -> Transcript:
        """The same text with other readings: raw span of an ambiguity -> index of its reading."""
        kept = {each.span: each.chosen for each in self.ambiguities}
        return Transcript.from_text(self.raw, {**kept, **chosen})

    def slice_raw(self, i: int, j: int) -> Span:
        """Raw span of `words[i:j]`; slices tile the raw text, and (0, n) is all of it."""
        return _slice(self._raw_bounds, i, j)

    def written(self, i: int, j: int) -> str:
        """The written form of `words[i:j]`: an exact slice of the canonical text, stripped."""
        start, end = _slice(self._canonical_bounds, i, j)
        return self.canonical[start:end].strip()

    def spoken_text(self, i: int, j: int) -> str:
        """The spoken form of `words[i:j]`: an exact slice of the spoken text, stripped."""
        start, end = _slice(self._spoken_bounds, i, j)
        return self.spoken[start:end].strip()


def _slice(bounds: tuple[int, ...], i: int, j: int) -> Span:
    count = len(bounds) - 1
    if not 0 <= i <= j <= count:
        raise IndexError(f"no words [{i}:{j}] in a transcript of {count}")
    return bounds[i] if i else 0, bounds[-1] if j == count else bounds[j]


@dataclass(slots=True)
class _Word:
    start: int  # in the spoken text
    end: int
    unit: int | None  # index of the verbalized unit it belongs to


_TITLES = frozenset({"លោក", "លោកស្រី", "លោកជំទាវ", "ឯកឧត្តម", "អ្នកស្រី", "អ្នកនាង", "កញ្ញា", "សម្តេច"})
_OPENING = frozenset("([{«‹“‘<「『")
_BULLETS = frozenset("-*•·●○■□▪▶► ")  # before the first word of a line
_BREAKS = (
    (re.compile(r"\A-\Z"), Break.NEVER),  # COVID-19
    (re.compile(r"\A/\Z"), Break.WORD),
    (re.compile("[\n៕៚]"), Break.PARAGRAPH),
    (re.compile(r"[។!?…]|\.(?!\S)"), Break.SENTENCE),
    (re.compile("[៖:;]"), Break.COLON),
    (re.compile("."), Break.SPACE),
)


class _Reader:
    """Builds one Transcript."""

    def __init__(self, raw: str, chosen: Mapping[Span, int]):
        self.canonical = normalize_traced(raw)
        self.raw = raw
        self.units: list[Unit] = units(self.canonical.text)
        raw_spans = [self.canonical.locate(unit.start, unit.end) for unit in self.units]
        unknown = set(chosen) - set(raw_spans)
        if unknown:
            raise KeyError(f"no verbalized unit at {sorted(unknown)}")
        self.raw_spans = raw_spans
        self.choice = [chosen.get(span, 0) for span in raw_spans]
        self.spoken_on_canonical = rewrite(
            self.canonical.text,
            [
                (unit.start, unit.end, join(unit.readings[choice]))
                for unit, choice in zip(self.units, self.choice, strict=True)
            ],
        )
        self.spoken = self.spoken_on_canonical.onto(self.canonical)

    def transcript(self) -> Transcript:
        words = self._words()
        raw_bounds, canonical_bounds, spoken_bounds = self._bounds(words)
        breaks = self._breaks(words)
        spoken_words = tuple(
            _spoken_word(
                self.spoken.text[word.start : word.end],
                self.spoken.spans[word.start : word.end],
                (raw_bounds[k] if k else 0, raw_bounds[k + 1]),
                breaks[k],
            )
            for k, word in enumerate(words)
        )
        return Transcript(
            raw=self.raw,
            canonical=self.canonical.text,
            spoken=self.spoken.text,
            words=spoken_words,
            ambiguities=tuple(self._ambiguities(words, spoken_words)),
            _raw_bounds=raw_bounds,
            _canonical_bounds=canonical_bounds,
            _spoken_bounds=spoken_bounds,
        )

    def _words(self) -> list[_Word]:
        """Words of the spoken text: those of a unit as it names them, the rest segmented."""
        found: list[_Word] = []
        done = offset = 0  # in the canonical text; spoken minus canonical
        for index, (unit, choice) in enumerate(zip(self.units, self.choice, strict=True)):
            self._segment(done + offset, unit.start + offset, found)
            position = unit.start + offset
            for part in unit.readings[choice]:
                if not part.isspace():
                    found.append(_Word(position, position + len(part), index))
                position += len(part)
            done, offset = unit.end, position - unit.end
        self._segment(done + offset, len(self.spoken.text), found)
        return found

    def _segment(self, start: int, end: int, found: list[_Word]) -> None:
        stretch = self.spoken.text[start:end]
        for first, last, kind in pieces(stretch):
            if kind != "sign" or is_symbol(stretch[first:last]):
                found.append(_Word(start + first, start + last, None))

    def _bounds(self, words: list[_Word]) -> tuple[tuple[int, ...], ...]:
        """Where each word's slot starts, in the raw, the canonical and the spoken text."""
        raw, canonical, spoken = [], [], []
        text = self.canonical.text
        unit = None
        for word in words:
            start = bound = self.spoken_on_canonical.spans[word.start][0]
            while bound and _opens(text, bound - 1):
                bound -= 1
            line = text.rfind("\n", 0, bound) + 1
            if _BULLETS.issuperset(text[line:bound]):
                bound = line
            canonical.append(bound)
            raw.append(self.canonical.locate(bound, bound)[0])
            inside = word.unit is not None and word.unit == unit
            spoken.append(word.start if inside else word.start - (start - bound))
            unit = word.unit
        return (
            (*raw, len(self.raw)),
            (*canonical, len(text)),
            (*spoken, len(self.spoken.text)),
        )

    def _breaks(self, words: list[_Word]) -> list[Break]:
        found = []
        for word, following in pairwise(words):
            unit = following.unit
            if unit is not None and (unit == word.unit or self.units[unit].attached):
                found.append(Break.NEVER)
            else:
                between = self.spoken.text[word.end : following.start]
                initial = word.end - word.start == 1 and self.spoken.text[word.start].isupper()
                found.append(Break.SPACE if initial and between == ". " else _strength(between))
        self._keep_names(words, found)
        return [*found, Break.PARAGRAPH] if words else []

    def _keep_names(self, words: list[_Word], breaks: list[Break]) -> None:
        """No break inside a name: capitalized words in a row, or the two parts after a title.

        The family name after a title is at most three words of the segmenter; what is longer is
        no name.
        """
        texts = [self.spoken.text[word.start : word.end] for word in words]
        for k in range(len(breaks)):
            if breaks[k] != Break.SPACE or words[k + 1].start - words[k].end != 1:
                continue
            if texts[k][0].isupper() and texts[k + 1][0].isupper():
                if breaks[max(k - 3, 0) : k] != [Break.NEVER] * 3:  # four words at most: no heading
                    breaks[k] = Break.NEVER
            elif texts[k] in _TITLES:
                end = k + 1  # of the family name, as the segmenter cut it
                while end < len(breaks) and breaks[end] == Break.WORD:
                    end += 1
                if end - k <= 3:
                    breaks[k:end] = [Break.NEVER] * (end - k)
                    if end < len(breaks) and breaks[end] == Break.SPACE:
                        breaks[end] = Break.NEVER

    def _ambiguities(self, words: list[_Word], spoken_words: tuple[SpokenWord, ...]):
        owned: dict[int, list[int]] = {}
        for k, word in enumerate(words):
            if word.unit is not None:
                owned.setdefault(word.unit, []).append(k)
        for index, unit in enumerate(self.units):
            if len(unit.readings) == 1 or index not in owned:
                continue
            first, last = owned[index][0], owned[index][-1] + 1
            slot = (spoken_words[first].slot[0], spoken_words[last - 1].slot[1])
            span = self.raw_spans[index]
            yield Ambiguity(
                span=span,
                first=first,
                last=last,
                readings=tuple(
                    _unit_words(reading, span, slot, spoken_words[last - 1].break_after)
                    for reading in unit.readings
                ),
                chosen=self.choice[index],
            )


def _unit_words(
    reading: tuple[str, ...], span: Span, slot: Span, break_after: Break
) -> tuple[SpokenWord, ...]:
    texts = [part for part in reading if not part.isspace()]
    empty = (slot[0], slot[0])
    return tuple(
        _spoken_word(
            text,
            (span,) * len(text),
            slot if text_is_last else empty,
            break_after if text_is_last else Break.NEVER,
        )
        for text, text_is_last in zip(texts, [False] * (len(texts) - 1) + [True], strict=True)
    )


def _spoken_word(
    text: str, char_spans: tuple[Span, ...], slot: Span, break_after: Break
) -> SpokenWord:
    letters, spans = romanize(text)
    located = Traced(text, char_spans)
    return SpokenWord(
        text=text,
        romanized=letters,
        span=located.locate(0, len(text)),
        slot=slot,
        char_spans=char_spans,
        letter_spans=tuple(located.locate(start, end) for start, end in spans),
        break_after=break_after,
    )


def is_symbol(char: str) -> bool:
    """A sign that stands for something sayable but has no letter: ©, →, a lone plus sign.

    Punctuation, bullets (box drawing, geometric shapes, dingbat arrows), ASCII rules and
    modifiers are no words.
    """
    if "\u2500" <= char <= "\u25ff" or "\u2794" <= char <= "\u27bf" or char in "<>|~":
        return False
    return unicodedata.category(char) in {"So", "Sc", "Sm", "Nd", "Nl", "No"}


def _opens(text: str, position: int) -> bool:
    char = text[position]
    if char in _OPENING:
        return True
    return char in "\"'" and (position == 0 or text[position - 1].isspace())


def _strength(between: str) -> Break:
    for pattern, strength in _BREAKS:
        if pattern.search(between):
            return strength
    return Break.WORD
