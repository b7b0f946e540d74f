"""Rates from counts, with intervals over the recordings that clips come from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version

import numpy as np

from khmer_whisper.metrics import counts
from khmer_whisper.metrics.counts import Counts

REPLICATES = 1_000
LEVEL = 0.95
MIN_RECORDINGS = 5  # with fewer, clips are drawn instead


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
    wer: Rate  # projected: reference words with an edit
    wer_segmented: Rate  # both sides segmented by `segmenter`, for comparison with others
    clips: int
    segmenter: str
    drawn: str  # what the bootstrap drew: "recordings", or "clips" where these are too few

    def as_dict(self) -> dict:
        """Plain numbers, for JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Difference:
    """Rate of the second system minus that of the first, on the same clips.

    `p` is two-sided: the bootstrap probability of a difference of the other sign, twice.
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
    """Error rates of `hypotheses` against `references`, one of each per clip, as written.

    `groups` names the recording of each clip. Clips of one recording share a speaker and a room,
    so the bootstrap draws recordings, not clips (Bisani and Ney 2004, "Bootstrap estimates for
    confidence intervals in ASR performance evaluation"). Without `groups`, or with fewer than
    MIN_RECORDINGS of them, it draws clips, and `drawn` says so: such an interval is too narrow for
    other speakers and rooms. For empty references and hypotheses see `metrics.counts`.

    Raises ValueError when the lengths differ or there are no references.
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
    """Compare `second` with `first` by a paired bootstrap, for "cer" and "wer" (Bisani, Ney 2004).

    Each replicate draws the same recordings for both systems, so their difficulty cancels out.
    """
    _check(references, first, groups)
    _check(references, second, groups)
    return {
        name: _difference(count(references, first), count(references, second), groups)
        for name, count in (("cer", counts.characters), ("wer", counts.projected_words))
    }


def rate(counted: Counts, groups: Sequence[str] | None = None) -> Rate:
    """The rate over all clips, with a bootstrap interval (percentiles of 1,000 replicates)."""
    errors, total = int(counted.errors.sum()), int(counted.totals.sum())
    low, high = _percentiles(_replicates(counted, groups))
    return Rate(errors, total, float(_divide(errors, total)), low, high)


def _difference(first: Counts, second: Counts, groups: Sequence[str] | None) -> Difference:
    # `_replicates` uses one seed, so it draws the same recordings for both: they are paired.
    replicates = _replicates(second, groups) - _replicates(first, groups)
    low, high = _percentiles(replicates)
    observed = _divide(second.errors.sum(), second.totals.sum()) - _divide(
        first.errors.sum(), first.totals.sum()
    )
    # One is added to both counts, so that no finite number of draws gives p = 0.
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
    return groups if groups is not None and len(set(groups)) >= MIN_RECORDINGS else None


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
