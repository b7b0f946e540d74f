"""The examples of every row of the verbalizer's table."""

import re

import pytest

from khmer_aligned.text import normalize, readings, verbalize
from khmer_aligned.text.rules import RULES

EXAMPLES = [(rule.name, *example) for rule in RULES for example in rule.examples]


@pytest.mark.parametrize(("rule", "written", "spoken"), EXAMPLES)
def test_examples_are_read_as_the_table_says(rule, written, spoken):
    assert verbalize(written) == normalize(spoken)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_every_row_reads_two_examples_by_itself(rule):
    assert len(rule.examples) >= 2
    for written, _ in rule.examples:
        match = rule.pattern.search(normalize(written))
        assert match and list(rule.read(match)), (rule.name, written)


def test_khmer_and_ascii_digits_read_alike():
    khmer = str.maketrans("0123456789", "០១២៣៤៥៦៧៨៩")
    for _, written, _ in EXAMPLES:
        if not re.search("[A-Za-z][0-9]", written):
            assert readings(written.translate(khmer)) == readings(written), written
