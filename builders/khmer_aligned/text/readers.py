"""How a match of a verbalizer's rule is read: one function per kind of written form.

A reader returns readings, the default first; none at all means that the match was something else
and the next rule is asked.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable
from fractions import Fraction
from itertools import product

from khmer_aligned.text.numbers import (
    MULTIPLIERS,
    Reading,
    cardinal,
    digit_by_digit,
    grouped,
    integer,
    number,
    unique,
)
from khmer_aligned.text.symbols import ABBREVIATIONS, CURRENCIES, MONTHS, OPERATORS, SIGNS, UNITS

Reader = Callable[[re.Match[str]], Iterable[Reading]]

_SUPERSCRIPTS = frozenset("⁰¹²³⁴⁵⁶⁷⁸⁹")
_PERIOD = re.compile(" ?(?:ព្រឹក|ថ្ងៃត្រង់|រសៀល|ល្ងាច|យប់|អធ្រាត្រ|ទៀបភ្លឺ)")
_MULTIPLIED = re.compile(f" ?(?:{'|'.join(MULTIPLIERS)})")


def telephone(match: re.Match[str]) -> list[Reading]:
    country, rest = match["country"], match["local"] or match["rest"]
    digits = re.sub(r"\D", "", rest)
    if not (8 if country else 9) <= len(digits) <= 10:
        return []
    said: Reading = ("បូក", *cardinal(int(country))) if country else ()
    groups = re.findall(r"\d+", rest)
    head = len(groups[0]) if len(groups) > 1 else 2 if country else 3
    tail = digits[head:]
    pairs = [digits[:head], *(tail[i : i + 2] for i in range(0, len(tail), 2))]
    if len(groups) == 1:
        default = (*grouped(digits[:head]), *digit_by_digit(tail))
        groups = [digits[:head], tail[:3], tail[3:]]
    else:
        default = _groups(groups)
    ways = (default, _groups(groups), _groups(pairs), digit_by_digit(digits))
    return [said + way for way in ways]


def _groups(groups: list[str]) -> Reading:
    return tuple(word for group in groups for word in grouped(group))


def date(match: re.Match[str]) -> list[Reading]:
    """Two digits are a year after a slash or after the word day: 1.2.12 is a section."""
    if len(match["year"]) == 2 and match["mark"] != "/" and not _after_day(match):
        return []
    return _date(match, match["day"], match["month"], match["year"])


def day_and_month(match: re.Match[str]) -> list[Reading]:
    """Only after ថ្ងៃទី: elsewhere it is a fraction or a range."""
    return _date(match, match["day"], match["month"], "") if _follows(match, "ថ្ងៃទី") else []


def _date(match: re.Match[str], day: str, month: str, year: str) -> list[Reading]:
    if int(month) > 12 and int(day) <= 12:
        day, month = month, day
    if not (1 <= int(day) <= 31 and 1 <= int(month) <= 12):
        return []
    if _follows(match, "ថ្ងៃទី"):
        opening: Reading = ()
    elif _follows(match, "ថ្ងៃ"):
        opening = ("ទី",)
    else:
        opening = ("ថ្ងៃ", "ទី")
    months: list[Reading] = [("ខែ", MONTHS[int(month) - 1]), ("ខែ", *cardinal(int(month)))]
    ending: Reading = (" ", "ឆ្នាំ", *integer(year)[0]) if year else ()
    return [(*opening, *cardinal(int(day)), " ", *named, *ending) for named in months]


def clock(match: re.Match[str]) -> list[Reading]:
    """As written; then half past, and the hours after noon counted from noon."""
    hour, minute, second = int(match["hour"]), int(match["minute"]), int(match["second"] or 0)
    named = _follows(match, "ម៉ោង")
    if hour > 24 or minute > 59 or second > 59 or (match["mark"] in (".", ": ") and not named):
        return []
    opening: Reading = () if named else ("ម៉ោង",)
    rest: Reading = (" ", *cardinal(minute), "នាទី") if minute else ()
    if second:
        rest += (" ", *cardinal(second), "វិនាទី")
    tails = [rest, ("កន្លះ",)] if minute == 30 and not second else [rest]
    hours: list[tuple[Reading, Reading]] = [(cardinal(hour), ())]
    if _PERIOD.match(match.string, match.end()):
        if hour > 12:
            hours.append((cardinal(hour - 12), ()))
    elif match["half"] and hour <= 12:
        period = _period(hour % 12 + (12 if match["half"] in "pP" else 0))
        hours = [(cardinal(hour), (" ", period))]
    elif hour > 12 or hour == 0:
        hours.append((cardinal(hour % 12 or 12), (" ", _period(hour))))
    return [(*opening, *said, *tail, *part) for said, part in hours for tail in tails]


def _after_day(match: re.Match[str]) -> bool:
    return _follows(match, "ថ្ងៃ") or _follows(match, "ថ្ងៃទី")


def _period(hour: int) -> str:
    for end, name in ((1, "អធ្រាត្រ"), (12, "ព្រឹក"), (13, "ថ្ងៃត្រង់"), (17, "រសៀល"), (19, "ល្ងាច")):
        if hour < end:
            return name
    return "យប់" if hour < 24 else "អធ្រាត្រ"


def money(match: re.Match[str]) -> list[Reading]:
    """Two decimals of a currency that has cents are cents, or a decimal like any other."""
    digits, multiplier = match["digits"], match["multiplier"]
    names, minor = CURRENCIES[match["currency"]]
    sign = _signed(match["sign"])[0]
    amounts = number(digits, multiplied=multiplier is not None)
    parts = re.fullmatch(r"(.+)[.,](\d\d?)", digits)
    if multiplier:
        amounts = [(*amount, multiplier) for amount in amounts]
    elif parts and int(parts[2]) == 0:  # 17.00
        amounts = [number(parts[1])[0], *amounts]
    elif parts and minor and len(parts[2]) == 2:
        return _cents(sign, number(parts[1])[0], int(parts[2]), amounts[0], names, minor)
    return [(*sign, *amount, *name) for amount in amounts for name in names]


def _cents(
    sign: Reading,
    whole: Reading,
    cents: int,
    decimal: Reading,
    names: tuple[Reading, ...],
    minor: str,
) -> list[Reading]:
    found: list[Reading] = []
    for name in names:
        amount = () if whole == cardinal(0) else (*whole, *name)
        found.append((*sign, *amount, *cardinal(cents), minor))
        if cents == 50 and amount and name == names[0]:
            found.append((*sign, *amount, "កន្លះ"))
        found.append((*sign, *decimal, *name))
    return found


def measure(match: re.Match[str]) -> list[Reading]:
    """A number and its unit, the percent sign among them."""
    unit = match["unit"]
    name = UNITS[unit] if unit in UNITS else SIGNS[unit][0]
    return _each(_signed(match["sign"]), number(match["digits"]), [name])


def height(match: re.Match[str]) -> list[Reading]:
    """1,73 m is also said one metre seventy-three."""
    plain = number(match["whole"] + match["mark"] + match["tail"])
    split = (*integer(match["whole"])[0], "ម៉ែត្រ", *integer(match["tail"])[0])
    return [(*plain[0], "ម៉ែត្រ"), split, *((*spoken, "ម៉ែត្រ") for spoken in plain[1:])]


def span_of(match: re.Match[str], quantity: Callable[[str], Reading]) -> list[Reading]:
    """From low to high; falling numbers are rather a score, unless 1950-53 is meant."""
    low, high = match["low"], match["high"]
    between: list[Reading] = [("ដល់",), ("ទៅ",), (" ",)]
    numbers = low.isdecimal() and high.isdecimal() and len(low + high) < 10
    falling = numbers and int(low) > int(high)
    if falling and (len(low), len(high)) != (4, 2):
        between = [("ទល់", "នឹង"), ("ដល់",), (" ",)]
    return [(*quantity(low), *word, *quantity(high)) for word in between]


def numbered(match: re.Match[str]) -> list[Reading]:
    """A number in groups: each group by itself, or digit by digit."""
    groups = match[0].split("-")
    return [_groups(groups), digit_by_digit("".join(groups))]


def fraction(match: re.Match[str]) -> list[Reading]:
    top, bottom = int(match["top"]), int(match["bottom"])
    if 1000 <= top < bottom <= top + 5:  # a school year: 2019/2020
        return []
    said = [(*_signed(match["sign"])[0], *integer(match["top"])[0]), integer(match["bottom"])[0]]
    words = [("ភាគ",), ("លើ",)]
    if top >= bottom or bottom >= 1000:  # 24/24, 50/50, 12/2019
        words.reverse()
    found = [(*said[0], *word, *said[1]) for word in words]
    if (match["sign"], top, bottom) == (None, 1, 2):
        found.append(("កន្លះ",))
    return found


def ratio(match: re.Match[str]) -> list[Reading]:
    """Two numbers with a colon that is no clock time: a score, a scale, a verse."""
    left, right = integer(match["left"])[0], integer(match["right"])[0]
    return [(*left, *word, *right) for word in ((" ",), ("ទល់", "នឹង"), ("ធៀប", "នឹង"))]


def times(match: re.Match[str]) -> list[Reading]:
    return _each(_signed(match["sign"]), number(match["digits"]), [("គុណ",)])


def plain(match: re.Match[str]) -> list[Reading]:
    digits = match["digits"]
    multiplied = _MULTIPLIED.match(match.string, match.end()) is not None
    found = _each(_signed(match["sign"]), number(digits, multiplied=multiplied))
    if digits.isdecimal() and len(digits) > 1 and _follows(match, "លេខ"):
        found.insert(1, digit_by_digit(digits))
    return found


def numeral(match: re.Match[str]) -> list[Reading]:
    """½, ², ① and their like: by their value in the Unicode Character Database."""
    if not match[0].isnumeric():
        return []
    if match[0] in _SUPERSCRIPTS and match.string[: match.start()][-1:].isdecimal():
        return [("ស្វ័យគុណ", *cardinal(int(unicodedata.numeric(match[0]))))]
    value = Fraction(unicodedata.numeric(match[0])).limit_denominator(1000)
    whole, part = divmod(value, 1)
    words = cardinal(int(whole)) if whole or not part else ()
    if not part:
        return [words]
    found = [(*words, *cardinal(part.numerator), "ភាគ", *cardinal(part.denominator))]
    if part == Fraction(1, 2):
        found.append((*words, "កន្លះ"))
    return found


def lunar_day(match: re.Match[str]) -> list[Reading]:
    """U+19E0..19FF: the days of the waxing and of the waning moon, and the two Ashadha months."""
    code = ord(match[0])
    if code in (0x19E0, 0x19F0):
        return [("បឋមាសាឍ",) if code == 0x19E0 else ("ទុតិយាសាឍ",)]
    return [(*cardinal(code & 0xF), "កើត" if code < 0x19F0 else "រោច")]


def operator(match: re.Match[str]) -> list[Reading]:
    return [OPERATORS[match[0]]]


def sign(match: re.Match[str]) -> list[Reading]:
    return list(SIGNS[match[0]])


def currency_name(match: re.Match[str]) -> list[Reading]:
    return list(CURRENCIES[match[0]][0])


def abbreviation(match: re.Match[str]) -> list[Reading]:
    """Dotted letters: by name where they have one, else letter by letter."""
    letters = re.sub("[. ]", "", match[0])
    if letters in ABBREVIATIONS:
        return list(ABBREVIATIONS[letters])
    return [tuple(letters)] if len(letters) > 1 else []


def _follows(match: re.Match[str], word: str) -> bool:
    """Whether `word` stands right before the match, spaces aside."""
    return match.string[max(0, match.start() - 12) : match.start()].rstrip().endswith(word)


def _each(*parts: Iterable[Reading]) -> list[Reading]:
    """Readings of parts in a row."""
    return unique(tuple(word for part in row for word in part) for row in product(*parts))


def _signed(sign: str | None) -> list[Reading]:
    return [{"-": ("ដក",), "+": ("បូក",)}.get(sign or "", ())]
