"""Who speaks in a dialogue: names before a colon, where they repeat as a pattern over a text."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from khmer_aligned.text.normalize import normalize

LINE_START = "(?m:^)[ \t>-]*"
NAME = "[\u1780-\u17d3\u17ddA-Za-z][^\n:៖។?!,]{0,40}?"  # before a colon
COLON = " ?[:៖](?![\\d០-៩/])"  # of no clock time and no address
_TURN = re.compile(rf"{LINE_START}(?P<name>{NAME}){COLON}(?=\s*\S)[ \t]*")
_LINE = re.compile(r"[^\n]*\S")

_MIN_TURNS = 2  # of a name
_MIN_SHARE = 0.2  # of the lines that begin with such a name, where there are two names or more
_MIN_SHARE_OF_ONE = 0.5  # where there is one
_MIN_TURNS_OF_ONE = 3
# What stands before a colon again and again, and names nobody.
_NO_NAMES = frozenset(
    {"សម្គាល់", "កំណត់សម្គាល់", "ចំណាំ", "ឧទាហរណ៍", "ប្រភព", "ទូរស័ព្ទ", "អាសយដ្ឋាន", "កាលបរិច្ឆេទ",
     "note", "notes", "example", "source", "tel", "phone", "address", "date", "http", "https"}
)  # fmt: skip


class Turn(NamedTuple):
    """A line that begins with a name, at characters [start, end) of a text.

    speaker: who speaks until the next turn; None for a name that does not repeat
    """

    start: int
    end: int
    speaker: str | None


def find_turns(canonical: str) -> list[Turn]:
    """The turns of a dialogue, in order; none where names do not repeat as a pattern.

    Names do, where two of them begin lines twice or more and together a fifth of all lines, or
    where one begins half of the lines.
    """
    matches = [m for m in _TURN.finditer(canonical) if m["name"].lower() not in _NO_NAMES]
    counts = Counter(match["name"] for match in matches)
    names = {name: count for name, count in counts.items() if count >= _MIN_TURNS}
    lines, named = len(_LINE.findall(canonical)), sum(names.values())
    if len(names) == 1:
        is_pattern = named >= max(_MIN_TURNS_OF_ONE, _MIN_SHARE_OF_ONE * lines)
    else:
        is_pattern = bool(names) and named >= _MIN_SHARE * lines
    if not is_pattern:
        return []
    return [
        Turn(*match.span(), match["name"] if match["name"] in names else None) for match in matches
    ]


def find_speakers(raw: str) -> list[str]:
    """The speakers of a dialogue, each once; none where the text is none."""
    if ":" not in raw and "៖" not in raw:  # most texts, and normalizing takes time
        return []
    speakers = (turn.speaker for turn in find_turns(normalize(raw)))
    return list(dict.fromkeys(speaker for speaker in speakers if speaker))


def speaker_at(turns: Sequence[Turn], position: int) -> str | None:
    """Who speaks at a character of the text."""
    k = bisect_right(turns, position, key=lambda turn: turn.start)
    return turns[k - 1].speaker if k else None
