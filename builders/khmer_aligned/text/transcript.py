"""Transcript: raw -> canonical -> spoken -> words -> romanized, with spans all the way back."""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from khmer_aligned.text.breaks import Break, find_breaks
from khmer_aligned.text.normalize import normalize_with_spans
from khmer_aligned.text.numbers import Reading
from khmer_aligned.text.optional import find_optional
from khmer_aligned.text.romanize import romanize
from khmer_aligned.text.spans import Edit, Span, TextWithSpans, rewrite
from khmer_aligned.text.turns import find_turns, speaker_at
from khmer_aligned.text.verbalize import Expression, find_expressions, join, verbalize
from khmer_aligned.text.words import segment


@dataclass(frozen=True, slots=True)
class SpokenWord:
    """One spoken word; every span is in characters of the raw text."""

    text: str  # canonical, without spaces
    romanized: str  # a-z and '; "" where the word has no letter, which the aligner takes as a star
    span: Span  # what it was read from; all the words of a number share the number's span
    slot: Span  # from this word's start to the next word's: the slots tile the raw text
    char_spans: tuple[Span, ...]  # one for each character of `text`
    letter_spans: tuple[Span, ...]  # one for each letter of `romanized`
    break_after: Break

    @property
    def is_star(self) -> bool:
        """Whether this is a symbol or an emoji: it keeps its place, but has no letter to align."""
        return not self.romanized


@dataclass(frozen=True, slots=True)
class Unread:
    """A phrase that may not be read aloud, or was not: a stage direction, an address, markup."""

    span: Span  # raw
    kind: str
    silent: bool  # nobody can speak it


@dataclass(frozen=True, slots=True)
class Ambiguity:
    """An expression that can be read in several ways, among which the audio chooses."""

    span: Span  # raw
    first: int  # words[first:last] of the transcript are the reading in use
    last: int
    readings: tuple[tuple[SpokenWord, ...], ...]  # the default first, at most 4
    chosen: int


class _Bounds(NamedTuple):
    """Where the slot of each word starts at each level, and where the text ends: n + 1 places."""

    raw: tuple[int, ...]
    canonical: tuple[int, ...]
    spoken: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Transcript:
    """A text at every level, from the raw characters to the words that are aligned.

    speakers: of each word, who speaks it, where the text is a dialogue.
    optional: the phrases that may be left out, of which the text holds words; the audio decides.
    omitted: those that are left out: neither words nor the written form have them.

    Slots: a word's slot starts where the word starts (or at the bullet, the opening bracket or
    the quote before it) and ends where the next one's starts, so trailing punctuation and space
    belong to the word before, and whatever precedes the first word to the first. Of the words of
    one number the last takes the whole slot and the others an empty one at its start.
    """

    raw: str
    canonical: str
    spoken: str
    words: tuple[SpokenWord, ...]
    speakers: tuple[str | None, ...]
    ambiguities: tuple[Ambiguity, ...]
    optional: tuple[Unread, ...]
    omitted: tuple[Unread, ...]
    _bounds: _Bounds
    _edits: tuple[Edit, ...]  # of the canonical text where phrases are left out

    @classmethod
    def from_text(
        cls,
        raw: str,
        chosen: Mapping[Span, int] | None = None,
        omitted: Collection[Span] = (),
    ) -> Transcript:
        """Read `raw`; `chosen` maps the raw span of an ambiguity to the reading to use there.

        omitted: raw spans of optional phrases to leave out.
        """
        return _Builder(raw, chosen or {}, omitted).build()

    def reread(self, chosen: Mapping[Span, int]) -> Transcript:
        """The same text with other readings: raw span of an ambiguity -> index of its reading."""
        kept = {ambiguity.span: ambiguity.chosen for ambiguity in self.ambiguities}
        return Transcript.from_text(
            self.raw, {**kept, **chosen}, [phrase.span for phrase in self.omitted]
        )

    def omit(self, phrases: Collection[Span]) -> Transcript:
        """The same text without some more of its optional phrases, by their raw spans."""
        omitted = {*phrases, *(phrase.span for phrase in self.omitted)}
        return Transcript.from_text(self.raw, omitted=omitted) if phrases else self

    def slice_raw(self, i: int, j: int) -> Span:
        """Raw span of `words[i:j]`; slices tile the raw text, and (0, n) is all of it."""
        return _slice(self._bounds.raw, i, j)

    def written(self, i: int, j: int) -> str:
        """The written form of `words[i:j]`: an exact slice of the canonical text, stripped.

        What is left out of the words is left out here, too.
        """
        start, end = _slice(self._bounds.canonical, i, j)
        edits = [edit for edit in self._edits if start <= edit[0] and edit[1] <= end]
        if not edits:
            return self.canonical[start:end].strip()
        shifted = [(first - start, last - start, text) for first, last, text in edits]
        rewritten = rewrite(self.canonical[start:end], shifted).text
        return _SPACES.sub(lambda match: "\n" if "\n" in match[0] else " ", rewritten).strip()

    def speaker_of(self, i: int, j: int) -> str | None:
        """Who speaks `words[i:j]`; None where nobody is named, or several speak."""
        speakers = set(self.speakers[i:j])
        return speakers.pop() if len(speakers) == 1 else None

    def spoken_text(self, i: int, j: int) -> str:
        """The spoken form of `words[i:j]`: an exact slice of the spoken text, stripped."""
        start, end = _slice(self._bounds.spoken, i, j)
        return self.spoken[start:end].strip()


