"""Random numbers beside signs, dates, times and words, against an independent reference."""

import re
from random import Random

from khmer_aligned.text import normalize, verbalize
from khmer_aligned.text.verbalize import find_expressions, join

from .number_grammar import Case, make_case

SEED = 7
CASES = 4000


def disagrees(case: Case) -> bool:
    """Whether our default, or all our readings where customs differ, miss the reference."""
    if case.is_default:
        return verbalize(case.written) != case.spoken
    return not re.fullmatch(all_readings(case.written), case.spoken)


def all_readings(written: str) -> str:
    """A regular expression of every reading of every expression."""
    canonical = normalize(written)
    pattern, position = "", 0
    for expression in find_expressions(canonical):
        choices = "|".join(re.escape(join(reading)) for reading in expression.readings)
        pattern += f"{re.escape(canonical[position : expression.start])}(?:{choices})"
        position = expression.end
    return pattern + re.escape(canonical[position:])


def test_random_numbers_are_read_as_they_are_meant():
    draw = Random(SEED)
    cases = [make_case(draw) for _ in range(CASES)]
    wrong = [case for case in cases if disagrees(case)]
    shown = "\n".join(
        f"{case.written!r}\n  meant {case.spoken}\n  read  {verbalize(case.written)}"
        for case in wrong[:10]
    )
    assert not wrong, f"{len(wrong)} of {CASES} (seed {SEED}):\n{shown}"
