"""Which number a sign belongs to, and where an expression ends."""

import pytest

from khmer_aligned.text import verbalize


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("៥ $2", "ប្រាំ ពីរដុល្លារ"),
        ("5$ 2", "ប្រាំដុល្លារ ពីរ"),
        ("៥ $2 3$", "ប្រាំ ពីរដុល្លារ បីដុល្លារ"),
        ("២លាន $5", "ពីរលាន ប្រាំដុល្លារ"),
        ("៥-១០ $2", "ប្រាំដល់ដប់ ពីរដុល្លារ"),
        ("5 $", "ប្រាំដុល្លារ"),
        ("៥\u200b \u00a0$\u200b2", "ប្រាំ ពីរដុល្លារ"),
    ],
)
def test_a_currency_belongs_to_the_number_that_it_touches(written, spoken):
    assert verbalize(written) == spoken


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("$5 រយៈពេល", "ប្រាំដុល្លារ រយៈពេល"),
        ("$5 ម៉ឺនុយ", "ប្រាំដុល្លារ ម៉ឺនុយ"),
        ("៥ សម្រាប់", "ប្រាំ សម្រាប់"),
        ("5kgសម្រាប់", "ប្រាំគីឡូក្រាមសម្រាប់"),
        ("5 kgs", "ប្រាំ kgs"),
        ("រៀល/ដុល្លារ", "រៀល/ដុល្លារ"),
        ("012 345 678 50", "សូន្យដប់ពីរបីរយសែសិបប្រាំប្រាំមួយរយចិតសិបប្រាំបី ហាសិប"),
        ("២ថ្ងៃ ៣ថ្ងៃៗ", "ពីរថ្ងៃ បីថ្ងៃថ្ងៃ"),
    ],
)
def test_an_expression_ends_where_a_word_starts(written, spoken):
    assert verbalize(written) == spoken
