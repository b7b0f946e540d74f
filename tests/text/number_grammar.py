"""Random written numbers with the words that a reader would say: a reference for the verbalizer.

Each function makes one expression from its meaning (an amount and its currency, an hour and its
minutes) and composes the spoken form from that meaning. Nothing here is imported from
`khmer_aligned`: the written and the spoken side share only the value.

Conventions where usage is divided, each of them the reference's own choice:

- 10^9 is ប៊ីលាន, a dot before decimals is ចុច and a comma is ក្បៀស, decimals are read as one number
  after their zeros; the other customs are made too, and only have to be among the readings.
- A group of three digits after one separator is a thousand, as in nearly all of Cambodian news.
- A currency sign belongs to the number that it touches. One that touches neither of two numbers,
  or both, belongs to nobody, and such texts are not made.
- An invisible zero-width space never separates two digits: they look like one number, and are.
- A hyphen between numbers is a range, so a negative number never follows a number.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random

_DIGIT_NAMES = ["សូន្យ", "មួយ", "ពីរ", "បី", "បួន", "ប្រាំ", "ប្រាំមួយ", "ប្រាំពីរ", "ប្រាំបី", "ប្រាំបួន"]
_TEN_NAMES = ["ដប់", "ម្ភៃ", "សាមសិប", "សែសិប", "ហាសិប", "ហុកសិប", "ចិតសិប", "ប៉ែតសិប", "កៅសិប"]
_POWER_NAMES = {9: "ប៊ីលាន", 6: "លាន", 5: "សែន", 4: "ម៉ឺន", 3: "ពាន់", 2: "រយ"}
_MONTH_NAMES = [
    "មករា",
    "កុម្ភៈ",
    "មីនា",
    "មេសា",
    "ឧសភា",
    "មិថុនា",
    "កក្កដា",
    "សីហា",
    "កញ្ញា",
    "តុលា",
    "វិច្ឆិកា",
    "ធ្នូ",
]
_SEPARATOR_NAMES = {".": "ចុច", ",": "ក្បៀស"}
_KHMER_DIGITS = str.maketrans("0123456789", "០១២៣៤៥៦៧៨៩")

# Signs and codes that stand before or after the amount: name, name of the hundredth.
_CURRENCIES = {
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
_UNITS = {
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
_MULTIPLIERS = ("លាន", "ពាន់", "ម៉ឺន", "សែន", "ប៊ីលាន", "រយ")
_PARTS_OF_DAY = ("ព្រឹក", "រសៀល", "ល្ងាច", "យប់")

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


def _in_digits(digits: str) -> str:
    return "".join(_DIGIT_NAMES[int(digit)] for digit in digits)


def _after_zeros(digits: str) -> str:
    """Leading zeros by themselves, then the number: the tail of a decimal, a telephone group."""
    significant = digits.lstrip("0")
    zeros = _in_digits(digits[: len(digits) - len(significant)])
    return zeros + (cardinal(int(significant)) if significant else "")


# Numbers: (written, spoken) of an amount that other expressions are made of.


def _whole(draw: Random) -> tuple[str, str]:
    number = draw.randrange(10 ** draw.choice([1, 1, 2, 2, 3, 4, 5, 7]))
    if number >= 1000 and draw.random() < 0.5:
        return f"{number:,}".replace(",", draw.choice(".,")), cardinal(number)
    return str(number), cardinal(number)


def _decimal(draw: Random) -> tuple[str, str]:
    whole = draw.randrange(10 ** draw.choice([1, 2, 3]))
    tail = draw.choice(["5", "25", "05", "75", "1", "8", "3", "12", "0125", "9"])
    separator = draw.choice(".,")
    spoken = cardinal(whole) + _SEPARATOR_NAMES[separator] + _after_zeros(tail)
    return f"{whole}{separator}{tail}", spoken


def _amount(draw: Random) -> tuple[str, str]:
    return _decimal(draw) if draw.random() < 0.3 else _whole(draw)


def _gap(draw: Random) -> str:
    """What may stand between a number and its sign or unit without a meaning."""
    return draw.choice(["", "", "", " ", "\u00a0", "\u200b"])


# Expressions.


def plain(draw: Random) -> Case:
    written, spoken = _amount(draw)
    return Case(written, spoken, ("plain",))


def leading_zero(draw: Random) -> Case:
    number = draw.randrange(1, 10)
    return Case(f"0{number}នាក់", f"{cardinal(number)}នាក់", ("leading zero",))


def grouped_by_spaces(draw: Random) -> Case:
    number = draw.randrange(1, 1000) * 1000
    return Case(f"{number:,}".replace(",", " "), cardinal(number), ("thousands after spaces",))


def negative(draw: Random) -> Case:
    written, spoken = _amount(draw)
    percent = draw.random() < 0.5
    return Case(
        f"-{written}{'%' * percent}", f"ដក{spoken}{'ភាគរយ' * percent}", ("negative number",)
    )


def percent(draw: Random) -> Case:
    written, spoken = _amount(draw)
    return Case(f"{written}{_gap(draw)}%", f"{spoken}ភាគរយ", ("percent",))


def money(draw: Random) -> Case:
    """A sign or a code before or after the amount; two decimals of dollars are cents."""
    sign = draw.choice(list(_CURRENCIES))
    name, hundredth = _CURRENCIES[sign]
    written, spoken = _whole(draw)
    spoken += name
    if hundredth and draw.random() < 0.4:
        cents = draw.randrange(1, 100)
        amount = "" if int(written.replace(",", "").replace(".", "")) == 0 else spoken
        written, spoken = f"{written}{_other_mark(written)}{cents:02}", amount
        spoken += cardinal(cents) + hundredth
    if draw.random() < 0.5:
        return Case(f"{sign}{_gap(draw)}{written}", spoken, ("money, sign before",))
    return Case(f"{written}{_gap(draw)}{sign}", spoken, ("money, sign after",))


def _other_mark(written: str) -> str:
    """The decimal mark of an amount whose thousands may be separated."""
    return "," if "." in written else "."


def money_with_multiplier(draw: Random) -> Case:
    sign = draw.choice(["$", "US$", "€", "៛"])
    written, spoken = _decimal(draw) if draw.random() < 0.5 else _small(draw)
    multiplier = draw.choice(_MULTIPLIERS)
    spoken += multiplier + _CURRENCIES[sign][0]
    if draw.random() < 0.5:
        return Case(f"{sign}{written}{_gap(draw)}{multiplier}", spoken, ("money, multiplier",))
    written = f"{written}{_gap(draw)}{multiplier}{_gap(draw)}{sign}"
    return Case(written, spoken, ("money, multiplier",))


def negative_money(draw: Random) -> Case:
    written, spoken = _small(draw)
    sign = draw.choice(["$", "€", "៛"])
    form = draw.choice(["-{0}{1}", "{0}-{1}", "-{1}{0}"])
    spoken = f"ដក{spoken}{_CURRENCIES[sign][0]}"
    return Case(form.format(sign, written), spoken, ("negative money",))


def price(draw: Random) -> Case:
    """A price of one unit."""
    written, spoken = _small(draw)
    unit = draw.choice(["kg", "m²", "ha", "km"])
    spoken = f"{spoken}ដុល្លារក្នុងមួយ{_UNITS[unit]}"
    return Case(f"${written}/{unit}", spoken, ("price of a unit",))


def _small(draw: Random) -> tuple[str, str]:
    number = draw.randrange(1, 1000)
    return str(number), cardinal(number)


def measure(draw: Random) -> Case:
    written, spoken = _amount(draw)
    unit = draw.choice(list(_UNITS))
    if unit == "m" and len(written) == 4 and written[0] in "12":
        unit = "km"  # a height has a reading of its own
    return Case(f"{written}{_gap(draw)}{unit}", spoken + _UNITS[unit], ("unit",))


def measure_with_multiplier(draw: Random) -> Case:
    written, spoken = _small(draw)
    unit, multiplier = draw.choice(["kg", "km", "ha", "m²"]), draw.choice(_MULTIPLIERS)
    spoken = f"{spoken}{multiplier}{_UNITS[unit]}"
    return Case(f"{written}{_gap(draw)}{multiplier} {unit}", spoken, ("unit, multiplier",))


def area(draw: Random) -> Case:
    left, right = draw.randrange(1, 100), draw.randrange(1, 100)
    form = draw.choice(["{}x{}", "{} x {}", "{}×{}", "{}m x {}m", "{}m×{}m", "{} × {} m"])
    metres = {"{}m x {}m": 2, "{}m×{}m": 2, "{} × {} m": 1}.get(form, 0)
    space = " " * (" x " in form or " × " in form)
    between = (" គុណ " if " × " in form else f"គុណ{space}") if metres != 2 else f"គុណ{space}"
    spoken = f"{cardinal(left)}{'ម៉ែត្រ' * (metres == 2)}{between}{cardinal(right)}"
    return Case(form.format(left, right), spoken + "ម៉ែត្រ" * (metres > 0), ("area",))


def multiplied(draw: Random) -> Case:
    written, spoken = _decimal(draw) if draw.random() < 0.5 else _small(draw)
    multiplier = draw.choice(_MULTIPLIERS)
    gap = draw.choice(["", " "])
    return Case(f"{written}{gap}{multiplier}", f"{spoken}{gap}{multiplier}", ("multiplier",))


def ordinal(draw: Random) -> Case:
    number = draw.randrange(1, 1000)
    gap = draw.choice(["", " "])
    return Case(f"ទី{gap}{number}", f"ទី{gap}{cardinal(number)}", ("ordinal",))


def _day(draw: Random) -> tuple[int, int, int]:
    return draw.randrange(1, 29), draw.randrange(1, 13), draw.randrange(1900, 2100)


def _spoken_day(day: int, month: int, year: int) -> str:
    return f"{cardinal(day)} ខែ{_MONTH_NAMES[month - 1]} ឆ្នាំ{cardinal(year)}"


def date(draw: Random) -> Case:
    day, month, year = _day(draw)
    mark = draw.choice("/-.")
    padded = draw.random() < 0.5
    written = (
        f"{day:02}{mark}{month:02}{mark}{year}" if padded else f"{day}{mark}{month}{mark}{year}"
    )
    if draw.random() < 0.25:
        written = f"{year}-{month:02}-{day:02}"
    opening, spoken_opening = draw.choice([("", "ថ្ងៃទី"), ("ថ្ងៃទី", "ថ្ងៃទី"), ("ថ្ងៃទី ", "ថ្ងៃទី ")])
    return Case(opening + written, spoken_opening + _spoken_day(day, month, year), ("date",))


def date_in_words(draw: Random) -> Case:
    day, month, year = _day(draw)
    name = _MONTH_NAMES[month - 1]
    return Case(
        f"ថ្ងៃទី{day:02} ខែ{name} ឆ្នាំ{year}",
        f"ថ្ងៃទី{cardinal(day)} ខែ{name} ឆ្នាំ{cardinal(year)}",
        ("date in words",),
    )


def days(draw: Random) -> Case:
    first = draw.randrange(1, 28)
    last = draw.randrange(first + 1, 29)
    name = draw.choice(_MONTH_NAMES)
    gap = draw.choice(["", " "])
    return Case(
        f"ថ្ងៃទី{first}{gap}-{gap}{last} ខែ{name}",
        f"ថ្ងៃទី{cardinal(first)}ដល់{cardinal(last)} ខែ{name}",
        ("range of days",),
    )


def dates(draw: Random) -> Case:
    first, last = _day(draw), _day(draw)
    gap = draw.choice(["", " "])
    if draw.random() < 0.3:
        return _days_of_month(draw, first)
    if draw.random() < 0.3:
        left, right = (f"{year}-{month:02}-{day:02}" for day, month, year in (first, last))
    else:
        left, right = ("/".join(map(str, day)) for day in (first, last))
    spoken = f"ថ្ងៃទី{_spoken_day(*first)}ដល់ថ្ងៃទី{_spoken_day(*last)}"
    return Case(f"{left}{gap}-{gap}{right}", spoken, ("range of dates",))


def _days_of_month(draw: Random, first: tuple[int, int, int]) -> Case:
    day, month, year = first
    last = day + draw.randrange(1, 3)
    spoken = f"ថ្ងៃទី{cardinal(day)}ដល់{_spoken_day(last, month, year)}"
    return Case(f"{day:02}-{last:02}/{month:02}/{year}", spoken, ("range of dates",))


def month_and_year(draw: Random) -> Case:
    _, month, year = _day(draw)
    spoken = f"ខែ{_MONTH_NAMES[month - 1]} ឆ្នាំ{cardinal(year)}"
    return Case(f"ខែ{month:02}/{year}", spoken, ("month and year",))


def _spoken_time(hour: int, minute: int) -> str:
    return cardinal(hour) + (f" {cardinal(minute)}នាទី" if minute else "")


def clock(draw: Random) -> Case:
    hour, minute = draw.randrange(24), draw.choice([0, 5, 15, 30, 45, 59])
    mark = draw.choice([":", ":", "៖", "h"])
    opening, spoken_opening = draw.choice([("", "ម៉ោង"), ("ម៉ោង", "ម៉ោង"), ("ម៉ោង ", "ម៉ោង ")])
    spoken = spoken_opening + _spoken_time(hour, minute)
    written = f"{opening}{hour}{mark}{minute:02}"
    if 1 <= hour <= 12 and draw.random() < 0.4:
        part = draw.choice(_PARTS_OF_DAY)
        return Case(f"{written} {part}", f"{spoken} {part}", ("clock",))
    return Case(written, spoken, ("clock",))


def clock_from_noon(draw: Random) -> Case:
    hour, minute = draw.randrange(20, 24), draw.randrange(1, 60)
    spoken = f"ម៉ោង{_spoken_time(hour - 12, minute)} យប់"
    return Case(f"{hour}:{minute:02}", spoken, ("clock from noon",), is_default=False)


def clocks(draw: Random) -> Case:
    left, right = draw.randrange(1, 12), draw.randrange(1, 12)
    minute = draw.choice([0, 15, 30])
    gap = draw.choice(["", " "])
    spoken = f"ម៉ោង{_spoken_time(left, minute)}ដល់ម៉ោង{_spoken_time(right, minute)}"
    written = f"ម៉ោង{left}:{minute:02}{gap}-{gap}{right}:{minute:02}"
    return Case(written, spoken, ("range of times",))


def number_range(draw: Random) -> Case:
    """A range whose sign or unit stands once, after, or at both ends."""
    low = draw.randrange(1, 500)
    high = draw.randrange(low + 1, 1000)
    spoken_low, spoken_high = cardinal(low), cardinal(high)
    dash = draw.choice(["-", " - ", "–", "\u200b-\u200b"])
    form, spoken_form = draw.choice(
        [
            ("{0}{2}{1}", "{0}ដល់{1}"),
            ("{0}{2}{1}%", "{0}ដល់{1}ភាគរយ"),
            ("{0}%{2}{1}%", "{0}ភាគរយដល់{1}ភាគរយ"),
            ("{0}{2}{1}$", "{0}ដល់{1}ដុល្លារ"),
            ("${0}{2}{1}", "{0}ដល់{1}ដុល្លារ"),
            ("${0}{2}${1}", "{0}ដុល្លារដល់{1}ដុល្លារ"),
            ("${0}{2}{1} លាន", "{0}ដល់{1}លានដុល្លារ"),
            ("{0}{2}{1} លាន", "{0}ដល់{1} លាន"),
            ("{0}{2}{1} kg", "{0}ដល់{1}គីឡូក្រាម"),
            ("{0}kg{2}{1}kg", "{0}គីឡូក្រាមដល់{1}គីឡូក្រាម"),
            ("{0}{2}{1}°C", "{0}ដល់{1}អង្សាសេ"),
        ]
    )
    kind = "range, sign before" if form.startswith("$") else "range"
    return Case(form.format(low, high, dash), spoken_form.format(spoken_low, spoken_high), (kind,))


def telephone(draw: Random) -> Case:
    """As grouped, or by pairs or digits: customs differ from one reader to another."""
    groups = draw.choice([(3, 3, 3), (3, 3, 4), (3, 2, 2, 2)])
    digits = ["0" + "".join(draw.choice("123456789") for _ in range(groups[0] - 1))]
    digits += ["".join(draw.choice("0123456789") for _ in range(size)) for size in groups[1:]]
    mark = draw.choice(" -.\u00a0")
    if draw.random() < 0.3:
        return Case(mark.join(digits), _in_digits("".join(digits)), ("telephone",), False)
    return Case(mark.join(digits), "".join(map(_after_zeros, digits)), ("telephone",))


def fraction(draw: Random) -> Case:
    top = draw.randrange(1, 9)
    bottom = draw.randrange(top + 1, 12)
    unit = draw.choice(["", "", "kg", "ha"])
    gap = " " if unit else ""
    spoken = f"{cardinal(top)}ភាគ{cardinal(bottom)}{_UNITS.get(unit, '')}"
    return Case(f"{top}/{bottom}{gap}{unit}", spoken, ("fraction, unit" if unit else "fraction",))


def score(draw: Random) -> Case:
    left, right = draw.randrange(10), draw.randrange(10)
    return Case(f"{left}:{right}", f"{cardinal(left)}ទល់នឹង{cardinal(right)}", ("score",), False)


def repetition(draw: Random) -> Case:
    """ៗ repeats one and its noun, as មួយថ្ងៃៗ does; after other numbers customs differ."""
    number = draw.choice([1, 1, 2, 3, 5, 10])
    noun = draw.choice(["ថ្ងៃ", "ឆ្នាំ", "នាក់", "ខែ"])
    gap = draw.choice(["", " "])
    spoken = f"{cardinal(number)}{noun}" * 2
    return Case(f"{number}{noun}{gap}ៗ", spoken, ("repetition",), number == 1)


def large(draw: Random) -> Case:
    """10^9 and more: either name of the power is in use."""
    number = draw.randrange(10**9, 10**12)
    separator = draw.choice([".", ",", ""])
    spoken = cardinal(number)
    if draw.random() < 0.3:
        return Case(str(number), spoken.replace("ប៊ីលាន", "ពាន់លាន"), ("large number",), False)
    return Case(f"{number:,}".replace(",", separator), spoken, ("large number",))


def large_in_parts(draw: Random) -> Case:
    millions, rest = draw.randrange(1, 100), draw.randrange(1, 10)
    spoken = f"{cardinal(millions)}លាន{cardinal(rest)}សែន"
    return Case(f"{millions}លាន{rest}សែន", spoken, ("millions and hundred thousands",))


def other_decimal_customs(draw: Random) -> Case:
    """The other word for the separator, or the decimals digit by digit."""
    whole, tail, separator = draw.randrange(100), draw.randrange(11, 100), draw.choice(".,")
    word = draw.choice(list(_SEPARATOR_NAMES.values()))
    decimals = draw.choice([cardinal(tail), _in_digits(str(tail))])
    spoken = cardinal(whole) + word + decimals
    return Case(f"{whole}{separator}{tail}", spoken, ("decimal, other customs",), False)


def section(draw: Random) -> Case:
    parts = [draw.randrange(1, 20) for _ in range(3)]
    spoken = "ចុច".join(map(cardinal, parts))
    return Case("ចំណុច" + ".".join(map(str, parts)), "ចំណុច" + spoken, ("section",))


def signed(draw: Random) -> Case:
    """A temperature above or below zero, a change in percent."""
    sign, word = draw.choice([("-", "ដក"), ("+", "បូក"), ("±", "បូកដក"), ("≈", "ប្រហែល")])
    written, spoken = _amount(draw)
    unit, name = draw.choice([("°C", "អង្សាសេ"), ("%", "ភាគរយ"), ("kg", "គីឡូក្រាម")])
    return Case(f"{sign}{written}{unit}", f"{word}{spoken}{name}", ("signed quantity",))


def sum_of_two(draw: Random) -> Case:
    left, right = draw.randrange(1, 50), draw.randrange(1, 50)
    if draw.random() < 0.5:
        written = f"{left + right}-{right}={left}"
        return Case(
            written,
            f"{cardinal(left + right)}ដក{cardinal(right)}ស្មើ{cardinal(left)}",
            ("difference",),
        )
    written = f"{left}+{right}={left + right}"
    spoken = f"{cardinal(left)}បូក{cardinal(right)}ស្មើ{cardinal(left + right)}"
    return Case(written, spoken, ("sum",))


def vulgar_fraction(draw: Random) -> Case:
    sign, top, bottom = draw.choice([("½", 1, 2), ("¼", 1, 4), ("¾", 3, 4), ("⅓", 1, 3)])
    unit = draw.choice(["", "kg", "km"])
    spoken = f"{cardinal(top)}ភាគ{cardinal(bottom)}{_UNITS.get(unit, '')}"
    return Case(f"{sign}{' ' * bool(unit)}{unit}", spoken, ("vulgar fraction",))


def and_a_half(draw: Random) -> Case:
    number = draw.randrange(1, 20)
    return Case(f"{number}½ kg", f"{cardinal(number)}កន្លះគីឡូក្រាម", ("and a half",))


def power(draw: Random) -> Case:
    base = draw.randrange(2, 100)
    sign, exponent = draw.choice([("²", 2), ("³", 3)])
    return Case(f"{base}{sign}", f"{cardinal(base)}ស្វ័យគុណ{cardinal(exponent)}", ("power",))


def year_of_era(draw: Random) -> Case:
    era, name = draw.choice([("គ.ស.", "គ្រិស្តសករាជ"), ("ព.ស.", "ពុទ្ធសករាជ")])
    year = draw.randrange(1000, 2600)
    gap = draw.choice(["", " "])
    return Case(f"{era}{gap}{year}", f"{name}{gap and ' '}{cardinal(year)}", ("year of an era",))


def years(draw: Random) -> Case:
    first = draw.randrange(1900, 2050)
    last = first + draw.randrange(1, 50)
    gap = draw.choice(["", " "])
    spoken = f"ឆ្នាំ{cardinal(first)}ដល់{cardinal(last)}"
    return Case(f"ឆ្នាំ{first}{gap}-{gap}{last}", spoken, ("range of years",))


def hours(draw: Random) -> Case:
    """Whole hours, and a range of which one end has minutes."""
    left, right = draw.randrange(1, 12), draw.randrange(1, 12)
    spoken_left, spoken_right = cardinal(left), cardinal(right)
    written, spoken = draw.choice(
        [
            (f"ម៉ោង{left}", f"ម៉ោង{spoken_left}"),
            (f"ម៉ោង {left} ព្រឹក", f"ម៉ោង {spoken_left} ព្រឹក"),
            (f"ម៉ោង{left}-{left + 1}", f"ម៉ោង{spoken_left}ដល់{cardinal(left + 1)}"),
            (f"ម៉ោង{left}-{right}:15", f"ម៉ោង{spoken_left}ដល់ម៉ោង{spoken_right} ដប់ប្រាំនាទី"),
            (f"ម៉ោង{left}:15-{right}", f"ម៉ោង{spoken_left} ដប់ប្រាំនាទីដល់ម៉ោង{spoken_right}"),
        ]
    )
    return Case(written, spoken, ("hours",))


def seconds(draw: Random) -> Case:
    hour, minute, second = draw.randrange(24), draw.randrange(1, 60), draw.randrange(1, 60)
    spoken = f"ម៉ោង{_spoken_time(hour, minute)} {cardinal(second)}វិនាទី"
    return Case(f"{hour}:{minute:02}:{second:02}", spoken, ("clock with seconds",))


def half_of_day(draw: Random) -> Case:
    hour, minute = draw.randrange(1, 12), draw.randrange(1, 60)
    half, part = draw.choice([("AM", "ព្រឹក"), ("am", "ព្រឹក"), ("a.m.", "ព្រឹក"), ("PM", None)])
    part = part or ("រសៀល" if hour < 5 else "ល្ងាច" if hour < 7 else "យប់")
    spoken = f"ម៉ោង{_spoken_time(hour, minute)} {part}"
    return Case(f"{hour}:{minute:02} {half}", spoken, ("clock, AM or PM",))


def foreign_telephone(draw: Random) -> Case:
    groups = [str(draw.randrange(10, 100)), str(draw.randrange(100, 1000)), "678"]
    mark = draw.choice(" -")
    spoken = "បូកប្រាំបីរយហាសិបប្រាំ" + "".join(map(_after_zeros, groups))
    return Case("+855 " + mark.join(groups), spoken, ("telephone with country",))


def currency_in_words(draw: Random) -> Case:
    written, spoken = _amount(draw)
    gap, name = draw.choice(["", " "]), draw.choice(["ដុល្លារ", "រៀល", "បាត"])
    return Case(f"{written}{gap}{name}", f"{spoken}{gap}{name}", ("currency in words",))


def price_in_riel(draw: Random) -> Case:
    amount = draw.randrange(1, 100) * 100
    spoken = f"{cardinal(amount)}រៀលក្នុងមួយ"
    form, unit = draw.choice(
        [("{}៛/kg", "គីឡូក្រាម"), ("{} ៛/គីឡូ", "គីឡូ"), ("{}៛/នាក់", "នាក់"), ("{}រៀល/kg", "គីឡូក្រាម")]
    )
    return Case(form.format(amount), spoken + unit, ("price of a unit",))


def numbered(draw: Random) -> Case:
    number = draw.randrange(1, 100)
    form, spoken = draw.choice([("№{}", "លេខ{}"), ("N°{}", "លេខ{}"), ("លេខ {}", "លេខ {}")])
    return Case(form.format(number), spoken.format(cardinal(number)), ("numbered",))


def listing(draw: Random) -> Case:
    numbers = [draw.randrange(1, 2000) for _ in range(3)]
    spoken = ", ".join(map(cardinal, numbers))
    return Case(", ".join(map(str, numbers)), spoken, ("list",))


def size(draw: Random) -> Case:
    """Decimals in a product of lengths."""
    left, right = draw.choice(["1.5", "2.5", "3.25"]), draw.randrange(1, 10)
    spoken_left = {"1.5": "មួយចុចប្រាំ", "2.5": "ពីរចុចប្រាំ", "3.25": "បីចុចម្ភៃប្រាំ"}[left]
    spoken = f"{spoken_left}ម៉ែត្រគុណ{cardinal(right)}ម៉ែត្រ"
    return Case(f"{left}mx{right}m", spoken, ("size",))


EXPRESSIONS: tuple[Callable[[Random], Case], ...] = (
    plain,
    leading_zero,
    grouped_by_spaces,
    negative,
    percent,
    money,
    money,
    money_with_multiplier,
    negative_money,
    price,
    measure,
    measure_with_multiplier,
    area,
    multiplied,
    ordinal,
    date,
    date_in_words,
    days,
    dates,
    month_and_year,
    clock,
    clock_from_noon,
    clocks,
    number_range,
    telephone,
    fraction,
    score,
    repetition,
    large,
    large_in_parts,
    other_decimal_customs,
    section,
    signed,
    sum_of_two,
    vulgar_fraction,
    power,
    and_a_half,
    year_of_era,
    years,
    hours,
    seconds,
    half_of_day,
    foreign_telephone,
    currency_in_words,
    price_in_riel,
    numbered,
    listing,
    size,
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
    if any(char not in " \u00a0\u200b" for char in between):
        return True
    if left[-1].isdecimal() and right[0].isdecimal():  # 5 000 may be one number
        first_group = right.replace("\u00a0", " ").split(" ")[0]
        return not (len(first_group) == 3 and first_group.isdecimal())
    touches = len(right.lstrip("US$€£៛฿¥KHRD")) == len(right) or not _has_gap_after_sign(right)
    return touches and not _has_gap_before_sign(left)


def _has_gap_after_sign(written: str) -> bool:
    """Whether a currency is written before its number and apart from it, as `$ 5`."""
    number = written.lstrip("US$€£៛฿¥KHRD")
    return number[:1].isspace()


def _has_gap_before_sign(written: str) -> bool:
    """Whether a currency is written after its number and apart from it, as `5 $`."""
    number = written.rstrip("US$€£៛฿¥KHRD")
    return number != written and number[-1:].isspace()
