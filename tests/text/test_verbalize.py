"""Numbers, signs and ៗ read aloud: the table's own examples, and the readings of others."""

import re

import pytest

from khmer_aligned.text import normalize, readings, verbalize
from khmer_aligned.text.numbers import MAX_READINGS, cardinal
from khmer_aligned.text.rules import RULES

from ..conftest import SHARED

EXAMPLES = [(rule.name, *example) for rule in RULES for example in rule.examples]


def unspaced(text):
    return re.sub(r"\s", "", normalize(text))


@pytest.mark.parametrize(("rule", "written", "spoken"), EXAMPLES)
def test_examples_of_the_table(rule, written, spoken):
    assert verbalize(written) == normalize(spoken)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_every_row_has_two_examples_that_it_reads_itself(rule):
    assert len(rule.examples) >= 2
    for written, _ in rule.examples:
        found = rule.pattern.search(normalize(written))
        assert found and list(rule.read(found)), (rule.name, written)


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("ល្អៗ", "ល្អល្អ"),
        ("គ្រប់ ៗ គ្នា", "គ្រប់គ្រប់ គ្នា"),
        ("កាលពីពេលថ្មីៗនេះ", "កាលពីពេលថ្មីថ្មីនេះ"),
        ("បន្តិចម្ដងៗ", "បន្តិចម្តងបន្តិចម្តង"),
        ("មួយថ្ងៃៗ", "មួយថ្ងៃមួយថ្ងៃ"),
        ("ជារឿយៗ", "ជារឿយរឿយ"),
        ("៥ៗ", "ប្រាំប្រាំ"),
        ("slowៗ", "slowslow"),
        ("ៗ", ""),
    ],
)
def test_repetition(written, spoken):
    assert verbalize(written) == spoken


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("4.5", ["បួនចុចប្រាំ", "បួនក្បៀសប្រាំ"]),
        ("1/2", ["មួយភាគពីរ", "មួយលើពីរ", "កន្លះ"]),
        ("1000000000", ["មួយប៊ីលាន", "មួយពាន់លាន"]),
        ("1000000000000", ["មួយទ្រីលាន", "មួយលានលាន", "មួយពាន់ប៊ីលាន"]),
        ("១០ ភូមិ", ["ដប់ ភូមិ"]),
        ("ក ខ", ["ក ខ"]),
        ("", [""]),
    ],
)
def test_readings_default_first(written, expected):
    assert readings(written) == expected
    assert verbalize(written) == expected[0]


@pytest.mark.parametrize(
    "written", ["21:19", "010 123 123", "1.5 3,14 21:19", "$1.50", "12/11/2020"]
)
def test_at_most_four_readings_all_different(written):
    found = readings(written)
    assert 2 <= len(found) == len(set(found)) <= MAX_READINGS


def test_cardinals_end_at_a_quadrillion():
    assert verbalize("999999999999999").startswith("ប្រាំបួនរយកៅសិបប្រាំបួនទ្រីលាន")
    assert verbalize("1" * 16) == "មួយ" * 16
    assert verbalize("1" * 5000) == "មួយ" * 5000  # past what int() takes
    with pytest.raises(ValueError, match="no cardinal"):
        cardinal(10**15)
    with pytest.raises(ValueError, match="no cardinal"):
        cardinal(-1)


def test_khmer_and_ascii_digits_read_alike():
    khmer = str.maketrans("0123456789", "០១២៣៤៥៦៧៨៩")
    for _, written, _ in EXAMPLES:
        if not re.search("[A-Za-z][0-9]", written):
            assert readings(written.translate(khmer)) == readings(written), written


@pytest.mark.skipif(not SHARED.is_dir(), reason="no shared data here")
def test_cases_by_confidence():
    """HIGH: the default reading. MED and LOW: among the readings."""
    path = SHARED / "data" / "text" / "verbalise_cases.tsv"
    wrong = []
    for line in path.read_text(encoding="utf-8").splitlines()[1:]:
        written, spoken, source = line.split("\t")
        found = [unspaced(each) for each in readings(written)]
        accepted = found[:1] if source.startswith("HIGH") else found
        if unspaced(spoken) not in accepted:
            wrong.append((written, spoken, found))
    assert not wrong
