"""Segments as subtitles that people can read in time."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from khmer_aligned.subtitles import Cue
from khmer_aligned.text.words import segment as segment_words
from khmer_whisper.transcription.segments import Segment

# As in the guides for subtitles of Netflix and the BBC.
MAX_COLUMNS = 42  # of a line
MAX_LINES = 2
MAX_SPEED = 17  # characters a second
MAX_SECONDS = 7.0
MIN_SECONDS = 5 / 6

# A consonant with its subscripts, vowels and signs is one column, and so is any other character
# with its marks.
_CLUSTER = re.compile(
    r"[\s\S](?:្[ក-ឳ]?|[\u17b4-\u17d1\u17d3\u17dd\u0300-\u036f\u200c\u200d\ufe0f])*"
)
_CLOSING = frozenset("។៕៖ៗ៘៚!?…,.;:)]}»”’%")
_OPENING = frozenset("([{«“‘")

# What it costs to end a cue or a line behind a word, in cues.
_SENTENCE, _COLON, _SPACE, _WORD = 0.0, 0.2, 0.3, 0.8
_NUMBER = 1.6  # before what is counted
_SHORT = 0.5  # for a cue that is shown too briefly
_EMPTINESS = 0.5  # for an empty cue


@dataclass(frozen=True, slots=True)
class _Unit:
    """Characters [start, end) of a text that stay together; times in seconds.

    columns: clusters before `start` and before `end`. cost: of a break behind it.
    """

    start: int
    end: int
    columns: tuple[int, int]
    cost: float
    time: tuple[float, float]


def make_cues(segments: Iterable[Segment]) -> Iterator[Cue]:
    """The cues of segments, in order: at most two lines of 42 columns and 7 s.

    A cue ends at the end of a phrase, if possible, and never inside a word; a word that is wider
    than a line stays whole. It is shown for at least as long as it takes to read, unless the next
    one begins. The times within a segment are those of its words; without them the text is spread
    over its speech.
    """
    waiting: Cue | None = None
    for segment in segments:
        for cue in _cut(segment):
            if waiting is not None:
                yield _prolong(waiting, cue.start)
            waiting = cue
    if waiting is not None:
        yield _prolong(waiting, float("inf"))


def count_columns(text: str) -> int:
    """The clusters of a text: what is written in one place."""
    return len(_CLUSTER.findall(text))


def _prolong(cue: Cue, following: float) -> Cue:
    """Show a cue long enough to read it, at most until the next one begins."""
    reading = max(MIN_SECONDS, count_columns(cue.text) / MAX_SPEED)
    return cue._replace(end=min(max(cue.end, cue.start + reading), max(following, cue.end)))


def _cut(segment: Segment) -> list[Cue]:
    """The cues of one segment: the cheapest way to cut its text, by dynamic programming."""
    units = _make_units(segment)
    costs = [0.0] + [float("inf")] * len(units)
    best: dict[int, tuple[int, str]] = {}
    for i in range(len(units)):
        for j in range(i + 1, len(units) + 1):
            layout = _lay_out(segment.text, units[i:j])
            if layout is None or (j > i + 1 and _seconds(units[i:j]) > MAX_SECONDS):
                break
            text, cost = layout
            cost += costs[i] + _cost(units[i:j])
            if cost < costs[j]:
                costs[j], best[j] = cost, (i, text)
    cues = []
    j = len(units)
    while j > 0:
        i, text = best[j]
        cues.append(Cue(units[i].time[0], units[j - 1].time[1], text))
        j = i
    return cues[::-1]


def _seconds(units: list[_Unit]) -> float:
    return units[-1].time[1] - units[0].time[0]


def _cost(units: list[_Unit]) -> float:
    """One for each cue, so that few are made; more for a weak break, a short or an empty cue."""
    columns = units[-1].columns[1] - units[0].columns[0]
    emptiness = max(0.0, 1 - columns / (MAX_LINES * MAX_COLUMNS))
    short = _SHORT if _seconds(units) < MIN_SECONDS else 0.0
    return 1.0 + units[-1].cost + short + _EMPTINESS * emptiness**2


def _lay_out(text: str, units: list[_Unit]) -> tuple[str, float] | None:
    """The lines of a cue and what their break costs; None where they do not fit."""
    first, last = units[0], units[-1]
    if last.columns[1] - first.columns[0] <= MAX_COLUMNS or len(units) == 1:
        return text[first.start : last.end], 0.0
    breaks = []
    for before, after in pairwise(units):
        upper = before.columns[1] - first.columns[0]
        lower = last.columns[1] - after.columns[0]
        fits = (upper <= MAX_COLUMNS or before is first) and (lower <= MAX_COLUMNS or after is last)
        if fits:
            balance = abs(upper - lower) / MAX_COLUMNS
            breaks.append(((before.cost + balance) / 4, before.end, after.start))
    if not breaks:
        return None
    cost, end, start = min(breaks)
    return f"{text[first.start : end]}\n{text[start : last.end]}", cost


def _make_units(segment: Segment) -> list[_Unit]:
    """The words of a segment with the signs that belong to them, and their times."""
    text = segment.text
    spans: list[tuple[int, int]] = []
    for piece in segment_words(text):
        joined = spans and spans[-1][1] == piece.start
        sign, before = text[piece.start], text[piece.start - 1] if piece.start else ""
        if joined and (sign in _CLOSING or before in _OPENING or _is_one_word(before, sign)):
            spans[-1] = (spans[-1][0], piece.end)
        else:
            spans.append((piece.start, piece.end))
    columns = [0] * (len(text) + 1)  # clusters before each character
    for number, match in enumerate(_CLUSTER.finditer(text), start=1):
        columns[match.end()] = number
        for inside in range(match.start() + 1, match.end()):
            columns[inside] = number
    times = _time_spans(segment, spans, columns)
    ends = [*(start for start, _ in spans[1:]), len(text)]
    return [
        _Unit(start, end, (columns[start], columns[end]), _break_cost(text[end - 1 : following]), t)
        for (start, end), following, t in zip(spans, ends, times, strict=True)
    ]


def _is_one_word(before: str, after: str) -> bool:
    """Whether two characters of no Khmer belong together: digits, Latin letters, their signs."""
    return not any("\u1780" <= c <= "\u17d3" or c.isspace() for c in (before, after))


def _break_cost(between: str) -> float:
    """The cost of a break, by the last character of a word and the spaces behind it."""
    if re.match("[។៕៚!?…]|\\.\\s", between):
        return _SENTENCE
    if re.match("[៖:;,]", between):
        return _COLON
    if between[1:]:
        return _SPACE
    return _NUMBER if between[0].isdigit() else _WORD


class _Stretch(NamedTuple):
    """Columns [first, last) of a text and the seconds in which they are spoken."""

    first: float
    last: float
    start: float
    end: float

    def time(self, column: float) -> float:
        share = (column - self.first) / (self.last - self.first) if self.last > self.first else 0.0
        return self.start + share * (self.end - self.start)


def _time_spans(
    segment: Segment, spans: list[tuple[int, int]], columns: list[int]
) -> list[tuple[float, float]]:
    """When each span of the text is spoken."""
    stretches = _word_stretches(segment, columns) or _speech_stretches(segment, columns[-1])
    times = []
    latest = segment.start
    for start, end in spans:
        begins = next((s for s in stretches if s.last > columns[start]), stretches[-1])
        ends = next((s for s in reversed(stretches) if s.first < columns[end]), stretches[0])
        begin = max(latest, begins.time(max(columns[start], begins.first)))
        latest = max(begin, ends.time(min(columns[end], ends.last)))
        times.append((begin, latest))
    return times


def _word_stretches(segment: Segment, columns: list[int]) -> list[_Stretch]:
    """A stretch for each word of the segment; [] without words."""
    stretches = []
    position = 0
    for word in segment.words or ():
        place = segment.text.find(word.text, position)
        if place >= 0 and word.text:
            position = place + len(word.text)
            stretches.append(_Stretch(columns[place], columns[position], word.start, word.end))
    return stretches


def _speech_stretches(segment: Segment, columns: int) -> list[_Stretch]:
    """The text spread evenly over the segment's speech."""
    seconds = sum(speech.end - speech.start for speech in segment.speech)
    stretches = []
    done = 0.0
    for speech in segment.speech:
        first = done / seconds * columns
        done += speech.end - speech.start
        stretches.append(_Stretch(first, done / seconds * columns, speech.start, speech.end))
    return stretches
