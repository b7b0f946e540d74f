"""Canonical text -> the text as it is read aloud.

`RULES` is an ordered table: at every sign that is not read as it is written, the first rule that
matches there and has a reading decides. Adding a reading is adding a row; its examples run as
tests.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import product

from khmer_aligned.text.normalize import COENG, MARKS, normalize
from khmer_aligned.text.numbers import MAX_READINGS, Reading, unique
from khmer_aligned.text.rules import RULES
from khmer_aligned.text.words import pieces

# Where a rule can start: digits and other numerals, signs, and the dot of an abbreviation.
_TRIGGER = re.compile(
    r"\d|[ៗ%‰$€฿£¥₫₩₭₹៛&№°+×÷=±≈-]|។ល។|[\u1780-\u17a2]\.|US\$|N°"
    "|[\u00b2\u00b3\u00b9\u00bc-\u00be\u17f0-\u17f9\u19e0-\u19ff\u2070\u2074-\u2079\u2080-\u2089"
    "\u2150-\u2189\u2460-\u249b\u24ea-\u24ff\u2776-\u2793]"
)
_MARK = re.compile(f"[{COENG}{MARKS}]")
_KHMER = re.compile("[\u1780-\u17d3\u17dc\u17dd\u25cc]")
_OTHER = re.compile("[^\\W\\d_\u1780-\u17ff]")

# ៗ repeats the last word as khmercut cuts it, but with these the word before it too ...
_REPEATED_IN_PAIRS = frozenset({"ម្តង"})
_PERHAPS_IN_PAIRS = frozenset({"ឡើង", "ទៅ"})
_ONE = "មួយ"
# ... and of these, which are cut as one, the last part.
_REPEATED_PART = {"ជារឿយ": "រឿយ", "អ្នកគ្រប់": "គ្រប់"}


@dataclass(frozen=True, slots=True)
class Unit:
    """A stretch of canonical text that is read in words of its own."""

    start: int
    end: int
    readings: tuple[Reading, ...]  # the default first
    attached: bool = False  # belongs to the word before it, as ៗ does


def verbalize(text: str) -> str:
    """The canonical form of `text` as read aloud: numbers, signs, abbreviations and ៗ in words.

    Whatever needs no reading stays as it is, spaces and punctuation included, so a second pass
    changes nothing.
    """
    canonical = normalize(text)
    return _spoken(canonical, [(unit, 0) for unit in units(canonical)])


def readings(text: str) -> list[str]:
    """The ways `text` can be read aloud, at most 4, the default first."""
    canonical = normalize(text)
    found = units(canonical)
    spoken: dict[str, None] = {}
    for choice in product(*(range(len(unit.readings)) for unit in found)):
        spoken[_spoken(canonical, list(zip(found, choice, strict=True)))] = None
        if len(spoken) == MAX_READINGS:
            break
    return list(spoken)


def join(reading: Reading) -> str:
    """A reading as it is written: Khmer puts no space between words."""
    return "".join(reading)


def _spoken(canonical: str, chosen: list[tuple[Unit, int]]) -> str:
    parts: list[str] = []
    done = 0
    for unit, choice in chosen:
        parts += canonical[done : unit.start], join(unit.readings[choice])
        done = unit.end
    return "".join((*parts, canonical[done:]))


def units(canonical: str) -> list[Unit]:
    """What of a canonical text is read in other words than it is written, in order."""
    found: list[Unit] = []
    position = 0
    while trigger := _TRIGGER.search(canonical, position):
        start = trigger.start()
        unit = (
            _repetition(canonical, start, found)
            if canonical[start] == "ៗ"
            else _by_rule(canonical, start)
        )
        if unit is None:
            position = start + 1
            continue
        found.append(_apart(canonical, unit))
        position = unit.end
    return found


def _by_rule(canonical: str, start: int) -> Unit | None:
    for rule in RULES:
        match = rule.pattern.match(canonical, start)
        if match and (spoken := unique(rule.read(match))):
            return Unit(start, match.end(), tuple(spoken))
    return None


def _repetition(canonical: str, start: int, found: list[Unit]) -> Unit:
    """ៗ, and the space before it: the last word again, as khmercut cuts it."""
    end = start + 1
    floor = found[-1].end if found else 0
    while start > floor and canonical[start - 1] == " ":
        start -= 1
    if found and start == floor and join(found[-1].readings[0]).strip():
        return Unit(start, end, (found[-1].readings[0],), attached=True)
    stretch = _stretch_before(canonical, start, floor)
    if not stretch:
        return _nothing(canonical, start, end, floor)
    *before, last = (stretch[first:stop] for first, stop, _ in pieces(stretch))
    again: list[Reading] = [(_REPEATED_PART.get(last, last),)]
    if before and (last in _REPEATED_IN_PAIRS or before[-1] == _ONE):
        again.insert(0, (before[-1], last))
    elif before and last in _PERHAPS_IN_PAIRS:
        again.append((before[-1], last))
    elif last.endswith(_ONE) and last != _ONE:
        again.append((_ONE,))  # នីមួយៗ is heard both ways
    return Unit(start, end, tuple(again), attached=True)


def _stretch_before(canonical: str, end: int, floor: int) -> str:
    """The stretch of one script that ends there."""
    script = _KHMER if _KHMER.match(canonical, end - 1) else _OTHER
    start = end
    while start > floor and script.match(canonical, start - 1):
        start -= 1
    return canonical[start:end]


def _nothing(canonical: str, start: int, end: int, floor: int) -> Unit:
    """ៗ with nothing to repeat is not said: what remains of the space around it is one space."""
    while start > floor and canonical[start - 1].isspace():
        start -= 1
    while end < len(canonical) and canonical[end].isspace():
        end += 1
    spaces = canonical[start:end].replace("ៗ", "")
    at_an_edge = start == 0 or end == len(canonical)
    kept: Reading = () if not spaces or at_an_edge else ("\n" if "\n" in spaces else " ",)
    return Unit(start, end, (kept,), attached=True)


def _apart(canonical: str, unit: Unit) -> Unit:
    """Kept by a space from melting into a stray mark after it or a stray coeng before it."""
    open_after = _MARK.match(canonical, unit.end)
    open_before = canonical[unit.start - 1 : unit.start].strip()
    readings = []
    for reading in unit.readings:
        spoken = join(reading)
        before = open_before and (open_before == COENG or _MARK.match(spoken))
        after = open_after and (spoken or open_before)
        if spoken.isspace():
            before = after = False
        readings.append(((" ",) if before else ()) + reading + ((" ",) if after else ()))
    return Unit(unit.start, unit.end, tuple(readings), unit.attached)
