"""How a match of a verbalizer's rule is read: one function for each kind of expression.

A reader returns readings, the default first. It returns none where the match is something else,
and then the next rule is asked.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable
from fractions import Fraction

from khmer_aligned.text.numbers import (
    MULTIPLIER,
    Reading,
    read_cardinal,
    read_digits,
    read_group,
    read_integer,
    read_number,
)
from khmer_aligned.text.symbols import (
    ABBREVIATIONS,
    CURRENCIES,
    LATIN_LETTERS,
    OPERATORS,
    SIGNS,
    UNITS,
    Currency,
)

Reader = Callable[[re.Match[str]], Iterable[Reading]]

_SIGN_WORDS: dict[str, Reading] = {"-": ("ដក",), "+": ("បូក",)}
_SUPERSCRIPTS = frozenset("⁰¹²³⁴⁵⁶⁷⁸⁹")
_MULTIPLIER_FOLLOWS = re.compile(f" ?{MULTIPLIER}")


def read_telephone(match: re.Match[str]) -> list[Reading]:
    """Group by group as written, in pairs, or digit by digit."""
    country = match["country"] or match["foreign"]
    national = match["local"] or match["national"] or match["foreign_national"]
    digits = re.sub(r"\D", "", national)
    if not (8 if country else 9) <= len(digits) <= 10:
        return []
    prefix: Reading = ("បូក", *read_cardinal(int(country))) if country else ()
    groups = re.findall(r"\d+", national)
    head = len(groups[0]) if len(groups) > 1 else 2 if country else 3
    tail = digits[head:]
    pairs = [digits[:head], *(tail[i : i + 2] for i in range(0, len(tail), 2))]
    if len(groups) == 1:
        default = (*read_group(digits[:head]), *read_digits(tail))
        groups = [digits[:head], tail[:3], tail[3:]]
    else:
        default = _read_groups(groups)
    choices = (default, _read_groups(groups), _read_groups(pairs), read_digits(digits))
    return [prefix + choice for choice in choices]


def _read_groups(groups: list[str]) -> Reading:
    return tuple(word for group in groups for word in read_group(group))


def read_money(match: re.Match[str]) -> list[Reading]:
    """Two decimals of a currency that has cents are cents, or a decimal like any other."""
    digits, multiplier = match["digits"], match["multiplier"]
    currency = CURRENCIES[match["currency"]]
    sign = _read_sign_before(match) or _SIGN_WORDS.get(match["inner_sign"], ())
    per = _read_per(match)
    amounts = read_number(digits, before_multiplier=multiplier is not None)
    parts = re.fullmatch(r"(.+)[.,](\d\d?)", digits)
    if multiplier:
        amounts = [(*amount, multiplier) for amount in amounts]
    elif parts and int(parts[2]) == 0:  # 17.00
        amounts = [read_number(parts[1])[0], *amounts]
    elif parts and currency.hundredth and len(parts[2]) == 2:
        whole, cents = read_number(parts[1])[0], int(parts[2])
        in_cents = _read_cents(whole, cents, amounts[0], currency)
        return [(*sign, *amount, *per) for amount in in_cents]
    return [(*sign, *amount, *name, *per) for amount in amounts for name in currency.names]


def read_range_of_money(match: re.Match[str]) -> list[Reading]:
    """One currency, written before the low amount, that is spoken after the high one."""
    multiplier = match["multiplier"]
    low, high = (
        read_number(match[end], before_multiplier=multiplier is not None)[0]
        for end in ("low", "high")
    )
    power = (multiplier,) if multiplier else ()
    return [
        (*low, word, *high, *power, *name, *_read_per(match))
        for word in ("ដល់", "ទៅ")
        for name in CURRENCIES[match["currency"]].names
    ]


def _read_per(match: re.Match[str]) -> Reading:
    """In a price: for each unit, or for each of the word that follows."""
    if match["per"] is None and match["per_word"] is None:
        return ()
    return ("ក្នុង", "មួយ", *UNITS.get(match["per"], ()))


def read_per(match: re.Match[str]) -> list[Reading]:
    """A slash after the name of a currency."""
    return [_read_per(match)]


def _read_cents(whole: Reading, cents: int, decimal: Reading, currency: Currency) -> list[Reading]:
    assert currency.hundredth is not None
    amounts: list[Reading] = []
    for name in currency.names:
        major = () if whole == read_cardinal(0) else (*whole, *name)
        amounts.append((*major, *read_cardinal(cents), currency.hundredth))
        if cents == 50 and major and name == currency.names[0]:
            amounts.append((*major, "កន្លះ"))
        amounts.append((*decimal, *name))
    return amounts


def read_measure(match: re.Match[str]) -> list[Reading]:
    """A number and its unit, the percent sign among them."""
    unit = match["unit"]
    name = UNITS[unit] if unit in UNITS else SIGNS[unit][0]
    sign = _read_sign_before(match)
    multiplier = (match["multiplier"],) if match["multiplier"] else ()
    numbers = read_number(match["digits"], before_multiplier=bool(multiplier))
    return [(*sign, *number, *multiplier, *name) for number in numbers]


def read_height(match: re.Match[str]) -> list[Reading]:
    """A decimal of metres, or metres and then centimetres: one metre seventy-three."""
    default, *others = read_number(match["whole"] + match["separator"] + match["tail"])
    split = (*read_integer(match["whole"])[0], "ម៉ែត្រ", *read_integer(match["tail"])[0])
    return [(*default, "ម៉ែត្រ"), split, *((*decimal, "ម៉ែត្រ") for decimal in others)]


def read_range(match: re.Match[str], read_quantity: Callable[[str], Reading]) -> list[Reading]:
    """From low to high. Falling numbers are rather a score, unless they are years, as 1950-53."""
    low, high = match["low"], match["high"]
    between: list[Reading] = [("ដល់",), ("ទៅ",), (" ",)]
    numbers = low.isdecimal() and high.isdecimal() and len(low + high) < 10
    falling = numbers and int(low) > int(high)
    if match.string.startswith(("=", " ="), match.end()):
        between = [("ដក",)]
    elif falling and (len(low), len(high)) != (4, 2):
        between = [("ទល់", "នឹង"), ("ដល់",), (" ",)]
    return [(*read_quantity(low), *word, *read_quantity(high)) for word in between]


def read_number_in_groups(match: re.Match[str]) -> list[Reading]:
    """Group by group, or digit by digit."""
    groups = match[0].split("-")
    return [_read_groups(groups), read_digits("".join(groups))]


def read_fraction(match: re.Match[str]) -> list[Reading]:
    """Parts of a whole, or one number over another, as 24/24; a school year has no reading."""
    top, bottom = int(match["top"]), int(match["bottom"])
    if 1000 <= top < bottom <= top + 5:  # a school year: 2019/2020
        return []
    numerator = (*_read_sign_before(match), *read_integer(match["top"])[0])
    denominator = read_integer(match["bottom"])[0]
    words = ["ភាគ", "លើ"]
    if top >= bottom or bottom >= 1000:  # 24/24, 50/50, 12/2019
        words.reverse()
    unit = UNITS.get(match["unit"], ())
    fractions: list[Reading] = [(*numerator, word, *denominator, *unit) for word in words]
    if (match["sign"], top, bottom) == (None, 1, 2):
        fractions.append(("កន្លះ", *unit))
    return fractions


def read_ratio(match: re.Match[str]) -> list[Reading]:
    """Two numbers with a colon that is no clock time: a score, a scale, a verse."""
    left, right = read_integer(match["left"])[0], read_integer(match["right"])[0]
    return [(*left, *word, *right) for word in ((" ",), ("ទល់", "នឹង"), ("ធៀប", "នឹង"))]


def read_factor(match: re.Match[str]) -> list[Reading]:
    """A number, with or without a unit, before the letter x that stands for times."""
    sign, unit = _read_sign_before(match), UNITS.get(match["unit"], ())
    return [(*sign, *number, *unit, "គុណ") for number in read_number(match["digits"])]


def read_plain(match: re.Match[str]) -> list[Reading]:
    """A number by itself; after the word number its digits may be read one by one."""
    digits = match["digits"]
    before_multiplier = _MULTIPLIER_FOLLOWS.match(match.string, match.end()) is not None
    numbers = read_number(digits, before_multiplier=before_multiplier)
    if digits.isdecimal() and len(digits) > 1 and follows(match, "លេខ"):
        numbers.insert(1, read_digits(digits))
    sign = _read_sign_before(match)
    return [(*sign, *number) for number in numbers]


def read_numeral(match: re.Match[str]) -> list[Reading]:
    """½, ², ① and other numerals, by their value in the Unicode Character Database."""
    numeral, unit = match["numeral"], UNITS.get(match["unit"], ())
    if not numeral.isnumeric():
        return []
    after_digit = match.string[: match.start()][-1:].isdecimal()
    return [(*reading, *unit) for reading in _read_value(numeral, after_digit)]


def _read_value(numeral: str, after_digit: bool) -> list[Reading]:
    if numeral in _SUPERSCRIPTS and after_digit:
        return [("ស្វ័យគុណ", *read_cardinal(int(unicodedata.numeric(numeral))))]
    value = Fraction(unicodedata.numeric(numeral)).limit_denominator(1000)
    whole, part = divmod(value, 1)
    words = read_cardinal(int(whole)) if whole or not part else ()
    if not part:
        return [words]
    readings: list[Reading] = [
        (*words, *read_cardinal(part.numerator), "ភាគ", *read_cardinal(part.denominator))
    ]
    if part == Fraction(1, 2):
        readings.insert(0 if after_digit else 1, (*words, "កន្លះ"))  # 1½ is one and a half
    return readings


def read_lunar_day(match: re.Match[str]) -> list[Reading]:
    """U+19E0..19FF: the days of the waxing and of the waning moon, and the two Ashadha months."""
    code = ord(match[0])
    if code in (0x19E0, 0x19F0):
        return [("បឋមាសាឍ",) if code == 0x19E0 else ("ទុតិយាសាឍ",)]
    return [(*read_cardinal(code & 0xF), "កើត" if code < 0x19F0 else "រោច")]


def read_operator(match: re.Match[str]) -> list[Reading]:
    return [OPERATORS[match[0]]]


def read_sign(match: re.Match[str]) -> list[Reading]:
    return list(SIGNS[match[0]])


def read_currency_sign(match: re.Match[str]) -> list[Reading]:
    return list(CURRENCIES[match[0]].names)


def read_abbreviation(match: re.Match[str]) -> list[Reading]:
    """Dotted letters: by name where they have one, and letter by letter."""
    letters = re.sub("[. ]", "", match[0])
    spelled = [tuple(letters)] if len(letters) > 1 else []
    return [*ABBREVIATIONS.get(letters, ()), *spelled]


def read_latin_abbreviation(match: re.Match[str]) -> list[Reading]:
    """Latin capitals: as a word, as in NATO, or by the names of their letters, as in UN."""
    letters = re.sub("[. ]", "", match[0])
    word = tuple(letters) if "." in match[0] else (letters,)
    return [word, tuple(LATIN_LETTERS[letter] for letter in letters)]


def follows(match: re.Match[str], word: str) -> bool:
    """Whether the match follows `word`, with or without spaces between."""
    return match.string[max(0, match.start() - 12) : match.start()].rstrip().endswith(word)


def _read_sign_before(match: re.Match[str]) -> Reading:
    return _SIGN_WORDS.get(match["sign"] or "", ())
