"""Written numbers -> the ways they are read in Khmer.

A reading is a tuple of spoken words, and `" "` among them is a space that is written. Readings
come in order of preference, the default first. Names of numbers follow CLDR's spell-out rules
for Khmer; 7 is written ប្រាំពីរ (ប្រាំពិល is its sound).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import islice

Reading = tuple[str, ...]

MAX_READINGS = 4

# \d takes Khmer and ASCII digits alike, and int() reads both. Thousands apart by spaces are taken
# for one number where the last are zeros: `12 300` may be two.
NUMBER = r"(?:[1-9១-៩]\d{0,2}(?: \d{3})* (?:000|០០០)(?!\d)|\d+(?:[.,]\d+)*)"
MULTIPLIERS = ("ទ្រីលាន", "ប៊ីលាន", "ពាន់លាន", "លានលាន", "កោដិ", "លាន", "សែន", "ម៉ឺន", "ពាន់", "រយ")

_ONES = ("សូន្យ", "មួយ", "ពីរ", "បី", "បួន", "ប្រាំ", "ប្រាំមួយ", "ប្រាំពីរ", "ប្រាំបី", "ប្រាំបួន")
_TENS = ("", "ដប់", "ម្ភៃ", "សាមសិប", "សែសិប", "ហាសិប", "ហុកសិប", "ចិតសិប", "ប៉ែតសិប", "កៅសិប")
_BELOW_MILLION = ((100_000, "សែន"), (10_000, "ម៉ឺន"), (1000, "ពាន់"), (100, "រយ"))
_LONGEST = 15  # digits that are still one number
_DECIMAL_WORDS = {".": ("ចុច", "ក្បៀស"), ",": ("ក្បៀស", "ចុច")}


def unique(readings: Iterable[Reading]) -> list[Reading]:
    """The first `MAX_READINGS` different readings, in order."""
    return list(islice(dict.fromkeys(readings), MAX_READINGS))


def cardinal(
    number: int, *, billion: Reading = ("ប៊ីលាន",), trillion: Reading = ("ទ្រីលាន",)
) -> Reading:
    """The cardinal of a number from 0 to 10^15 - 1; a larger one raises ValueError."""
    if not 0 <= number < 10**_LONGEST:
        raise ValueError(f"no cardinal for {number}")
    if number < 10:
        return (_ONES[number],)
    words: list[str] = []
    for value, name in ((10**12, trillion), (10**9, billion), (10**6, ("លាន",))):
        if number >= value:
            words += cardinal(number // value)
            words += name
            number %= value
    for value, name in _BELOW_MILLION:
        if number >= value:
            words += _ONES[number // value], name
            number %= value
    if number >= 10:
        words.append(_TENS[number // 10])
        number %= 10
    if number:
        words.append(_ONES[number])
    return tuple(words)


def digit_by_digit(digits: str) -> Reading:
    return tuple(_ONES[int(digit)] for digit in digits)


def grouped(digits: str) -> Reading:
    """Leading zeros said one by one, the rest as one number: a telephone group, a decimal tail."""
    rest = digits.lstrip("0០")
    zeros = digit_by_digit(digits[: len(digits) - len(rest)])
    if len(rest) > _LONGEST:
        return zeros + digit_by_digit(rest)
    return zeros + (cardinal(int(rest)) if rest else ())


def integer(digits: str) -> list[Reading]:
    """Leading zeros are not said, or, second choice, said; past 10^15 digit by digit."""
    rest = digits.lstrip("0០")
    if len(rest) > _LONGEST:
        return [digit_by_digit(digits)]
    number = int(rest or "0")
    readings = [cardinal(number)]
    if number >= 10**12:
        readings.append(cardinal(number, trillion=("លាន", "លាន")))
        readings.append(cardinal(number, trillion=("ពាន់", "ប៊ីលាន")))
    if number >= 10**9:
        readings.append(cardinal(number, billion=("ពាន់", "លាន")))
    if rest and rest != digits:
        readings.append(grouped(digits))
    return unique(readings)


def decimal(whole: str, separator: str, tail: str) -> list[Reading]:
    """The tail as a number after its zeros, or digit by digit; either word for the mark."""
    short = grouped(tail)
    if len(tail.lstrip("0០")) > 4:
        tails = [digit_by_digit(tail)]
    else:
        tails = list(dict.fromkeys((short, digit_by_digit(tail))))
    first = integer(whole)[0]
    return unique((*first, mark, *spoken) for mark in _DECIMAL_WORDS[separator] for spoken in tails)


def number(written: str, *, multiplied: bool = False) -> list[Reading]:
    """Readings of digits with separators, as NUMBER matches them.

    Groups of exactly three digits are thousands, unless the whole part is 0 or a single group
    stands before a multiplier (`multiplied`), as in `1.526 លាន`.
    """
    written = written.replace(" ", "")
    parts = re.split("[.,]", written)
    separators = re.findall("[.,]", written)
    if not separators:
        return integer(written)
    whole, *tails = parts
    digits = "".join(parts)
    alike = len(set(separators)) == 1
    thousands = len(whole) <= 3 and int(whole[0]) != 0 and all(len(tail) == 3 for tail in tails)
    if len(separators) == 1:
        as_decimal = decimal(whole, separators[0], tails[0])
        if not thousands:
            return as_decimal
        as_thousands = integer(digits)
        if multiplied:
            return unique((as_decimal[0], as_thousands[0], *as_decimal[1:]))
        # a decimal of three places seldom ends in 0
        return as_thousands if int(tails[0][-1]) == 0 else unique((*as_thousands, as_decimal[0]))
    if alike and thousands:
        return integer(digits)
    if (
        len(set(separators[:-1])) == 1
        and separators[-1] != separators[0]
        and len(whole) <= 3
        and int(whole[0]) != 0
        and all(len(tail) == 3 for tail in tails[:-1])
    ):
        return decimal("".join(parts[:-1]), separators[-1], tails[-1])
    # a version or a section: each part by itself
    words = list(grouped(whole))
    for separator, tail in zip(separators, tails, strict=True):
        words += _DECIMAL_WORDS[separator][0], *grouped(tail)
    return [tuple(words)]
