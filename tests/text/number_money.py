"""Amounts of money, written and spoken."""

from __future__ import annotations

from random import Random

from .number_words import (
    CURRENCIES,
    MULTIPLIERS,
    UNITS,
    Case,
    amount,
    cardinal,
    decimal,
    gap,
    small,
    whole,
)


def _other_mark(written: str) -> str:
    """The decimal mark of an amount whose thousands may be separated."""
    return "," if "." in written else "."


def money(draw: Random) -> Case:
    """A sign or a code before or after the amount; two decimals of dollars are cents."""
    sign = draw.choice(list(CURRENCIES))
    name, hundredth = CURRENCIES[sign]
    written, spoken = whole(draw)
    spoken += name
    if hundredth and draw.random() < 0.4:
        cents = draw.randrange(1, 100)
        amount = "" if int(written.replace(",", "").replace(".", "")) == 0 else spoken
        written, spoken = f"{written}{_other_mark(written)}{cents:02}", amount
        spoken += cardinal(cents) + hundredth
    if draw.random() < 0.5:
        return Case(f"{sign}{gap(draw)}{written}", spoken, ("money, sign before",))
    return Case(f"{written}{gap(draw)}{sign}", spoken, ("money, sign after",))


def money_with_multiplier(draw: Random) -> Case:
    sign = draw.choice(["$", "US$", "€", "៛"])
    written, spoken = decimal(draw) if draw.random() < 0.5 else small(draw)
    multiplier = draw.choice(MULTIPLIERS)
    spoken += multiplier + CURRENCIES[sign][0]
    if draw.random() < 0.5:
        return Case(f"{sign}{written}{gap(draw)}{multiplier}", spoken, ("money, multiplier",))
    written = f"{written}{gap(draw)}{multiplier}{gap(draw)}{sign}"
    return Case(written, spoken, ("money, multiplier",))


def negative_money(draw: Random) -> Case:
    written, spoken = small(draw)
    sign = draw.choice(["$", "€", "៛"])
    form = draw.choice(["-{0}{1}", "{0}-{1}", "-{1}{0}"])
    spoken = f"ដក{spoken}{CURRENCIES[sign][0]}"
    return Case(form.format(sign, written), spoken, ("negative money",))


def price(draw: Random) -> Case:
    """A price of one unit."""
    written, spoken = small(draw)
    unit = draw.choice(["kg", "m²", "ha", "km"])
    spoken = f"{spoken}ដុល្លារក្នុងមួយ{UNITS[unit]}"
    return Case(f"${written}/{unit}", spoken, ("price of a unit",))


def price_in_riel(draw: Random) -> Case:
    amount = draw.randrange(1, 100) * 100
    spoken = f"{cardinal(amount)}រៀលក្នុងមួយ"
    form, unit = draw.choice(
        [("{}៛/kg", "គីឡូក្រាម"), ("{} ៛/គីឡូ", "គីឡូ"), ("{}៛/នាក់", "នាក់"), ("{}រៀល/kg", "គីឡូក្រាម")]
    )
    return Case(form.format(amount), spoken + unit, ("price of a unit",))


def currency_in_words(draw: Random) -> Case:
    written, spoken = amount(draw)
    space, name = draw.choice(["", " "]), draw.choice(["ដុល្លារ", "រៀល", "បាត"])
    return Case(f"{written}{space}{name}", f"{spoken}{space}{name}", ("currency in words",))


EXPRESSIONS = (
    money,
    money_with_multiplier,
    negative_money,
    price,
    price_in_riel,
    currency_in_words,
)
