"""Regular expressions that the rules are made of."""

from __future__ import annotations

import re
from collections.abc import Iterable

from khmer_aligned.text import numbers
from khmer_aligned.text.symbols import ABBREVIATIONS, CURRENCIES, UNITS


def any_of(table: Iterable[str]) -> str:
    return "|".join(re.escape(key) for key in sorted(table, key=len, reverse=True))


_KHMER_WORD = re.compile("[\u1780-\u17d3]+")
_LATIN = "A-Za-zÀ-ÖØ-öø-ɏ"
LETTERS = f"{_LATIN}\u1780-\u17d3\u17dd"
DIGITS = f"(?P<digits>{numbers.NUMBER})"
CURRENCY = f"(?P<currency>{any_of(CURRENCIES)})(?![A-Za-z])"
# A currency belongs to the number that it touches: `៥ $2` is five, and then two dollars.
CURRENCY_AFTER = rf"(?: (?!(?:{any_of(CURRENCIES)})[-+]?\d))?{CURRENCY}"
MULTIPLIER = f"(?: ?(?P<multiplier>{numbers.MULTIPLIER}))?"
UNIT_NAMES = "|".join(
    (
        # Khmer text has no spaces, so Khmer may follow a unit in Latin letters or with dots; a
        # unit of Khmer letters only, as សម, would then be the start of a word.
        f"(?:{any_of(unit for unit in UNITS if not _KHMER_WORD.fullmatch(unit))})"
        f"(?:(?![{_LATIN}\u17b6-\u17d3\u17dd])|(?=[xX] ?\\d))",
        f"(?:{any_of(unit for unit in UNITS if _KHMER_WORD.fullmatch(unit))})(?![{LETTERS}])",
    )
)
UNIT = f"(?P<unit>{UNIT_NAMES})"
# A price: $5/kg, $200/ខែ.
PER_ONE = (
    f"/(?:(?P<per>{UNIT_NAMES})|(?P<per_word>(?=នាក់|គ្រឿង|ថ្ងៃ|ខែ|ឆ្នាំ|ម៉ោង|គីឡូ|តោន|លីត្រ|ហិកតា|ម៉ែត្រ)))"
)
PER = f"(?:{PER_ONE})?"
# A hyphen after a letter, a number or a closing bracket is no minus: COVID-19.
SIGN = rf"(?:(?<![\d{LETTERS})\]%])(?P<sign>[-+]))?"
DOTTED = "|".join(r"\. ?".join(letters) for letters in sorted(ABBREVIATIONS, key=len, reverse=True))
# Of a telephone number, in groups of two to four.
MORE_DIGITS = r"(?:(?:[ .-](?=\d\d)(?!\d{5}))?\d)"
CLOCK = re.compile(
    r"(?P<hour>\d{1,2})(?P<separator>: ?|[៖.hH])(?P<minute>\d{2})(?::(?P<second>\d{2}))?"
    r"(?![\d:])(?! ?(?:វិនាទី|min))(?: ?នាទី)?"
    r"(?: ?(?P<half>[aApP])(?:[mM](?![A-Za-z])|\.[mM](?![A-Za-z])\.?))?"
)


def nameless(pattern: re.Pattern[str]) -> str:
    """The pattern without group names, to be a part of another one."""
    return re.sub(r"\?P<\w+>", "?:", pattern.pattern)