def _slice(bounds: tuple[int, ...], i: int, j: int) -> Span:
    count = len(bounds) - 1
    if not 0 <= i <= j <= count:
        raise IndexError(f"no words [{i}:{j}] in a transcript of {count}")
    return bounds[i] if i else 0, bounds[-1] if j == count else bounds[j]


class _Word(NamedTuple):
    start: int  # in the spoken text
    end: int
    expression: int | None  # index of the expression it is read from


_SPACES = re.compile(r"[ \n]{2,}")
_OPENING = frozenset("([{«‹“‘<「『")
_BULLETS = frozenset("-*•·●○■□▪▶► ")  # before the first word of a line


class _Builder:
    """Builds one Transcript."""

    def __init__(self, raw: str, chosen: Mapping[Span, int], omitted: Collection[Span]):
        self.raw = raw
        self.canonical = normalize_with_spans(raw)
        self._find_optional(omitted)
        self.expressions = self._without_omitted(find_expressions(self.canonical.text))
        self.raw_spans = [self.canonical.locate(item.start, item.end) for item in self.expressions]
        unknown = set(chosen) - set(self.raw_spans)
        if unknown:
            raise KeyError(f"no expression at {sorted(unknown)}")
        self.chosen = [chosen.get(span, 0) for span in self.raw_spans]
        self.in_use: list[Reading] = [
            expression.readings[choice]
            for expression, choice in zip(self.expressions, self.chosen, strict=True)
        ]
        self.spoken_on_canonical = rewrite(
            self.canonical.text,
            [
                (expression.start, expression.end, join(reading))
                for expression, reading in zip(self.expressions, self.in_use, strict=True)
            ],
        )
        self.spoken = self.spoken_on_canonical.compose(self.canonical)

    def _find_optional(self, omitted: Collection[Span]) -> None:
        self.optional: list[Unread] = []
        self.omitted: list[Unread] = []
        self.edits: list[Edit] = []
        for phrase in find_optional(self.canonical.text):
            span = self.canonical.locate(phrase.start, phrase.end)
            unread = Unread(span, phrase.kind, phrase.silent)
            if span in omitted:
                self.omitted.append(unread)
                self.edits.append((phrase.start, phrase.end, phrase.spoken))
            else:
                self.optional.append(unread)
        if unknown := set(omitted) - {phrase.span for phrase in self.omitted}:
            raise KeyError(f"no optional phrase at {sorted(unknown)}")

    def _without_omitted(self, expressions: list[Expression]) -> list[Expression]:
        """The expressions, with one for each omitted phrase in place of those that meet it."""
        kept = [
            expression
            for expression in expressions
            if not any(start < expression.end and expression.start < end
                       for start, end, _ in self.edits)
        ]  # fmt: skip
        for start, end, text in self.edits:
            spoken = verbalize(text)
            is_word = any(map(str.isalnum, spoken))  # else an entity that stands for a sign
            reading = (spoken if is_word else " ",) if text else ()
            kept.append(Expression(start, end, (reading,)))
        return sorted(kept, key=lambda expression: expression.start)

    def build(self) -> Transcript:
        words = self._words()
        bounds = self._bounds(words)
        breaks = self._breaks(words)
        slots = pairwise((0, *bounds.raw[1:])) if words else ()
        spoken_words = tuple(
            _spoken_word(
                self.spoken.text[word.start : word.end],
                self.spoken.spans[word.start : word.end],
                slot,
                break_after,
            )
            for word, slot, break_after in zip(words, slots, breaks, strict=True)
        )
        return Transcript(
            raw=self.raw,
            canonical=self.canonical.text,
            spoken=self.spoken.text,
            words=spoken_words,
            speakers=tuple(self._speakers(words)),
            ambiguities=tuple(self._ambiguities(words, spoken_words)),
            optional=tuple(self.optional),
            omitted=tuple(self.omitted),
            _bounds=bounds,
            _edits=tuple(self.edits),
        )

    def _words(self) -> list[_Word]:
        """Words of the spoken text: those of an expression as it names them, the rest segmented."""
        words: list[_Word] = []
        done = offset = 0  # in the canonical text; spoken minus canonical
        for index, (expression, reading) in enumerate(
            zip(self.expressions, self.in_use, strict=True)
        ):
            words += self._segmented(done + offset, expression.start + offset)
            position = expression.start + offset
            for part in reading:
                if not part.isspace():
                    words.append(_Word(position, position + len(part), index))
                position += len(part)
            done, offset = expression.end, position - expression.end
        words += self._segmented(done + offset, len(self.spoken.text))
        return words

    def _segmented(self, start: int, end: int) -> Iterator[_Word]:
        stretch = self.spoken.text[start:end]
        for piece in segment(stretch):
            if piece.kind != "sign" or _is_symbol(stretch[piece.start]):
                yield _Word(start + piece.start, start + piece.end, None)

    def _speakers(self, words: list[_Word]) -> Iterator[str | None]:
        turns = find_turns(self.canonical.text)
        for word in words:
            yield speaker_at(turns, self.spoken_on_canonical.spans[word.start][0])

    def _bounds(self, words: list[_Word]) -> _Bounds:
        canonical, spoken = [], []
        previous = None
        for word in words:
            start = self.spoken_on_canonical.spans[word.start][0]
            bound = max(self._slot_start(start), self._end_of_omitted(start))
            canonical.append(bound)
            inside = word.expression is not None and word.expression == previous
            spoken.append(word.start if inside else word.start - (start - bound))
            previous = word.expression
        return _Bounds(
            raw=(*(self.canonical.locate(bound, bound)[0] for bound in canonical), len(self.raw)),
            canonical=(*canonical, len(self.canonical.text)),
            spoken=(*spoken, len(self.spoken.text)),
        )

    def _end_of_omitted(self, start: int) -> int:
        """Where the last omitted phrase before a place in the canonical text ends."""
        k = bisect_right(self.edits, start, key=lambda edit: edit[1])
        return self.edits[k - 1][1] if k else 0

    def _slot_start(self, start: int) -> int:
        """Where the brackets, quotes and bullets before a word begin, in the canonical text."""
        text = self.canonical.text
        while start and _opens(text, start - 1):
            start -= 1
        line = text.rfind("\n", 0, start) + 1
        return line if _BULLETS.issuperset(text[line:start]) else start

    def _breaks(self, words: list[_Word]) -> list[Break]:
        joined = [
            following.expression is not None
            and (
                following.expression == word.expression
                or self.expressions[following.expression].attached
            )
            for word, following in pairwise(words)
        ]
        spans = [(word.start, word.end) for word in words]
        breaks = find_breaks(self.spoken.text, spans, joined)
        return [*breaks, Break.PARAGRAPH] if words else []

    def _ambiguities(
        self, words: list[_Word], spoken_words: tuple[SpokenWord, ...]
    ) -> Iterator[Ambiguity]:
        places: dict[int, list[int]] = {}  # expression -> its words
        for k, word in enumerate(words):
            if word.expression is not None:
                places.setdefault(word.expression, []).append(k)
        for index, expression in enumerate(self.expressions):
            if len(expression.readings) == 1 or index not in places:
                continue
            first, last = places[index][0], places[index][-1] + 1
            slot = (spoken_words[first].slot[0], spoken_words[last - 1].slot[1])
            span = self.raw_spans[index]
            yield Ambiguity(
                span=span,
                first=first,
                last=last,
                readings=tuple(
                    _reading_words(reading, span, slot, spoken_words[last - 1].break_after)
                    for reading in expression.readings
                ),
                chosen=self.chosen[index],
            )


def _reading_words(
    reading: Reading, span: Span, slot: Span, break_after: Break
) -> tuple[SpokenWord, ...]:
    """The words of a reading; the last takes the slot and the break after."""
    *inner, last = (part for part in reading if not part.isspace())
    empty = (slot[0], slot[0])
    return (
        *(_spoken_word(text, (span,) * len(text), empty, Break.NEVER) for text in inner),
        _spoken_word(last, (span,) * len(last), slot, break_after),
    )


def _spoken_word(
    text: str, char_spans: tuple[Span, ...], slot: Span, break_after: Break
) -> SpokenWord:
    letters, spans = romanize(text)
    located = TextWithSpans(text, char_spans)
    return SpokenWord(
        text=text,
        romanized=letters,
        span=located.locate(0, len(text)),
        slot=slot,
        char_spans=char_spans,
        letter_spans=tuple(located.locate(start, end) for start, end in spans),
        break_after=break_after,
    )


def _is_symbol(char: str) -> bool:
    """A sign that can be spoken but has no letter: ©, →, a plus sign without a number.

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
