"""Dates and clock times, written and spoken."""

from __future__ import annotations

from random import Random

from .number_words import (
    Case,
    cardinal,
)

MONTH_NAMES = [
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
_PARTS_OF_DAY = ("ព្រឹក", "រសៀល", "ល្ងាច", "យប់")


def _day(draw: Random) -> tuple[int, int, int]:
    return draw.randrange(1, 29), draw.randrange(1, 13), draw.randrange(1900, 2100)


def _spoken_day(day: int, month: int, year: int) -> str:
    return f"{cardinal(day)} ខែ{MONTH_NAMES[month - 1]} ឆ្នាំ{cardinal(year)}"


def _days_of_month(draw: Random, first: tuple[int, int, int]) -> Case:
    day, month, year = first
    last = day + draw.randrange(1, 3)
    spoken = f"ថ្ងៃទី{cardinal(day)}ដល់{_spoken_day(last, month, year)}"
    return Case(f"{day:02}-{last:02}/{month:02}/{year}", spoken, ("range of dates",))


def _spoken_time(hour: int, minute: int) -> str:
    return cardinal(hour) + (f" {cardinal(minute)}នាទី" if minute else "")


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
    name = MONTH_NAMES[month - 1]
    return Case(
        f"ថ្ងៃទី{day:02} ខែ{name} ឆ្នាំ{year}",
        f"ថ្ងៃទី{cardinal(day)} ខែ{name} ឆ្នាំ{cardinal(year)}",
        ("date in words",),
    )


def days(draw: Random) -> Case:
    first = draw.randrange(1, 28)
    last = draw.randrange(first + 1, 29)
    name = draw.choice(MONTH_NAMES)
    space = draw.choice(["", " "])
    return Case(
        f"ថ្ងៃទី{first}{space}-{space}{last} ខែ{name}",
        f"ថ្ងៃទី{cardinal(first)}ដល់{cardinal(last)} ខែ{name}",
        ("range of days",),
    )


def dates(draw: Random) -> Case:
    first, last = _day(draw), _day(draw)
    space = draw.choice(["", " "])
    if draw.random() < 0.3:
        return _days_of_month(draw, first)
    if draw.random() < 0.3:
        left, right = (f"{year}-{month:02}-{day:02}" for day, month, year in (first, last))
    else:
        left, right = ("/".join(map(str, day)) for day in (first, last))
    spoken = f"ថ្ងៃទី{_spoken_day(*first)}ដល់ថ្ងៃទី{_spoken_day(*last)}"
    return Case(f"{left}{space}-{space}{right}", spoken, ("range of dates",))


def month_and_year(draw: Random) -> Case:
    _, month, year = _day(draw)
    spoken = f"ខែ{MONTH_NAMES[month - 1]} ឆ្នាំ{cardinal(year)}"
    return Case(f"ខែ{month:02}/{year}", spoken, ("month and year",))


def year_of_era(draw: Random) -> Case:
    era, name = draw.choice([("គ.ស.", "គ្រិស្តសករាជ"), ("ព.ស.", "ពុទ្ធសករាជ")])
    year = draw.randrange(1000, 2600)
    space = draw.choice(["", " "])
    return Case(f"{era}{space}{year}", f"{name}{space}{cardinal(year)}", ("year of an era",))


def years(draw: Random) -> Case:
    first = draw.randrange(1900, 2050)
    last = first + draw.randrange(1, 50)
    space = draw.choice(["", " "])
    spoken = f"ឆ្នាំ{cardinal(first)}ដល់{cardinal(last)}"
    return Case(f"ឆ្នាំ{first}{space}-{space}{last}", spoken, ("range of years",))


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
    space = draw.choice(["", " "])
    spoken = f"ម៉ោង{_spoken_time(left, minute)}ដល់ម៉ោង{_spoken_time(right, minute)}"
    written = f"ម៉ោង{left}:{minute:02}{space}-{space}{right}:{minute:02}"
    return Case(written, spoken, ("range of times",))


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


EXPRESSIONS = (
    date,
    date_in_words,
    days,
    dates,
    month_and_year,
    year_of_era,
    years,
    clock,
    clock_from_noon,
    clocks,
    hours,
    seconds,
    half_of_day,
)
