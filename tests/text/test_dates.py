"""Dates and clock times, and numbers that only look like them."""

import pytest

from khmer_aligned.text import readings, verbalize


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("ថ្ងៃទី4-9 ខែកញ្ញា", "ថ្ងៃទីបួនដល់ប្រាំបួន ខែកញ្ញា"),  # not 4 September, September
        ("ថ្ងៃទី១២-១៥ ខែមេសា", "ថ្ងៃទីដប់ពីរដល់ដប់ប្រាំ ខែមេសា"),
        ("ថ្ងៃទី៧-៩ នេះ", "ថ្ងៃទីប្រាំពីរដល់ប្រាំបួន នេះ"),
        ("1.2.12", "មួយចុចពីរចុចដប់ពីរ"),
        ("ជំពូក 5/6", "ជំពូក ប្រាំភាគប្រាំមួយ"),
        ("25:61", "ម្ភៃប្រាំ ហុកសិបមួយ"),
        ("1h30min", "មួយម៉ោងសាមសិបនាទី"),
        ("8:30 am...", "ម៉ោងប្រាំបី សាមសិបនាទី ព្រឹក..."),
        ("07-05-1920 81", "ថ្ងៃទីប្រាំពីរ ខែឧសភា ឆ្នាំមួយពាន់ប្រាំបួនរយម្ភៃ ប៉ែតសិបមួយ"),
    ],
)
def test_default_reading(written, spoken):
    assert verbalize(written) == spoken


def test_rising_days_may_be_a_date_too():
    assert "ថ្ងៃទីប្រាំពីរ ខែកញ្ញា" in readings("ថ្ងៃទី៧-៩")


def test_an_hour_after_noon_is_read_as_written_or_from_noon():
    assert readings("21:19") == ["ម៉ោងម្ភៃមួយ ដប់ប្រាំបួននាទី", "ម៉ោងប្រាំបួន ដប់ប្រាំបួននាទី យប់"]
