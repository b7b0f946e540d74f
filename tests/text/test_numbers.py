"""Names of numbers."""

import pytest

from khmer_aligned.text import verbalize
from khmer_aligned.text.numbers import read_cardinal, read_number


def test_cardinals_end_at_a_quadrillion():
    assert verbalize("999999999999999").startswith("ប្រាំបួនរយកៅសិបប្រាំបួនទ្រីលាន")
    assert verbalize("1" * 16) == "មួយ" * 16
    assert verbalize("1" * 5000) == "មួយ" * 5000  # past what int() takes
    with pytest.raises(ValueError, match="no cardinal"):
        read_cardinal(10**15)
    with pytest.raises(ValueError, match="no cardinal"):
        read_cardinal(-1)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("1.234.567", ["មួយលានពីរសែនបីម៉ឺនបួនពាន់ប្រាំរយហុកសិបប្រាំពីរ"]),
        ("10 000", ["មួយម៉ឺន"]),
        ("1,234.5", ["មួយពាន់ពីររយសាមសិបបួនចុចប្រាំ", "មួយពាន់ពីររយសាមសិបបួនក្បៀសប្រាំ"]),
        ("2.050", ["ពីរពាន់ហាសិប"]),  # a decimal would not end in 0
        ("2.055", ["ពីរពាន់ហាសិបប្រាំ", "ពីរចុចសូន្យហាសិបប្រាំ"]),
        ("0.055", ["សូន្យចុចសូន្យហាសិបប្រាំ", "សូន្យចុចសូន្យប្រាំប្រាំ"]),
        ("1.2.12", ["មួយចុចពីរចុចដប់ពីរ"]),
    ],
)
def test_separators_are_thousands_or_decimals(written, expected):
    assert ["".join(reading) for reading in read_number(written)][: len(expected)] == expected


def test_one_group_before_a_multiplier_is_a_decimal():
    first, second, *_ = read_number("1.526", before_multiplier=True)
    assert "".join(first) == "មួយចុចប្រាំរយម្ភៃប្រាំមួយ"
    assert "".join(second) == "មួយពាន់ប្រាំរយម្ភៃប្រាំមួយ"
