"""How dates and clock times are read.

Readers as in `readers.py`: they return readings, the default first, or none where the match is
something else.
"""

from __future__ import annotations

import re

from khmer_aligned.text.numbers import Reading, read_cardinal, read_integer
from khmer_aligned.text.readers import follows
from khmer_aligned.text.symbols import MONTHS

_DAY: Reading = ("ថ្ងៃ", "ទី")
_HOUR: Reading = ("ម៉ោង",)
_MONTH_FOLLOWS = re.compile(" ?ខែ")
_PART_OF_DAY_FOLLOWS = re.compile(" ?(?:ព្រឹក|ថ្ងៃត្រង់|រសៀល|ល្ងាច|យប់|អធ្រាត្រ|ទៀបភ្លឺ)")


def read_date(match: re.Match[str]) -> list[Reading]:
    """Two digits are a year after a slash or after the word day: 1.2.12 is a section."""
    if not _may_be_date(match):
        return []
    return _read_day(_day_opening(match), match["day"], match["month"], match["year"])


def _may_be_date(match: re.Match[str]) -> bool:
    after_day = follows(match, "ថ្ងៃ") or follows(match, "ថ្ងៃទី")
    return len(match["year"]) == 4 or match["separator"] == "/" or after_day


def read_range_of_dates(match: re.Match[str]) -> list[Reading]:
    """From one date to another: 1/5/2020-3/6/2021, 05-06/07/2020, ថ្ងៃទី1/5-3/6."""
    separator, after_day = match["separator"], follows(match, "ថ្ងៃទី")
    low, high = (match[end].split(separator) for end in ("low", "high"))
    if len(high) == 2 and not (separator == "/" and after_day):
        return []
    opening = _day_opening(match)
    if len(low) == 1 and separator == "/" and low[0].isdecimal() and int(low[0]) < int(high[0]):
        lows: list[Reading] = [(*opening, *read_cardinal(int(low[0])))]
        highs = _read_date_parts((), high)
    elif len(low) == len(high):
        lows, highs = _read_date_parts(opening, low), _read_date_parts(_DAY, high)
    else:
        return []
    return [(*lows[0], word, *highs[0]) for word in ("ដល់", "ទៅ") if lows and highs]


def _read_date_parts(opening: Reading, parts: list[str]) -> list[Reading]:
    """Readings of a day and a month, with the year before or after them, or without."""
    if len(parts) == 2:
        parts = [*parts, ""]
    elif len(parts[0]) == 4:
        parts.reverse()
    day, month, year = parts
    if len(day) > 2 or len(year) not in (0, 2, 4):
        return []
    return _read_day(opening, day, month, year)


def read_day_and_month(match: re.Match[str]) -> list[Reading]:
    """Only after ថ្ងៃទី: elsewhere it is a fraction or a range.

    Days with a hyphen are a range where the month follows, as in ថ្ងៃទី៤-៩ ខែកញ្ញា, and rather a
    range than a date where they rise.
    """
    if not follows(match, "ថ្ងៃទី") or _MONTH_FOLLOWS.match(match.string, match.end()):
        return []
    day, month = match["day"], match["month"]
    if match["separator"] == "/" or int(day) >= int(month):
        return _read_day((), day, month, "")
    days: Reading = (*read_cardinal(int(day)), "ដល់", *read_cardinal(int(month)))
    return [days, *(_read_day((), day, month, "") if int(month) <= 12 else ())]


def read_month_and_year(match: re.Match[str]) -> list[Reading]:
    """Only after the word month: elsewhere it is a fraction or a range."""
    months = [int(month) for month in (match["first_month"], match["month"]) if month]
    if not follows(match, "ខែ") or not all(1 <= month <= 12 for month in months):
        return []
    names: list[Reading] = [(MONTHS[month - 1],) for month in months]
    numbers = [read_cardinal(month) for month in months]
    year: Reading = (" ", "ឆ្នាំ", *read_integer(match["year"])[0])
    return [
        (*first, "ដល់", *last[0], *year) if last else (*first, *year)
        for first, *last in (names, numbers)
    ]


