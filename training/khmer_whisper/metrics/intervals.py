"""How sure a rate is, and a difference of two rates, over the units that were drawn.

The units are recordings: clips of one share a speaker and a room. A percentile bootstrap over few
of them is far too narrow (tests/benchmarks/bench_intervals.py prints how often it holds the true
rate). Here the error comes from the jackknife, which takes each unit out in turn, and its
quantiles from Student's t with as many degrees of freedom as there are units, less one.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from khmer_whisper.metrics import student

LEVEL = 0.95
MIN_UNITS = 5  # with fewer there is no interval and no p-value
METHOD = "95 %, jackknife over the units with Student's t; of a rate, on its logarithm"


class Interval(NamedTuple):
    """The bounds at LEVEL; None where they cannot be told."""

    low: float | None
    high: float | None


NONE = Interval(None, None)


def rate_interval(errors: np.ndarray, totals: np.ndarray) -> Interval:
    """The interval of errors.sum() / totals.sum(), both counts of n units, (n,).

    On the logarithm, as the distribution of a rate is skewed and never negative (the delta
    method). None with fewer than MIN_UNITS units, or where all have the same rate: units that do
    not differ do not tell how others would.
    """
    total = totals.sum()
    if len(errors) < MIN_UNITS or not total or not errors.sum():
        return NONE
    rate = errors.sum() / total
    error = _jackknife_error(errors, totals)
    if not error:
        return NONE
    factor = math.exp(student.quantile(LEVEL, len(errors) - 1) * error / rate)
    return Interval(float(rate / factor), float(rate * factor))


class Test(NamedTuple):
    """A paired test of two systems: the interval of their difference, and a two-sided p."""

    interval: Interval
    p: float | None


def difference_test(first: np.ndarray, second: np.ndarray, totals: np.ndarray) -> Test:
    """The second system's rate minus the first's, from the errors (n,) of both on the same units.

    Each unit's difficulty cancels out. None with fewer than MIN_UNITS units.
    """
    total = totals.sum()
    if len(first) < MIN_UNITS or not total:
        return Test(NONE, None)
    difference = (second - first).sum() / total
    error = _jackknife_error(second - first, totals)
    if not error:  # the same errors in every unit, or a difference that is the same in every one
        same = Interval(0.0, 0.0), 1.0
        return Test(*same) if not difference else Test(NONE, None)
    reach = student.quantile(LEVEL, len(first) - 1) * error
    interval = Interval(float(difference - reach), float(difference + reach))
    return Test(interval, student.two_sided(float(difference / error), len(first) - 1))


def _jackknife_error(errors: np.ndarray, totals: np.ndarray) -> float:
    """The standard error of errors.sum() / totals.sum() (Tukey 1958; Efron and Stein 1981)."""
    rest = totals.sum() - totals
    if not rest.all():
        return 0.0  # one unit holds everything
    without = (errors.sum() - errors) / rest
    n = len(errors)
    spread = ((without - without.mean()) ** 2).sum()
    # Rates that are equal come out as equal only but for rounding.
    scale = abs(without).max()
    return math.sqrt((n - 1) / n * spread) if math.sqrt(spread) > 1e-12 * scale else 0.0
