"""Names of numbers and of what is counted: what the grammar of numbers is made of."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

_DIGIT_NAMES = ["សូន្យ", "មួយ", "ពីរ", "បី", "បួន", "ប្រាំ", "ប្រាំមួយ", "ប្រាំពីរ", "ប្រាំបី", "ប្រាំបួន"]
_TEN_NAMES = ["ដប់", "ម្ភៃ", "សាមសិប", "សែសិប", "ហាសិប", "ហុកសិប", "ចិតសិប", "ប៉ែតសិប", "កៅសិប"]
_POWER_NAMES = {9: "ប៊ីលាន", 6: "លាន", 5: "សែន", 4: "ម៉ឺន", 3: "ពាន់", 2: "រយ"}
SEPARATOR_NAMES = {".": "ចុច", ",": "ក្បៀស"}

# Signs and codes that stand before or after the amount: name, name of the hundredth.
CURRENCIES = {
    "$": ("ដុល្លារ", "សេន"),
    "US$": ("ដុល្លារអាមេរិក", "សេន"),
    "USD": ("ដុល្លារអាមេរិក", "សេន"),
    "€": ("អឺរ៉ូ", "សេន"),
    "£": ("ផោន", "ផិននី"),
    "៛": ("រៀល", None),
    "฿": ("បាត", None),
    "¥": ("យ៉េន", None),
    "KHR": ("រៀល", None),
}
UNITS = {
    "kg": "គីឡូក្រាម",
    "km": "គីឡូម៉ែត្រ",
    "cm": "សង់ទីម៉ែត្រ",
    "m": "ម៉ែត្រ",
    "m²": "ម៉ែត្រការ៉េ",
    "km/h": "គីឡូម៉ែត្រក្នុងមួយម៉ោង",
    "°C": "អង្សាសេ",
    "ha": "ហិកតា",
    "GB": "ជីហ្គាបៃ",
    "គ.ម": "គីឡូម៉ែត្រ",
    "គ.ក": "គីឡូក្រាម",
}
MULTIPLIERS = ("លាន", "ពាន់", "ម៉ឺន", "សែន", "ប៊ីលាន", "រយ")


@dataclass(frozen=True, slots=True)
class Case:
    """A written text and its spoken reference."""

    written: str
    spoken: str
    kinds: tuple[str, ...]
    is_default: bool = True  # else the reference is one of several customs


def cardinal(number: int) -> str:
    """The Khmer name of a number below 10^12."""
    if number < 10:
        return _DIGIT_NAMES[number]
    if number < 100:
        ten, one = divmod(number, 10)
        return _TEN_NAMES[ten - 1] + (_DIGIT_NAMES[one] if one else "")
    power = max(power for power in _POWER_NAMES if 10**power <= number)
    count, remainder = divmod(number, 10**power)
    return cardinal(count) + _POWER_NAMES[power] + (cardinal(remainder) if remainder else "")


def in_digits(digits: str) -> str:
    return "".join(_DIGIT_NAMES[int(digit)] for digit in digits)


def after_zeros(digits: str) -> str:
    """Leading zeros by themselves, then the number: the tail of a decimal, a telephone group."""
    significant = digits.lstrip("0")
    zeros = in_digits(digits[: len(digits) - len(significant)])
    return zeros + (cardinal(int(significant)) if significant else "")


def whole(draw: Random) -> tuple[str, str]:
    """A whole number as written, with or without its thousands apart, and as spoken."""
    number = draw.randrange(10 ** draw.choice([1, 1, 2, 2, 3, 4, 5, 7]))
    if number >= 1000 and draw.random() < 0.5:
        return f"{number:,}".replace(",", draw.choice(".,")), cardinal(number)
    return str(number), cardinal(number)


def decimal(draw: Random) -> tuple[str, str]:
    """A number with decimals; never three of them, which would be thousands."""
    number = draw.randrange(10 ** draw.choice([1, 2, 3]))
    tail = draw.choice(["5", "25", "05", "75", "1", "8", "3", "12", "0125", "9"])
    separator = draw.choice(".,")
    spoken = cardinal(number) + SEPARATOR_NAMES[separator] + after_zeros(tail)
    return f"{number}{separator}{tail}", spoken


def amount(draw: Random) -> tuple[str, str]:
    """A whole number or a decimal."""
    return decimal(draw) if draw.random() < 0.3 else whole(draw)


def small(draw: Random) -> tuple[str, str]:
    """A number below 1,000."""
    number = draw.randrange(1, 1000)
    return str(number), cardinal(number)


def gap(draw: Random) -> str:
    """What may stand between a number and its sign or unit without a meaning."""
    return draw.choice(["", "", "", " ", "\u00a0", "\u200b"])
