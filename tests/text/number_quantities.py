"""Quantities, written and spoken: numbers with signs and units, ranges, telephone numbers."""

from __future__ import annotations

from random import Random

from .number_words import (
    MULTIPLIERS,
    SEPARATOR_NAMES,
    UNITS,
    Case,
    after_zeros,
    amount,
    cardinal,
    decimal,
    gap,
    in_digits,
    small,
)


def plain(draw: Random) -> Case:
    written, spoken = amount(draw)
    return Case(written, spoken, ("plain",))


def leading_zero(draw: Random) -> Case:
    number = draw.randrange(1, 10)
    return Case(f"0{number}នាក់", f"{cardinal(number)}នាក់", ("leading zero",))


def grouped_by_spaces(draw: Random) -> Case:
    number = draw.randrange(1, 1000) * 1000
    return Case(f"{number:,}".replace(",", " "), cardinal(number), ("thousands after spaces",))


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


def multiplied(draw: Random) -> Case:
    written, spoken = decimal(draw) if draw.random() < 0.5 else small(draw)
    multiplier = draw.choice(MULTIPLIERS)
    space = draw.choice(["", " "])
    return Case(f"{written}{space}{multiplier}", f"{spoken}{space}{multiplier}", ("multiplier",))


def other_decimal_customs(draw: Random) -> Case:
    """The other word for the separator, or the decimals digit by digit."""
    number, tail, separator = draw.randrange(100), draw.randrange(11, 100), draw.choice(".,")
    word = draw.choice(list(SEPARATOR_NAMES.values()))
    decimals = draw.choice([cardinal(tail), in_digits(str(tail))])
    spoken = cardinal(number) + word + decimals
    return Case(f"{number}{separator}{tail}", spoken, ("decimal, other customs",), False)


def section(draw: Random) -> Case:
    parts = [draw.randrange(1, 20) for _ in range(3)]
    spoken = "ចុច".join(map(cardinal, parts))
    return Case("ចំណុច" + ".".join(map(str, parts)), "ចំណុច" + spoken, ("section",))


def ordinal(draw: Random) -> Case:
    number = draw.randrange(1, 1000)
    space = draw.choice(["", " "])
    return Case(f"ទី{space}{number}", f"ទី{space}{cardinal(number)}", ("ordinal",))


def numbered(draw: Random) -> Case:
    number = draw.randrange(1, 100)
    form, spoken = draw.choice([("№{}", "លេខ{}"), ("N°{}", "លេខ{}"), ("លេខ {}", "លេខ {}")])
    return Case(form.format(number), spoken.format(cardinal(number)), ("numbered",))


def listing(draw: Random) -> Case:
    numbers = [draw.randrange(1, 2000) for _ in range(3)]
    spoken = ", ".join(map(cardinal, numbers))
    return Case(", ".join(map(str, numbers)), spoken, ("list",))


def negative(draw: Random) -> Case:
    written, spoken = amount(draw)
    percent = draw.random() < 0.5
    return Case(
        f"-{written}{'%' * percent}", f"ដក{spoken}{'ភាគរយ' * percent}", ("negative number",)
    )


def signed(draw: Random) -> Case:
    """A temperature above or below zero, a change in percent."""
    sign, word = draw.choice([("-", "ដក"), ("+", "បូក"), ("±", "បូកដក"), ("≈", "ប្រហែល")])
    written, spoken = amount(draw)
    unit, name = draw.choice([("°C", "អង្សាសេ"), ("%", "ភាគរយ"), ("kg", "គីឡូក្រាម")])
    return Case(f"{sign}{written}{unit}", f"{word}{spoken}{name}", ("signed quantity",))


def percent(draw: Random) -> Case:
    written, spoken = amount(draw)
    return Case(f"{written}{gap(draw)}%", f"{spoken}ភាគរយ", ("percent",))


def vulgar_fraction(draw: Random) -> Case:
    sign, top, bottom = draw.choice([("½", 1, 2), ("¼", 1, 4), ("¾", 3, 4), ("⅓", 1, 3)])
    unit = draw.choice(["", "kg", "km"])
    spoken = f"{cardinal(top)}ភាគ{cardinal(bottom)}{UNITS.get(unit, '')}"
    return Case(f"{sign}{' ' * bool(unit)}{unit}", spoken, ("vulgar fraction",))


def and_a_half(draw: Random) -> Case:
    number = draw.randrange(1, 20)
    return Case(f"{number}½ kg", f"{cardinal(number)}កន្លះគីឡូក្រាម", ("and a half",))


def fraction(draw: Random) -> Case:
    top = draw.randrange(1, 9)
    bottom = draw.randrange(top + 1, 12)
    unit = draw.choice(["", "", "kg", "ha"])
    space = " " if unit else ""
    spoken = f"{cardinal(top)}ភាគ{cardinal(bottom)}{UNITS.get(unit, '')}"
    return Case(f"{top}/{bottom}{space}{unit}", spoken, ("fraction, unit" if unit else "fraction",))


