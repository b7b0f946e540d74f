"""Rates from counts, with intervals that respect whose recording a clip comes from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version

import numpy as np

from khmer_whisper.metrics import counts
from khmer_whisper.metrics.counts import Counts

REPLICATES = 1_000
LEVEL = 0.95
FEWEST = 5  # recordings: fewer say too little about others to be drawn from


@dataclass(frozen=True, slots=True)
class Rate:
    """`errors` of `total` reference units; `low` and `high` are the bounds at 95 %.

    `rate` may exceed 1 where insertions are counted. With a total of 0 it is 0 when there are no
    errors and 1 when there are.
    """

    errors: int
    total: int
    rate: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.rate:.1%} ({self.low:.1%}-{self.high:.1%})"


@dataclass(frozen=True, slots=True)
class Scores:
    """The three rates of one model on one set of clips."""

    cer: Rate  # characters, without spaces and punctuation: the headline
    wer: Rate  # projected: reference words that hold an edit
    wer_segmented: Rate  # both sides cut by `segmenter`: for comparison with others
    clips: int
    segmenter: str
    drawn: str  # what the intervals were drawn from: "recordings", or "clips" of too few of them

    def as_dict(self) -> dict:
        """Plain numbers, for JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Difference:
    """Rate of the second system minus that of the first, on the same clips.

    `p` is the two-sided bootstrap probability that the sign is an accident.
    """

    difference: float
    low: float
    high: float
    p: float


def score(
    references: Sequence[str],
    hypotheses: Sequence[str],
    groups: Sequence[str] | None = None,
) -> Scores:
    """Error rates of `hypotheses` against `references`, clip by clip, both as written.

    `groups` names each clip's recording: clips of one recording share a speaker and a room, so
    the bootstrap draws recordings, not clips (Bisani and Ney 2004, "Bootstrap estimates for
    confidence intervals in ASR performance evaluation"). Without it, or with fewer than `FEWEST`
    recordings, clips are drawn, and `drawn` says so: such an interval is too narrow for another
    speaker or room.
    What empty references and hypotheses count is said in `khmer_whisper.metrics.counts`.

    Raises ValueError when the lengths differ or nothing is given.
    """
    _check(references, hypotheses, groups)
    return Scores(
        cer=rate(counts.characters(references, hypotheses), groups),
        wer=rate(counts.projected_words(references, hypotheses), groups),
        wer_segmented=rate(counts.segmented_words(references, hypotheses), groups),
        clips=len(references),
        segmenter=f"khmercut {version('khmercut')}",
        drawn="clips" if _drawable(groups) is None else "recordings",
    )


def compare(
    references: Sequence[str],
    first: Sequence[str],
    second: Sequence[str],
    groups: Sequence[str] | None = None,
) -> dict[str, Difference]:
    """`second` against `first` by a paired bootstrap, for "cer" and "wer" (Bisani and Ney 2004).

    Each replicate draws the same recordings for both systems, so what is hard for both cancels.
    """
    _check(references, first, groups)
    _check(references, second, groups)
    return {
        name: _difference(count(references, first), count(references, second), groups)
        for name, count in (("cer", counts.characters), ("wer", counts.projected_words))
    }


def rate(counted: Counts, groups: Sequence[str] | None = None) -> Rate:
    """Sum, divide, and a bootstrap interval over `groups` (percentiles of 1,000 replicates)."""
    errors, total = int(counted.errors.sum()), int(counted.totals.sum())
    low, high = _percentiles(_replicates(counted, groups))
    return Rate(errors, total, float(_divide(errors, total)), low, high)


def _difference(first: Counts, second: Counts, groups: Sequence[str] | None) -> Difference:
    # The same seed draws the same recordings for both: that is what pairs them.
    replicates = _replicates(second, groups) - _replicates(first, groups)
    low, high = _percentiles(replicates)
    observed = _divide(second.errors.sum(), second.totals.sum()) - _divide(
        first.errors.sum(), first.totals.sum()
    )
    # One is added above and below so that no finite number of draws claims certainty.
    beyond = min((replicates <= 0).sum(), (replicates >= 0).sum())
    p = min(1.0, 2 * (int(beyond) + 1) / (REPLICATES + 1))
    return Difference(float(observed), low, high, p)


def _replicates(counted: Counts, groups: Sequence[str] | None) -> np.ndarray:
    """Rates of shape (REPLICATES,), each of as many groups drawn with replacement."""
    groups = _drawable(groups)
    names = np.arange(len(counted)) if groups is None else np.asarray(groups)
    _, member = np.unique(names, return_inverse=True)
    size = int(member.max()) + 1
    errors = np.bincount(member, counted.errors, size)
    totals = np.bincount(member, counted.totals, size)
    generator = np.random.default_rng(0)
    rates = np.empty(REPLICATES)
    for i in range(REPLICATES):  # one draw at a time: memory stays at one set of groups
        drawn = generator.integers(size, size=size)
        rates[i] = _divide(errors[drawn].sum(), totals[drawn].sum())
    return rates


def _drawable(groups: Sequence[str] | None) -> Sequence[str] | None:
    return groups if groups is not None and len(set(groups)) >= FEWEST else None


def _percentiles(replicates: np.ndarray) -> tuple[float, float]:
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(replicates, [tail, 1 - tail])
    return float(low), float(high)


def _divide(errors: float, total: float) -> float:
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
