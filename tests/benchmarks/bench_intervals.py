"""How often a 95 % interval holds the true rate: `python tests/benchmarks/bench_intervals.py`.

Recordings are drawn from a population whose rate is known, and the interval is taken over them as
for a test split. Beside it stands the percentile bootstrap over recordings, which is common.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np

from khmer_whisper.metrics.intervals import difference_test, rate_interval

UNITS = (5, 8, 20, 100)
RUNS = 2_000
REPLICATES = 1_000


class Recordings(NamedTuple):
    """Counts of recordings, each (n,)."""

    errors: np.ndarray
    second: np.ndarray  # errors of a system that is as good on the whole
    totals: np.ndarray


def even(size: int, generator: np.random.Generator) -> Recordings:
    """Recordings of unequal length and difficulty: an error rate of 30 %, between 5 and 65."""
    return _count(generator.beta(3, 7, size), size, generator)


def skewed(size: int, generator: np.random.Generator) -> Recordings:
    """Most recordings are easy and some are hard: 15 %, with a long tail."""
    return _count(np.minimum(generator.lognormal(np.log(0.12), 0.7, size), 2), size, generator)


def _count(rates: np.ndarray, size: int, generator: np.random.Generator) -> Recordings:
    totals = generator.lognormal(6, 0.6, size).round() + 20
    draws = [generator.poisson(totals * rates * generator.gamma(25, 1 / 25, size)) for _ in "ab"]
    return Recordings(draws[0].astype(float), draws[1].astype(float), totals)


POPULATIONS: dict[str, Callable[[int, np.random.Generator], Recordings]] = {
    "even": even,
    "skewed": skewed,
}


def percentiles(
    generator: np.random.Generator, errors: np.ndarray, totals: np.ndarray
) -> tuple[float, float]:
    """The percentile bootstrap: recordings drawn with replacement."""
    drawn = generator.integers(len(errors), size=(REPLICATES, len(errors)))
    low, high = np.quantile(errors[drawn].sum(1) / totals[drawn].sum(1), [0.025, 0.975])
    return float(low), float(high)


def coverage(
    interval: Callable, population: str, units: int, runs: int = RUNS, seed: int = 0
) -> float:
    """The share of runs in which the interval of `units` recordings holds the true rate."""
    draw = POPULATIONS[population]
    many = draw(1_000_000, np.random.default_rng(1))
    truth = many.errors.sum() / many.totals.sum()
    generator = np.random.default_rng(seed)
    held = 0
    for _ in range(runs):
        sample = draw(units, generator)
        low, high = interval(sample.errors, sample.totals)
        held += low is not None and low <= truth <= high
    return held / runs


def false_alarms(population: str, units: int, runs: int = RUNS, seed: int = 0) -> float:
    """The share of runs in which two systems that are equally good differ with p < 0.05."""
    generator = np.random.default_rng(seed)
    alarms = 0
    for _ in range(runs):
        test = difference_test(*POPULATIONS[population](units, generator))
        alarms += test.p is not None and test.p < 0.05
    return alarms / runs


def main() -> None:
    print(f"{RUNS:,} runs of each: how often the 95 % interval holds the true rate")
    print(f"{'population':<12}{'recordings':>11}{'interval':>10}{'percentile':>12}{'p < 0.05':>10}")
    for population in POPULATIONS:
        for units in UNITS:
            bootstrap = partial(percentiles, np.random.default_rng(0))
            shares = (
                coverage(rate_interval, population, units),
                coverage(bootstrap, population, units, runs=400),
                false_alarms(population, units),
            )
            print(
                f"{population:<12}{units:>11}"
                + "".join(f"{s:>{w}.1%}" for s, w in zip(shares, (10, 12, 10), strict=True))
            )


if __name__ == "__main__":
    main()
