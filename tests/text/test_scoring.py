"""Texts that sound alike have one scoring form."""

import pytest

from khmer_aligned.text import scoring_form


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("ក្មេងៗ ២០% ។", "ក្មេង ក្មេង ម្ភៃភាគរយ"),
        ("ស្រ្តី\u200bល្អ!", "ស្ត្រីល្អ"),
        ("កណ្ដាល", "កណ្តាល"),
        ("COVID-១៩", "covid ដប់ប្រាំបួន"),
    ],
)
def test_texts_that_sound_alike_score_alike(left, right):
    assert scoring_form(left) == scoring_form(right)


def test_combining_marks_stay():
    assert scoring_form("ទឹក") != scoring_form("ទុក")
    assert scoring_form("ទឹក ក្តៅ។") == "ទឹកក្តៅ"
