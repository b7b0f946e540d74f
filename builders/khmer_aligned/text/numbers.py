"""Written numbers -> the ways in which they are read in Khmer.

A reading is a tuple of spoken words; a `" "` among them is a space in the spoken text. Readings
come in order of preference, the default first. Names of numbers follow CLDR's spell-out rules
for Khmer; 7 is written ប្រាំពីរ (ប្រាំពិល is its sound).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import islice

Reading = tuple[str, ...]

MAX_READINGS = 4

# \d matches Khmer and ASCII digits alike, and int() reads both. Groups of three digits after
# spaces are one number only where the last group is zeros: `12 300` may be two numbers.
NUMBER = r"(?:[1-9១-៩]\d{0,2}(?: \d{3})* (?:000|០០០)(?!\d)|\d+(?:[.,]\d+)*)"
_MULTIPLIERS = ("ទ្រីលាន", "ប៊ីលាន", "ពាន់លាន", "លានលាន", "កោដិ", "លាន", "សែន", "ម៉ឺន", "ពាន់", "រយ")
# រយៈពេល and ម៉ឺនុយ only start like one.
MULTIPLIER = f"(?:{'|'.join(_MULTIPLIERS)})(?![\u17b6-\u17d3\u17dd])"

_ONES = ("សូន្យ", "មួយ", "ពីរ", "បី", "បួន", "ប្រាំ", "ប្រាំមួយ", "ប្រាំពីរ", "ប្រាំបី", "ប្រាំបួន")
_TENS = ("", "ដប់", "ម្ភៃ", "សាមសិប", "សែសិប", "ហាសិប", "ហុកសិប", "ចិតសិប", "ប៉ែតសិប", "កៅសិប")
_BELOW_MILLION = ((100_000, "សែន"), (10_000, "ម៉ឺន"), (1000, "ពាន់"), (100, "រយ"))
_MAX_DIGITS = 15  # longer numbers are read digit by digit
_DECIMAL_WORDS = {".": ("ចុច", "ក្បៀស"), ",": ("ក្បៀស", "ចុច")}


def unique(readings: Iterable[Reading]) -> list[Reading]:
    """The first `MAX_READINGS` different readings, in order."""
    return list(islice(dict.fromkeys(readings), MAX_READINGS))


def read_cardinal(
    number: int, *, billion: Reading = ("ប៊ីលាន",), trillion: Reading = ("ទ្រីលាន",)
) -> Reading:
    """The cardinal of a number from 0 to 10^15 - 1; a larger one raises ValueError."""
    if not 0 <= number < 10**_MAX_DIGITS:
        raise ValueError(f"no cardinal for {number}")
    if number < 10:
        return (_ONES[number],)
    words: list[str] = []
    for value, power in ((10**12, trillion), (10**9, billion), (10**6, ("លាន",))):
        if number >= value:
            words += read_cardinal(number // value)
            words += power
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


def read_digits(digits: str) -> Reading:
    """Digit by digit."""
    return tuple(_ONES[int(digit)] for digit in digits)


def read_group(digits: str) -> Reading:
    """Leading zeros one by one, then one number: a group of a telephone number, a decimal tail."""
    significant = digits.lstrip("0០")
    zeros = read_digits(digits[: len(digits) - len(significant)])
    if len(significant) > _MAX_DIGITS:
        return zeros + read_digits(significant)
    return zeros + (read_cardinal(int(significant)) if significant else ())


def read_integer(digits: str) -> list[Reading]:
    """Leading zeros are dropped or, second choice, spoken; past 10^15 digit by digit."""
    significant = digits.lstrip("0០")
    if len(significant) > _MAX_DIGITS:
        return [read_digits(digits)]
    number = int(significant or "0")
    readings = [read_cardinal(number)]
    if number >= 10**12:
        readings.append(read_cardinal(number, trillion=("លាន", "លាន")))
        readings.append(read_cardinal(number, trillion=("ពាន់", "ប៊ីលាន")))
    if number >= 10**9:
        readings.append(read_cardinal(number, billion=("ពាន់", "លាន")))
    if significant and significant != digits:
        readings.append(read_group(digits))
    return unique(readings)


def read_decimal(whole: str, separator: str, tail: str) -> list[Reading]:
    """The tail as a number after its zeros, or digit by digit; either word for the separator."""
    if len(tail.lstrip("0០")) > 4:
        tails = [read_digits(tail)]
    else:
        tails = list(dict.fromkeys((read_group(tail), read_digits(tail))))
    first = read_integer(whole)[0]
    return unique((*first, word, *spoken) for word in _DECIMAL_WORDS[separator] for spoken in tails)


def read_number(written: str, *, before_multiplier: bool = False) -> list[Reading]:
    """Readings of digits with separators, as `NUMBER` matches them.

    Groups of exactly three digits are thousands, unless the whole part is 0 or a single group
    stands before a multiplier, as in `1.526 លាន`.
    """
    written = written.replace(" ", "")
    whole, *tails = re.split("[.,]", written)
    separators = re.findall("[.,]", written)
    if not tails:
        return read_integer(written)
    if len(tails) == 1:
        return _read_one_separator(whole, separators[0], tails[0], before_multiplier)
    *groups, last = tails
    if len(set(separators)) == 1 and _are_thousands(whole, tails):
        return read_integer(whole + "".join(tails))
    if (
        len(set(separators[:-1])) == 1
        and separators[-1] != separators[0]
        and _are_thousands(whole, groups)
    ):
        return read_decimal(whole + "".join(groups), separators[-1], last)
    return [_read_section(whole, separators, tails)]


def _are_thousands(whole: str, groups: list[str]) -> bool:
    return len(whole) <= 3 and int(whole[0]) != 0 and all(len(group) == 3 for group in groups)


def _read_one_separator(
    whole: str, separator: str, tail: str, before_multiplier: bool
) -> list[Reading]:
    decimals = read_decimal(whole, separator, tail)
    if not _are_thousands(whole, [tail]):
        return decimals
    thousands = read_integer(whole + tail)
    if before_multiplier:
        return unique((decimals[0], thousands[0], *decimals[1:]))
    # A decimal of three places seldom ends in 0.
    return thousands if int(tail[-1]) == 0 else unique((*thousands, decimals[0]))


def _read_section(whole: str, separators: list[str], tails: list[str]) -> Reading:
    """A version or the number of a section, `1.2.12`: its parts one by one."""
    words = list(read_group(whole))
    for separator, tail in zip(separators, tails, strict=True):
        words += _DECIMAL_WORDS[separator][0], *read_group(tail)
    return tuple(words)