def power(draw: Random) -> Case:
    base = draw.randrange(2, 100)
    sign, exponent = draw.choice([("²", 2), ("³", 3)])
    return Case(f"{base}{sign}", f"{cardinal(base)}ស្វ័យគុណ{cardinal(exponent)}", ("power",))


def sum_of_two(draw: Random) -> Case:
    left, right = draw.randrange(1, 50), draw.randrange(1, 50)
    if draw.random() < 0.5:
        written = f"{left + right}-{right}={left}"
        spoken = f"{cardinal(left + right)}ដក{cardinal(right)}ស្មើ{cardinal(left)}"
        return Case(written, spoken, ("difference",))
    written = f"{left}+{right}={left + right}"
    spoken = f"{cardinal(left)}បូក{cardinal(right)}ស្មើ{cardinal(left + right)}"
    return Case(written, spoken, ("sum",))


def score(draw: Random) -> Case:
    left, right = draw.randrange(10), draw.randrange(10)
    return Case(f"{left}:{right}", f"{cardinal(left)}ទល់នឹង{cardinal(right)}", ("score",), False)


def area(draw: Random) -> Case:
    left, right = draw.randrange(1, 100), draw.randrange(1, 100)
    form, spoken_form = draw.choice(
        [
            ("{}x{}", "{}គុណ{}"),
            ("{} x {}", "{}គុណ {}"),
            ("{}×{}", "{}គុណ{}"),
            ("{} × {} m", "{} គុណ {}ម៉ែត្រ"),
            ("{}m x {}m", "{}ម៉ែត្រគុណ {}ម៉ែត្រ"),
            ("{}m×{}m", "{}ម៉ែត្រគុណ{}ម៉ែត្រ"),
        ]
    )
    spoken = spoken_form.format(cardinal(left), cardinal(right))
    return Case(form.format(left, right), spoken, ("area",))


def size(draw: Random) -> Case:
    """Decimals in a product of lengths."""
    left, right = draw.choice(["1.5", "2.5", "3.25"]), draw.randrange(1, 10)
    spoken_left = {"1.5": "មួយចុចប្រាំ", "2.5": "ពីរចុចប្រាំ", "3.25": "បីចុចម្ភៃប្រាំ"}[left]
    spoken = f"{spoken_left}ម៉ែត្រគុណ{cardinal(right)}ម៉ែត្រ"
    return Case(f"{left}mx{right}m", spoken, ("size",))


def measure(draw: Random) -> Case:
    written, spoken = amount(draw)
    unit = draw.choice(list(UNITS))
    if unit == "m" and len(written) == 4 and written[0] in "12":
        unit = "km"  # a height has a reading of its own
    return Case(f"{written}{gap(draw)}{unit}", spoken + UNITS[unit], ("unit",))


def measure_with_multiplier(draw: Random) -> Case:
    written, spoken = small(draw)
    unit, multiplier = draw.choice(["kg", "km", "ha", "m²"]), draw.choice(MULTIPLIERS)
    spoken = f"{spoken}{multiplier}{UNITS[unit]}"
    return Case(f"{written}{gap(draw)}{multiplier} {unit}", spoken, ("unit, multiplier",))


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
        return Case(mark.join(digits), in_digits("".join(digits)), ("telephone",), False)
    return Case(mark.join(digits), "".join(map(after_zeros, digits)), ("telephone",))


def foreign_telephone(draw: Random) -> Case:
    groups = [str(draw.randrange(10, 100)), str(draw.randrange(100, 1000)), "678"]
    mark = draw.choice(" -")
    spoken = "បូកប្រាំបីរយហាសិបប្រាំ" + "".join(map(after_zeros, groups))
    return Case("+855 " + mark.join(groups), spoken, ("telephone with country",))


def repetition(draw: Random) -> Case:
    """ៗ repeats one and its noun, as មួយថ្ងៃៗ does; after other numbers customs differ."""
    number = draw.choice([1, 1, 2, 3, 5, 10])
    noun = draw.choice(["ថ្ងៃ", "ឆ្នាំ", "នាក់", "ខែ"])
    space = draw.choice(["", " "])
    spoken = f"{cardinal(number)}{noun}" * 2
    return Case(f"{number}{noun}{space}ៗ", spoken, ("repetition",), number == 1)


EXPRESSIONS = (
    plain,
    leading_zero,
    grouped_by_spaces,
    large,
    large_in_parts,
    multiplied,
    other_decimal_customs,
    section,
    ordinal,
    numbered,
    listing,
    negative,
    signed,
    percent,
    vulgar_fraction,
    and_a_half,
    fraction,
    power,
    sum_of_two,
    score,
    area,
    size,
    measure,
    measure_with_multiplier,
    number_range,
    telephone,
    foreign_telephone,
    repetition,
)
