"""Rates from counts, with intervals over the recordings that clips come from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Any

import numpy as np

from khmer_whisper.metrics import counts
from khmer_whisper.metrics.counts import Counts
from khmer_whisper.metrics.intervals import LEVEL, MIN_UNITS, difference_test, rate_interval

COUNTS = {  # what counts the errors of each rate, by its name
    "cer": counts.characters,
    "wer": counts.segmented_words,
    "projected_wer": counts.projected_words,
}


@dataclass(frozen=True, slots=True)
class Rate:
    """`errors` of `total` reference units; `low` and `high` are the bounds at 95 %.

    `rate` may exceed 1 where insertions are counted. With a total of 0 it is 0 when there are no
    errors and 1 when there are. The bounds are None where there is no interval, see `intervals`.
    """

    errors: int
    total: int
    rate: float
    low: float | None
    high: float | None

    def __str__(self) -> str:
        if self.low is None or self.high is None:
            return f"{self.rate:.1%}"
        return f"{self.rate:.1%} ({self.low:.1%}-{self.high:.1%})"


@dataclass(frozen=True, slots=True)
class Scores:
    """The three rates of one model on one set of clips."""

    cer: Rate  # characters, without spaces and punctuation: the headline
    wer: Rate  # both sides segmented by `segmenter`, as others publish it
    projected_wer: Rate  # reference words with an edit; only the reference is segmented
    clips: int
    segmenter: str
    unit: str  # what the intervals are over: "recordings", or "clips" where none are named
    units: int

    def as_dict(self) -> dict[str, Any]:
        """Plain numbers, for JSON."""
        return asdict(self)

    @property
    def no_interval(self) -> str:
        """Why a rate has no interval; "" where all have one."""
        return explain_missing(self.as_dict())


@dataclass(frozen=True, slots=True)
class Difference:
    """Rate of the second system minus that of the first, on the same clips.

    `p` is two-sided, of a paired t-test over the recordings; None where there are too few.
    """

    difference: float
    low: float | None
    high: float | None
    p: float | None


def explain_missing(scores: dict[str, Any]) -> str:
    """Why a rate of `Scores.as_dict()` has no interval; "" where all have one."""
    units, unit = scores["units"], scores["unit"]
    if units < MIN_UNITS:
        return f"no interval and no p-value: {_number(units, unit)}, and they need {MIN_UNITS}"
    if any(scores[name]["low"] is None for name in COUNTS):
        return f"no interval where all {unit} have the same rate"
    return ""


def describe_difference(difference: dict[str, Any], name: str = "CER") -> str:
    """One sentence on a `Difference` as a dict: better, worse or no different than the base."""
    points = f"{100 * difference['difference']:+.1f} points of {name}"
    if difference["p"] is None:
        return f"Whether it differs from its base cannot be told from so little: {points}."
    figures = (
        f"{points} ({100 * difference['low']:+.1f} to {100 * difference['high']:+.1f}, paired, "
        f"p = {difference['p']:.3f})"
    )
    if difference["p"] > 1 - LEVEL:
        return f"It is no different from its base: {figures}."
    return (
        f"It is {'WORSE' if difference['difference'] > 0 else 'better'} than its base: {figures}."
    )


def score(
    references: Sequence[str],
    hypotheses: Sequence[str],
    groups: Sequence[str] | None = None,
) -> Scores:
    """Error rates of `hypotheses` against `references`, one of each per clip, as written.

    `groups` names the recording of each clip. Clips of one recording share a speaker and a room,
    so the intervals are over recordings, not clips (as Bisani and Ney 2004, "Bootstrap estimates
    for confidence intervals in ASR performance evaluation", draw speakers). Without `groups` each
    clip counts as a recording of its own. For empty references and hypotheses see
    `metrics.counts`.

    Raises ValueError when the lengths differ or there are no references.
    """
    _check(references, hypotheses, groups)
    rates = {name: rate(count(references, hypotheses), groups) for name, count in COUNTS.items()}
    return Scores(
        **rates,
        clips=len(references),
        segmenter=f"khmercut {version('khmercut')}",
        unit="clips" if groups is None else "recordings",
        units=len(references if groups is None else set(groups)),
    )


def compare(
    references: Sequence[str],
    first: Sequence[str],
    second: Sequence[str],
    groups: Sequence[str] | None = None,
) -> dict[str, Difference]:
    """Compare `second` with `first` on the same clips, for each name in COUNTS."""
    _check(references, first, groups)
    _check(references, second, groups)
    return {
        name: _difference(count(references, first), count(references, second), groups)
        for name, count in COUNTS.items()
    }


def rate(counted: Counts, groups: Sequence[str] | None = None) -> Rate:
    """The rate over all clips, with its interval over the groups."""
    errors, total = int(counted.errors.sum()), int(counted.totals.sum())
    low, high = rate_interval(_by_group(counted.errors, groups), _by_group(counted.totals, groups))
    return Rate(errors, total, _divide(errors, total), low, high)


def _difference(first: Counts, second: Counts, groups: Sequence[str] | None) -> Difference:
    tested = difference_test(
        *(_by_group(counts, groups) for counts in (first.errors, second.errors, first.totals))
    )
    before, after = (_divide(int(c.errors.sum()), int(c.totals.sum())) for c in (first, second))
    return Difference(after - before, *tested.interval, tested.p)


def _by_group(values: np.ndarray, groups: Sequence[str] | None) -> np.ndarray:
    """The sums of `values` (n,) by group, in the order of the groups' names."""
    if groups is None:
        return values
    _, member = np.unique(np.asarray(groups), return_inverse=True)
    return np.bincount(member, values)


def _number(count: int, unit: str) -> str:
    return f"1 {unit.removesuffix('s')}" if count == 1 else f"{count} {unit}"


def _divide(errors: int, total: int) -> float:
    return errors / total if total else float(errors > 0)


def _check(
    references: Sequence[str], hypotheses: Sequence[str], groups: Sequence[str] | None
) -> None:
    if not references:
        raise ValueError("nothing to score: no references")
    if len(references) != len(hypotheses):
        raise ValueError(f"{len(references)} references but {len(hypotheses)} hypotheses")
    if groups is not None and len(groups) != len(references):
        raise ValueError(f"{len(references)} references but {len(groups)} groups")
