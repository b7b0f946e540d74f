"""Random written numbers with the words that a reader would say: a reference for the verbalizer.

Each function of number_quantities, number_money and number_times makes one expression from its
meaning (an amount and its currency, an hour and its minutes) and composes the spoken form from
that meaning. Nothing is imported from `khmer_aligned`: the written and the spoken side share only
the value.

Conventions where usage is divided, each of them the reference's own choice:

- 10^9 is ប៊ីលាន, a dot before decimals is ចុច and a comma is ក្បៀស, decimals are read as one number
  after their zeros; the other customs are made too, and only have to be among the readings.
- A group of three digits after one separator is a thousand, as in nearly all of Cambodian news.
- A currency sign belongs to the number that it touches. One that touches neither of two numbers,
  or both, belongs to nobody, and such texts are not made.
- An invisible zero-width space never separates two digits: they look like one number, and are.
- A hyphen between numbers is a range, so a negative number never follows a number; before an equals
  sign it is minus.
- A currency before a range (`$5-10`) belongs to both ends and is spoken once, at the end.
- Dates are read day first; after ថ្ងៃទី and before a month two numbers are days: ថ្ងៃទី4-9 ខែកញ្ញា.
- A clock time is read as written; the hours counted from noon only have to be among the readings.
- ៗ repeats `1` and its noun, as it does មួយថ្ងៃ; after other numbers it may repeat the noun only.
- A score (`2:1`) and a telephone number have several customs, and each is among the readings.
"""

from __future__ import annotations

from dataclasses import replace
from random import Random

from . import number_money, number_quantities, number_times
from .number_words import Case

_KHMER_DIGITS = str.maketrans("0123456789", "០១២៣៤៥៦៧៨៩")

_CURRENCY = "$€£៛฿¥USDKHR"  # the characters of signs and codes

# Written between two expressions -> the same in the spoken text.
_BETWEEN = {
    " ": " ",
    "\u00a0": " ",
    "\u200b \u200b": " ",
    "\n": "\n",
    ", ": ", ",
    "; ": "; ",
    "។ ": "។ ",
    " និង ": " និង ",
    "និង": "និង",
    "\u200bនិង\u200b": "និង",
    " ឬ\u00a0": " ឬ ",
    "នាក់ មាន": "នាក់ មាន",
    " ចំនួន ": " ចំនួន ",
    " (ឬ ": " (ឬ ",
    ") ": ") ",
    "» «": "» «",
    " - មាន ": " - មាន ",
    "៖ ": "៖ ",
    "... ": "... ",
    "! ": "! ",
    "(": "(",
}


# Written before and after; some words start like a unit, a multiplier or a part of the day.
_AROUND = [
    ("", ""),
    ("(", ")"),
    ("«", "»"),
    ("មាន", "ហើយ"),
    ("តម្លៃ", " រយៈពេលយូរ"),
    ("អាយុ ", "គឺ"),
    ("ក្នុង", " ម៉ឺនុយ"),
    ("Apple ", " and more"),
    ("ប្រហែល", "សម្រាប់"),
    ("បាន ", " គម្រោង"),
    ("", "។ ការងារ"),
    ("សរុប៖ ", "!"),
    ("មក", "ជាដើម"),
    ("", ", ពេញ"),
]

EXPRESSIONS = (
    *number_quantities.EXPRESSIONS,
    *number_money.EXPRESSIONS,
    *number_times.EXPRESSIONS,
)


def make_case(draw: Random) -> Case:
    """One to three expressions in a row, with words, signs or spaces around and between."""
    opening, closing = draw.choice(_AROUND)
    case = draw.choice(EXPRESSIONS)(draw)
    if draw.random() < 0.2:
        case = replace(case, written=case.written.translate(_KHMER_DIGITS))
    for _ in range(draw.choice([0, 1, 1, 2])):
        following = draw.choice(EXPRESSIONS)(draw)
        if draw.random() < 0.5:
            following = replace(following, written=following.written.translate(_KHMER_DIGITS))
        between = draw.choice(list(_BETWEEN))
        if not _are_separate(case.written, between, following.written):
            continue
        case = Case(
            case.written + between + following.written,
            case.spoken + _BETWEEN[between] + following.spoken,
            case.kinds + following.kinds,
            case.is_default and following.is_default,
        )
    if opening and opening[-1] not in " («" and case.written[0] in "-+±≈":
        opening += " "  # a hyphen after a letter is no minus
    return replace(
        case,
        written=opening + case.written + closing,
        spoken=opening + case.spoken + closing,
    )


def _are_separate(left: str, between: str, right: str) -> bool:
    """Whether the end of `left` and the start of `right` cannot be one expression."""
    if right[0] in "-+±≈":
        return any(char.isalpha() for char in between) and between[-1].isspace()
    if between.strip(" \u00a0\u200b"):
        return True
    if left[-1].isdecimal() and right[0].isdecimal():  # 5 000 may be one number
        first_group = right.replace("\u00a0", " ").split(" ")[0]
        return not (len(first_group) == 3 and first_group.isdecimal())
    # `5 $` and `$ 5`: a currency apart from its number could be the neighbour's
    return not (left.rstrip(_CURRENCY)[-1:].isspace() or right.lstrip(_CURRENCY)[:1].isspace())