def _day_opening(match: re.Match[str]) -> Reading:
    """What is spoken before the day: as much of ថ្ងៃទី as is not written."""
    if follows(match, "ថ្ងៃទី"):
        return ()
    return ("ទី",) if follows(match, "ថ្ងៃ") else _DAY


def _read_day(opening: Reading, day: str, month: str, year: str) -> list[Reading]:
    if int(month) > 12 and int(day) <= 12:
        day, month = month, day
    if not (1 <= int(day) <= 31 and 1 <= int(month) <= 12):
        return []
    months: list[Reading] = [("ខែ", MONTHS[int(month) - 1]), ("ខែ", *read_cardinal(int(month)))]
    ending: Reading = (" ", "ឆ្នាំ", *read_integer(year)[0]) if year else ()
    return [(*opening, *read_cardinal(int(day)), " ", *name, *ending) for name in months]


def read_clock(match: re.Match[str]) -> list[Reading]:
    """As written; then half past, and the hours after noon counted from noon."""
    after_hour_word = follows(match, "ម៉ោង")
    if match["separator"] in (".", ": ") and not after_hour_word:
        return []
    return _read_time(match, () if after_hour_word else _HOUR)


def read_range_of_times(match: re.Match[str], clock: re.Pattern[str]) -> list[Reading]:
    """From one time to another; `clock` matches either.

    After the word hour one of the two may be a whole hour: ម៉ោង 7-8:15.
    """
    low, high = (clock.match(match.string, match.start(end)) for end in ("low", "high"))
    after_hour_word = follows(match, "ម៉ោង")
    if not (low and high) and not (after_hour_word and (low or high)):
        return []
    lows = read_clock(low) if low else [read_cardinal(int(match["low"]))]
    highs = _read_time(high, _HOUR) if high else [(*_HOUR, *read_cardinal(int(match["high"])))]
    return [(*lows[0], word, *highs[0]) for word in ("ដល់", "ទៅ") if lows and highs]


def _read_time(match: re.Match[str], opening: Reading) -> list[Reading]:
    hour, minute, second = int(match["hour"]), int(match["minute"]), int(match["second"] or 0)
    if hour > 24 or minute > 59 or second > 59:
        return []
    minutes: Reading = (" ", *read_cardinal(minute), "នាទី") if minute else ()
    if second:
        minutes += (" ", *read_cardinal(second), "វិនាទី")
    tails = [minutes, ("កន្លះ",)] if minute == 30 and not second else [minutes]
    period_follows = _PART_OF_DAY_FOLLOWS.match(match.string, match.end()) is not None
    return [
        (*opening, *spoken_hour, *tail, *period)
        for spoken_hour, period in _read_hour(hour, match["half"], period_follows)
        for tail in tails
    ]


def _read_hour(hour: int, half: str | None, period_follows: bool) -> list[tuple[Reading, Reading]]:
    """Readings of an hour, each with the part of the day that is spoken after the minutes.

    `half` is the letter of AM or PM; `period_follows` where the text itself names the part.
    """
    if period_follows:
        hours = [hour] if hour <= 12 else [hour, hour - 12]
        return [(read_cardinal(value), ()) for value in hours]
    if half and hour <= 12:
        period = _part_of_day(hour % 12 + (12 if half in "pP" else 0))
        return [(read_cardinal(hour), (" ", period))]
    hours_and_periods: list[tuple[Reading, Reading]] = [(read_cardinal(hour), ())]
    if hour > 12 or hour == 0:
        hours_and_periods.append((read_cardinal(hour % 12 or 12), (" ", _part_of_day(hour))))
    return hours_and_periods


def _part_of_day(hour: int) -> str:
    for end, name in ((1, "អធ្រាត្រ"), (12, "ព្រឹក"), (13, "ថ្ងៃត្រង់"), (17, "រសៀល"), (19, "ល្ងាច")):
        if hour < end:
            return name
    return "យប់" if hour < 24 else "អធ្រាត្រ"
