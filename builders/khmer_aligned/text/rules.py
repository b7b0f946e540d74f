"""The verbalizer's table: what is written with digits and signs, and how it is read.

Every row has a pattern, a reader, and examples `(written, spoken)` that run as tests. Rows are
asked in order; the first that matches and has a reading decides.

The default readings follow Google's Khmer text normalization grammar (language-resources, km),
CLDR's spell-out rules and the use of Cambodian news; where these differ, the other readings come
after the default.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from khmer_aligned.text import dates, readers
from khmer_aligned.text.numbers import NUMBER
from khmer_aligned.text.patterns import (
    CLOCK,
    CURRENCY,
    CURRENCY_AFTER,
    DIGITS,
    DOTTED,
    LETTERS,
    MORE_DIGITS,
    MULTIPLIER,
    PER,
    PER_ONE,
    SIGN,
    UNIT,
    any_of,
    nameless,
)
from khmer_aligned.text.symbols import SIGNS

Examples = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Rule:
    name: str
    pattern: re.Pattern[str]
    read: readers.Reader
    examples: Examples


def _rule(name: str, pattern: str, read: readers.Reader, *examples: tuple[str, str]) -> Rule:
    return Rule(name, re.compile(pattern), read, examples)


_MONEY_BEFORE = _rule(
    "money, sign before",
    rf"{SIGN}{CURRENCY} ?(?P<inner_sign>[-+]?){DIGITS}{MULTIPLIER}{PER}",
    readers.read_money,
    ("$5", "ប្រាំដុល្លារ"),
    ("$1.50", "មួយដុល្លារហាសិបសេន"),
    ("$2.5លាន", "ពីរចុចប្រាំលានដុល្លារ"),
    ("$5 រយៈពេល", "ប្រាំដុល្លារ រយៈពេល"),
    ("€20", "ម្ភៃអឺរ៉ូ"),
    ("US$១០", "ដប់ដុល្លារអាមេរិក"),
    ("USD 15", "ដប់ប្រាំដុល្លារអាមេរិក"),
    ("-$5", "ដកប្រាំដុល្លារ"),
    ("១៨ $1.50", "ដប់ប្រាំបី មួយដុល្លារហាសិបសេន"),
    ("$5/kg", "ប្រាំដុល្លារក្នុងមួយគីឡូក្រាម"),
    ("$200/ខែ", "ពីររយដុល្លារក្នុងមួយខែ"),
)
_MONEY_AFTER = _rule(
    "money, sign after",
    rf"{SIGN}{DIGITS}{MULTIPLIER}{CURRENCY_AFTER}(?P<inner_sign>){PER}",
    readers.read_money,
    ("80,000៛", "ប្រាំបីម៉ឺនរៀល"),
    ("៥០០ ฿", "ប្រាំរយបាត"),
    ("២លាន៛", "ពីរលានរៀល"),
    ("15 USD", "ដប់ប្រាំដុល្លារអាមេរិក"),
    ("5$ 2", "ប្រាំដុល្លារ ពីរ"),
)
_PERCENT = _rule(
    "percent",
    rf"{SIGN}{DIGITS}(?P<multiplier>) ?(?P<unit>[%‰])",
    readers.read_measure,
    ("50%", "ហាសិបភាគរយ"),
    ("១១,៤ %", "ដប់មួយក្បៀសបួនភាគរយ"),
    ("-2%", "ដកពីរភាគរយ"),
)
_MEASURE = _rule(
    "unit",
    rf"{SIGN}{DIGITS}{MULTIPLIER} ?{UNIT}",
    readers.read_measure,
    ("5kg", "ប្រាំគីឡូក្រាម"),
    ("5kgហើយ", "ប្រាំគីឡូក្រាមហើយ"),
    ("២ពាន់ kg", "ពីរពាន់គីឡូក្រាម"),
    ("100 km", "មួយរយគីឡូម៉ែត្រ"),
    ("២៥°C", "ម្ភៃប្រាំអង្សាសេ"),
    ("៣០គ.ម", "សាមសិបគីឡូម៉ែត្រ"),
    ("60km/h", "ហុកសិបគីឡូម៉ែត្រក្នុងមួយម៉ោង"),
)
_PLAIN = _rule(
    "number",
    rf"{SIGN}{DIGITS}",
    readers.read_plain,
    ("12345", "មួយម៉ឺនពីរពាន់បីរយសែសិបប្រាំ"),
    ("១.០០០.០០០", "មួយលាន"),
    ("-4,5", "ដកបួនក្បៀសប្រាំ"),
    ("1.526លាន", "មួយចុចប្រាំរយម្ភៃប្រាំមួយលាន"),
    ("២លាន៤សែន", "ពីរលានបួនសែន"),
    ("ឆ្នាំ2024", "ឆ្នាំពីរពាន់ម្ភៃបួន"),
    ("ទី ២១", "ទី ម្ភៃមួយ"),
    ("10 000 នាក់", "មួយម៉ឺន នាក់"),
    ("COVID-19", "COVID-ដប់ប្រាំបួន"),
    ("០៤នាក់", "បួននាក់"),
)

QUANTITIES = (_MONEY_BEFORE, _MONEY_AFTER, _PERCENT, _MEASURE, _PLAIN)

# Either end of a range, in any of these forms.
_RANGE_END = "|".join(nameless(rule.pattern) for rule in QUANTITIES)

RULES: tuple[Rule, ...] = (
    _rule(
        "telephone",
        r"(?!\d\d[-.]\d\d[-.]\d{4}(?!\d))"  # a date
        rf"(?:(?P<local>[0០]\d{MORE_DIGITS}{{7,8}})"
        rf"|\+(?P<country>855|៨៥៥)[ .-]?(?P<national>\d{MORE_DIGITS}{{7,8}})"
        rf"|\+(?!855|៨៥៥)(?P<foreign>\d{{1,3}})[ .-]?(?P<foreign_national>\d{MORE_DIGITS}{{7,9}}))"
        # The last group is not the start of a date, a time, a decimal, an amount.
        r"(?!\d|/\d{1,2}/|[:.,-]\d| ?[%‰]|[$€៛]| [$€៛](?![-+]?\d))",
        readers.read_telephone,
        ("010 123 123", "សូន្យដប់មួយរយម្ភៃបីមួយរយម្ភៃបី"),
        ("099-992-423", "សូន្យកៅសិបប្រាំបួនប្រាំបួនរយកៅសិបពីរបួនរយម្ភៃបី"),
        ("010 123 123 50%", "សូន្យដប់មួយរយម្ភៃបីមួយរយម្ភៃបី ហាសិបភាគរយ"),
        ("0988824745", "សូន្យកៅសិបប្រាំបីប្រាំបីប្រាំបីពីរបួនប្រាំពីរបួនប្រាំ"),
        ("+855 12 345 678", "បូកប្រាំបីរយហាសិបប្រាំដប់ពីរបីរយសែសិបប្រាំប្រាំមួយរយចិតសិបប្រាំបី"),
    ),
    _rule(
        "range of dates",
        r"(?P<low>\d{1,4}(?:[-/.]\d{1,2}(?:[-/.]\d{1,4})?)?) ?- ?"
        r"(?P<high>\d{1,4}(?P<separator>[-/.])\d{1,2}(?:(?P=separator)\d{1,4})?)(?!\d|[-/.]\d)",
        dates.read_range_of_dates,
        (
            "1/5/2020-3/6/2021",
            "ថ្ងៃទីមួយ ខែឧសភា ឆ្នាំពីរពាន់ម្ភៃដល់ថ្ងៃទីបី ខែមិថុនា ឆ្នាំពីរពាន់ម្ភៃមួយ",
        ),
        (
            "2020-05-01 - 2020-05-03",
            "ថ្ងៃទីមួយ ខែឧសភា ឆ្នាំពីរពាន់ម្ភៃដល់ថ្ងៃទីបី ខែឧសភា ឆ្នាំពីរពាន់ម្ភៃ",
        ),
        ("05-06/07/2020", "ថ្ងៃទីប្រាំដល់ប្រាំមួយ ខែកក្កដា ឆ្នាំពីរពាន់ម្ភៃ"),
        ("ថ្ងៃទី1/5-3/6", "ថ្ងៃទីមួយ ខែឧសភាដល់ថ្ងៃទីបី ខែមិថុនា"),
        ("ថ្ងៃទី១/៥/២០ - ៣/៥/២០", "ថ្ងៃទីមួយ ខែឧសភា ឆ្នាំម្ភៃដល់ថ្ងៃទីបី ខែឧសភា ឆ្នាំម្ភៃ"),
    ),
    _rule(
        "date, day first",
        r"(?P<day>\d{1,2})(?P<separator>[-/.])(?P<month>\d{1,2})(?P=separator)(?P<year>\d{4}|\d{2})"
        r"(?!\d|[-/.]\d)",
        dates.read_date,
        ("12-11-2556", "ថ្ងៃទីដប់ពីរ ខែវិច្ឆិកា ឆ្នាំពីរពាន់ប្រាំរយហាសិបប្រាំមួយ"),
        ("ថ្ងៃទី០១/០៥/២០២០", "ថ្ងៃទីមួយ ខែឧសភា ឆ្នាំពីរពាន់ម្ភៃ"),
        ("ថ្ងៃ 5.6.2019", "ថ្ងៃ ទីប្រាំ ខែមិថុនា ឆ្នាំពីរពាន់ដប់ប្រាំបួន"),
    ),
    _rule(
        "date, year first",
        r"(?P<year>\d{4})(?P<separator>[-/.])(?P<month>\d{1,2})(?P=separator)(?P<day>\d{1,2})(?!\d|[-/.]\d)",
        dates.read_date,
        ("2024-01-02", "ថ្ងៃទីពីរ ខែមករា ឆ្នាំពីរពាន់ម្ភៃបួន"),
        ("១៩៩៩/១២/៣១", "ថ្ងៃទីសាមសិបមួយ ខែធ្នូ ឆ្នាំមួយពាន់ប្រាំបួនរយកៅសិបប្រាំបួន"),
    ),
    _rule(
        "date without a year",
        r"(?P<day>\d{1,2})(?P<separator>[-/])(?P<month>\d{1,2})(?![\d/-])",
        dates.read_day_and_month,
        ("ថ្ងៃទី17/4", "ថ្ងៃទីដប់ប្រាំពីរ ខែមេសា"),
        ("ថ្ងៃទី ៧/១", "ថ្ងៃទី ប្រាំពីរ ខែមករា"),
        ("ថ្ងៃទី17-4", "ថ្ងៃទីដប់ប្រាំពីរ ខែមេសា"),
    ),
    _rule(
        "month and year",
        r"(?:(?P<first_month>\d{1,2})-)?(?P<month>\d{1,2})[-/](?P<year>\d{4})(?![\d/-])",
        dates.read_month_and_year,
        ("ខែ05/2020", "ខែឧសភា ឆ្នាំពីរពាន់ម្ភៃ"),
        ("ខែ៥-៦/២០២០", "ខែឧសភាដល់មិថុនា ឆ្នាំពីរពាន់ម្ភៃ"),
        ("ខែ ១២-២០១៩", "ខែ ធ្នូ ឆ្នាំពីរពាន់ដប់ប្រាំបួន"),
    ),
    _rule(
        "range of times",
        rf"(?P<low>{nameless(CLOCK)}|\d{{1,2}}) ?- ?"
        rf"(?P<high>{nameless(CLOCK)}|\d{{1,2}}(?!\d|[.,:/-]\d| ?%))",
        lambda match: dates.read_range_of_times(match, CLOCK),
        ("7:30-8:30", "ម៉ោងប្រាំពីរ សាមសិបនាទីដល់ម៉ោងប្រាំបី សាមសិបនាទី"),
        ("ម៉ោង៧:០០ - ៨:០០ ព្រឹក", "ម៉ោងប្រាំពីរដល់ម៉ោងប្រាំបី ព្រឹក"),
        ("ម៉ោង 7-8:15", "ម៉ោង ប្រាំពីរដល់ម៉ោងប្រាំបី ដប់ប្រាំនាទី"),
    ),
    _rule(
        "clock",
        CLOCK.pattern,
        dates.read_clock,
        ("ម៉ោង៧:៣០", "ម៉ោងប្រាំពីរ សាមសិបនាទី"),
        ("8:00", "ម៉ោងប្រាំបី"),
        ("ម៉ោង ៦៖១៥ នាទី", "ម៉ោង ប្រាំមួយ ដប់ប្រាំនាទី"),
        ("7:17:12", "ម៉ោងប្រាំពីរ ដប់ប្រាំពីរនាទី ដប់ពីរវិនាទី"),
        ("3:05 PM", "ម៉ោងបី ប្រាំនាទី រសៀល"),
    ),
    _rule(
        "number in groups",
        r"(?<!\d)\d+(?:-\d+){2,8}(?![-\d])",
        readers.read_number_in_groups,
        ("859-292-3680", "ប្រាំបីរយហាសិបប្រាំបួនពីររយកៅសិបពីរបីពាន់ប្រាំមួយរយប៉ែតសិប"),
        ("០០១-០២-៣", "សូន្យសូន្យមួយសូន្យពីរបី"),
    ),
    _rule(
        "range of money, sign before",
        rf"{CURRENCY} ?(?P<low>{NUMBER}) ?- ?(?P<high>{NUMBER}){MULTIPLIER}{PER}"
        rf"(?!-?\d| ?[%‰]|{CURRENCY_AFTER.replace('?P<currency>', '?:')})",
        readers.read_range_of_money,
        ("$5-10", "ប្រាំដល់ដប់ដុល្លារ"),
        ("$2.5-3 លាន", "ពីរចុចប្រាំដល់បីលានដុល្លារ"),
        ("$5-7/kg", "ប្រាំដល់ប្រាំពីរដុល្លារក្នុងមួយគីឡូក្រាម"),
    ),
    _rule(
        "range",
        rf"(?P<low>{_RANGE_END}) ?- ?(?P<high>{_RANGE_END})(?!-?\d)",
        lambda match: readers.read_range(match, _quantity),
        ("200-300 ដុល្លារ", "ពីររយដល់បីរយ ដុល្លារ"),
        ("១០%-២០%", "ដប់ភាគរយដល់ម្ភៃភាគរយ"),
        ("2019-2020", "ពីរពាន់ដប់ប្រាំបួនដល់ពីរពាន់ម្ភៃ"),
        ("5 - 7kg", "ប្រាំដល់ប្រាំពីរគីឡូក្រាម"),
        ("3-2=1", "បីដកពីរស្មើមួយ"),
    ),
    _rule(
        "fraction",
        rf"(?<![\d/]){SIGN}(?P<top>\d{{1,4}})/(?P<bottom>\d{{1,4}})(?![\d/])(?: ?{UNIT})?",
        readers.read_fraction,
        ("1/2", "មួយភាគពីរ"),
        ("៣/៤", "បីភាគបួន"),
        ("1/2 kg", "មួយភាគពីរគីឡូក្រាម"),
    ),
    _rule(
        "ratio",
        r"(?P<left>\d{1,4}):(?P<right>\d{1,4})(?![\d:])",
        readers.read_ratio,
        ("2:1", "ពីរ មួយ"),
        ("១:១០០", "មួយ មួយរយ"),
    ),
    _rule(
        "factor",
        rf"{SIGN}{DIGITS}(?: ?{UNIT})? ?[xX](?= ?\d)",
        readers.read_factor,
        ("3x4", "បីគុណបួន"),
        ("២ x ៣", "ពីរគុណ បី"),
        ("3m x 4m", "បីម៉ែត្រគុណ បួនម៉ែត្រ"),
        ("2.5mx4m", "ពីរចុចប្រាំម៉ែត្រគុណបួនម៉ែត្រ"),
    ),
    _rule(
        "height",
        r"(?P<whole>[1-2១-២])(?P<separator>[.,])(?P<tail>\d\d) ?(?:ម៉ែត្រ|m(?![A-Za-z²³/\d]))",
        readers.read_height,
        ("១,៧៣ម៉ែត្រ", "មួយក្បៀសចិតសិបបីម៉ែត្រ"),
        ("1.80m", "មួយចុចប៉ែតសិបម៉ែត្រ"),
    ),
    *QUANTITIES[:-1],
    _PLAIN,
    _rule(
        "lunar day",
        "[\u19e0-\u19ff]",
        readers.read_lunar_day,
        ("\u19e1", "មួយកើត"),
        ("\u19f5", "ប្រាំរោច"),
    ),
    _rule(
        "numeral",
        "(?P<numeral>[^\\W\\d_A-Za-z\u1780-\u17df]|[\u00b2\u00b3\u00b9\u00bc-\u00be\u17f0-\u17f9\u2070-\u2089"
        f"\u2150-\u2189\u2460-\u249b\u24ea-\u24ff\u2776-\u2793])(?: ?{UNIT})?",
        readers.read_numeral,
        ("½", "មួយភាគពីរ"),
        ("¼ kg", "មួយភាគបួនគីឡូក្រាម"),
        ("1½", "មួយកន្លះ"),
        ("①", "មួយ"),
        ("Ⅳ", "បួន"),
        ("១០²", "ដប់ស្វ័យគុណពីរ"),
    ),
    _rule(
        "operator",
        r"[×÷](?= ?[-+]?\d)|(?<![A-Za-z])[+=±≈](?= ?[-+]?\d)",
        readers.read_operator,
        ("២+៣=៥", "ពីរបូកបីស្មើប្រាំ"),
        ("4×5", "បួនគុណប្រាំ"),
        ("4m×5m", "បួនម៉ែត្រគុណប្រាំម៉ែត្រ"),
    ),
    _rule(
        "price, currency in words",
        rf"(?:(?<=ដុល្លារ)|(?<=រៀល)|(?<=បាត)){PER_ONE}",
        readers.read_per,
        ("៥០០រៀល/kg", "ប្រាំរយរៀលក្នុងមួយគីឡូក្រាម"),
        ("5ដុល្លារ/នាក់", "ប្រាំដុល្លារក្នុងមួយនាក់"),
    ),
    _rule(
        "sign without a number",
        any_of(SIGNS),
        readers.read_sign,
        ("%", "ភាគរយ"),
        ("ផ្លែឈើ។ល។", "ផ្លែឈើល៉ៈ"),
        ("ក & ខ", "ក និង ខ"),
    ),
    _rule(
        "currency sign",
        "[៛$€฿£¥₫₩₭₹]|US\\$",
        readers.read_currency_sign,
        ("៛", "រៀល"),
        ("ជា$", "ជាដុល្លារ"),
    ),
    _rule(
        "abbreviation",
        # What has a name of its own may stand right after a word.
        f"(?:{DOTTED})(?![{LETTERS}])\\.?"
        f"|(?<![{LETTERS}.])[\u1780-\u17a2]\\.(?: ?[\u1780-\u17a2]\\.)*"
        f"(?: ?[\u1780-\u17a2](?![{LETTERS}]))?\\.?",
        readers.read_abbreviation,
        ("គ.ស.១៩៩៩", "គ្រិស្តសករាជមួយពាន់ប្រាំបួនរយកៅសិបប្រាំបួន"),
        ("ព.ស ២៥៦២", "ពុទ្ធសករាជ ពីរពាន់ប្រាំរយហុកសិបពីរ"),
        ("អ.ស.ប", "អសប"),
        ("ក្នុងគ.ស. ១៩៩៩", "ក្នុងគ្រិស្តសករាជ មួយពាន់ប្រាំបួនរយកៅសិបប្រាំបួន"),
    ),
    _rule(
        "Latin abbreviation",
        r"(?<![A-Za-z])(?:[A-Z]{2,5}|(?:[A-Z]\.){1,4}[A-Z]\.?)(?![A-Za-z])",
        readers.read_latin_abbreviation,
        ("អង្គការ UN", "អង្គការ UN"),
        ("COVID-19", "COVID-ដប់ប្រាំបួន"),
        ("U.S.A.", "USA"),
    ),
)


def _quantity(text: str) -> readers.Reading:
    """The default reading of a quantity that is one end of a range."""
    for rule in QUANTITIES:
        match = rule.pattern.fullmatch(text)
        if match and (spoken := next(iter(rule.read(match)), None)):
            return spoken
    raise ValueError(f"no quantity: {text}")
