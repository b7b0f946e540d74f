"""Canonical text -> the text as it is read aloud.

`RULES` is an ordered table: wherever a sign or a digit may start an expression, the first rule
that matches there and has a reading decides. To add a reading is to add a row; its examples run
as tests.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import product

from khmer_aligned.text.normalize import COENG, MARKS, normalize
from khmer_aligned.text.numbers import MAX_READINGS, Reading, unique
from khmer_aligned.text.rules import RULES
from khmer_aligned.text.words import segment

# Where an expression can start: digits and other numerals, signs, the dot of an abbreviation.
_TRIGGER = re.compile(
    r"\d|[ៗ%‰$€฿£¥₫₩₭₹៛&№°+×÷=±≈/-]|។ល។|[\u1780-\u17a2]\.|US\$|N°"
    r"|(?<![A-Za-z])[A-Z]{2,5}(?![A-Za-z])"  # an abbreviation, the code of a currency
    r"|(?<![A-Za-z.])[A-Z]\.(?=[A-Z](?![A-Za-z]))"
    "|[\u00b2\u00b3\u00b9\u00bc-\u00be\u17f0-\u17f9\u19e0-\u19ff\u2070\u2074-\u2079\u2080-\u2089"
    "\u2150-\u2189\u2460-\u249b\u24ea-\u24ff\u2776-\u2793]"
)
_MARK = re.compile(f"[{COENG}{MARKS}]")
_KHMER_LETTER = re.compile("[\u1780-\u17d3\u17dc\u17dd\u25cc]")
_FOREIGN_LETTER = re.compile("[^\\W\\d_\u1780-\u17ff]")

# ៗ repeats the last word as khmercut cuts it; after these words it repeats the word before too ...
_REPEATED_IN_PAIRS = frozenset({"ម្តង"})
_PERHAPS_IN_PAIRS = frozenset({"ឡើង", "ទៅ"})
_ONE = "មួយ"
# ... and of these words, which khmercut does not cut, it repeats the last part.
_REPEATED_PART = {"ជារឿយ": "រឿយ", "អ្នកគ្រប់": "គ្រប់"}


@dataclass(frozen=True, slots=True)
class Expression:
    """A stretch of canonical text that is not read as it is written: a number, a sign, ៗ.

    Sproat et al., "Normalization of non-standard words", 2001, call it a non-standard word.
    """

    start: int
    end: int
    readings: tuple[Reading, ...]  # the default first
    attached: bool = False  # to the word before it, as ៗ is


def verbalize(text: str) -> str:
    """The canonical form of `text` as read aloud: numbers, signs, abbreviations and ៗ in words.

    All other text stays as it is, spaces and punctuation included, so a second pass changes
    nothing.
    """
    canonical = normalize(text)
    return _replace(canonical, [(expression, 0) for expression in find_expressions(canonical)])


def readings(text: str) -> list[str]:
    """The ways in which `text` can be read aloud, at most 4, the default first."""
    canonical = normalize(text)
    expressions = find_expressions(canonical)
    spoken: dict[str, None] = {}
    for choice in product(*(range(len(expression.readings)) for expression in expressions)):
        spoken[_replace(canonical, list(zip(expressions, choice, strict=True)))] = None
        if len(spoken) == MAX_READINGS:
            break
    return list(spoken)


def join(reading: Reading) -> str:
    """A reading as it is written: Khmer puts no space between words."""
    return "".join(reading)


def _replace(canonical: str, choices: list[tuple[Expression, int]]) -> str:
    """`canonical` with each expression replaced by the reading of that index."""
    parts: list[str] = []
    position = 0
    for expression, choice in choices:
        parts += canonical[position : expression.start], join(expression.readings[choice])
        position = expression.end
    return "".join((*parts, canonical[position:]))


def find_expressions(canonical: str) -> list[Expression]:
    """All expressions of a canonical text, in order."""
    expressions: list[Expression] = []
    position = 0
    while trigger := _TRIGGER.search(canonical, position):
        start = trigger.start()
        if canonical[start] == "ៗ":
            expression: Expression | None = _read_repetition(canonical, start, expressions)
        else:
            expression = _read_by_rules(canonical, start)
        if expression is None:
            position = start + 1
            continue
        expressions.append(_keep_apart(canonical, expression))
        position = expression.end
    return expressions


def _read_by_rules(canonical: str, start: int) -> Expression | None:
    for rule in RULES:
        match = rule.pattern.match(canonical, start)
        if match and (spoken := unique(rule.read(match))):
            return Expression(start, match.end(), tuple(spoken))
    return None


def _read_repetition(canonical: str, start: int, before: list[Expression]) -> Expression:
    """ៗ, with the spaces before it: the last word again, as khmercut cuts it."""
    end = start + 1
    floor = before[-1].end if before else 0
    while start > floor and canonical[start - 1] == " ":
        start -= 1
    if before and start == floor and join(before[-1].readings[0]).strip():
        return Expression(start, end, (before[-1].readings[0],), attached=True)
    stretch = _stretch_before(canonical, start, floor)
    if not stretch:
        return _drop_repetition(canonical, start, end, floor)
    *others, last = (stretch[piece.start : piece.end] for piece in segment(stretch))
    repeated: list[Reading] = [(_REPEATED_PART.get(last, last),)]
    if not others and before and canonical[floor : start - len(stretch)] in ("", " "):
        # a number and its noun, ១ថ្ងៃៗ, as មួយថ្ងៃៗ in words; after other numbers both are read
        number = before[-1].readings[0]
        repeated.insert(0 if number == (_ONE,) else 1, (*number, last))
    elif others and (last in _REPEATED_IN_PAIRS or others[-1] == _ONE):
        repeated.insert(0, (others[-1], last))
    elif others and last in _PERHAPS_IN_PAIRS:
        repeated.append((others[-1], last))
    elif last.endswith(_ONE) and last != _ONE:
        repeated.append((_ONE,))  # នីមួយៗ is read both ways
    return Expression(start, end, tuple(repeated), attached=True)


def _stretch_before(canonical: str, end: int, floor: int) -> str:
    """The letters of one script, Khmer or foreign, that end at `end`."""
    letter = _KHMER_LETTER if _KHMER_LETTER.match(canonical, end - 1) else _FOREIGN_LETTER
    start = end
    while start > floor and letter.match(canonical, start - 1):
        start -= 1
    return canonical[start:end]


def _drop_repetition(canonical: str, start: int, end: int, floor: int) -> Expression:
    """ៗ with nothing to repeat is not spoken: one space remains of the spaces around it."""
    while start > floor and canonical[start - 1].isspace():
        start -= 1
    while end < len(canonical) and canonical[end].isspace():
        end += 1
    spaces = canonical[start:end].replace("ៗ", "")
    at_an_edge = start == 0 or end == len(canonical)
    kept: Reading = () if not spaces or at_an_edge else ("\n" if "\n" in spaces else " ",)
    return Expression(start, end, (kept,), attached=True)


def _keep_apart(canonical: str, expression: Expression) -> Expression:
    """Put a space between a reading and a stray mark after it or a stray coeng before it.

    Without the space they would melt into one cluster.
    """
    mark_follows = _MARK.match(canonical, expression.end) is not None
    previous = canonical[expression.start - 1 : expression.start].strip()
    readings = []
    for reading in expression.readings:
        spoken = join(reading)
        if not spoken.isspace():
            if mark_follows and (spoken or previous):
                reading = (*reading, " ")
            if previous and (previous == COENG or _MARK.match(spoken)):
                reading = (" ", *reading)
        readings.append(reading)
    return Expression(expression.start, expression.end, tuple(readings), expression.attached)
