"""Numbers, signs and ៗ read aloud, and cases that others have published."""

import re

import pytest

from khmer_aligned.text import normalize, readings, verbalize
from khmer_aligned.text.numbers import MAX_READINGS

from ..conftest import SHARED


def unspaced(text):
    return re.sub(r"\s", "", normalize(text))


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
    ours = readings(written)
    assert 2 <= len(ours) == len(set(ours)) <= MAX_READINGS


@pytest.mark.skipif(not SHARED.is_dir(), reason="no shared data here")
def test_cases_by_confidence():
    """HIGH: the default reading. MED and LOW: among the readings."""
    path = SHARED / "data" / "text" / "verbalise_cases.tsv"
    wrong = []
    for line in path.read_text(encoding="utf-8").splitlines()[1:]:
        written, spoken, source = line.split("\t")
        ours = [unspaced(reading) for reading in readings(written)]
        accepted = ours[:1] if source.startswith("HIGH") else ours
        if unspaced(spoken) not in accepted:
            wrong.append((written, spoken, ours))
    assert not wrong
