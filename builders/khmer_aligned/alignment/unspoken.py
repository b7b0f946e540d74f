"""Phrases of a transcript that were not spoken where they stand: found, and left out.

Forced alignment puts every token somewhere. A phrase that was never spoken takes its frames from
its neighbours, and all of them end up beside their speech. Such a phrase shows by its misfit. It
is taken out of the target, put back if it finds its place once the phrases around it are out, and
the rest is aligned anew.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple

import numpy as np

from khmer_aligned.aligners.base import Aligner
from khmer_aligned.alignment import viterbi
from khmer_aligned.alignment.bounds import bound_frames, bound_index
from khmer_aligned.alignment.misfit import NO_MISFIT, Misfit
from khmer_aligned.alignment.phrases import Comparison, Frames, split_phrases, token_ranges
from khmer_aligned.alignment.readings import BestPath, find_best_path
from khmer_aligned.alignment.strays import pull_in_strays
from khmer_aligned.alignment.target import Target, make_target
from khmer_aligned.alignment.thresholds import Thresholds
from khmer_aligned.errors import UserError
from khmer_aligned.text import Span

_ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Unspoken:
    """A phrase that the audio does not hold where the transcript has it."""

    span: Span  # raw
    score: float  # mean probability of its tokens where they had been aligned
    distance: float  # edits to the greedy tokens there, per token
    misfit: float


class PhraseFit(NamedTuple):
    """How well a phrase that was not dropped fits its audio."""

    span: Span  # raw
    misfit: Misfit


@dataclass(frozen=True, slots=True)
class Fit:
    """How well a transcript fits its recording.

    phrases: in order, those that were not dropped
    median: the median misfit of all phrases before any was dropped
    limit: the misfit over which text of this recording is not trusted
    understood: whether the aligner can tell right from wrong text here
    """

    phrases: tuple[PhraseFit, ...]
    median: float
    limit: float
    understood: bool

    def worst_of(self, span: Span) -> Misfit:
        """The highest figures of the phrases that a raw span has a part in."""
        first = bisect_right(self.phrases, span[0], key=lambda phrase: phrase.span[1])
        last = bisect_left(self.phrases, span[1], key=lambda phrase: phrase.span[0])
        misfits = [phrase.misfit for phrase in self.phrases[first:last]] or [NO_MISFIT]
        return Misfit(max(misfit.mean for misfit in misfits), max(m.worst for m in misfits))


class Spoken(NamedTuple):
    """The path of what was spoken of a transcript, what was not, and how well the rest fits."""

    path: BestPath
    unspoken: tuple[Unspoken, ...]
    fit: Fit


def drop_unspoken(
    path: BestPath, frames: Frames, aligner: Aligner, thresholds: Thresholds
) -> Spoken:
    """Leave out the unspoken phrases of a transcript, which come back in order.

    Where more than half of the phrases fit badly there is nothing to go by, and none is dropped:
    clips are then judged one by one. Raises UserError where the rest cannot be aligned.
    """
    path = pull_in_strays(path, frames.emission, aligner)
    search = _Search(path, frames, aligner, thresholds)
    for _ in range(_ROUNDS):
        target = search.next_target(path)
        if target is None:
            break
        path = find_best_path(target, frames.emission, aligner, path.bounds)
        path = pull_in_strays(path, frames.emission, aligner)
    unspoken = tuple(search.unspoken[k] for k in sorted(search.unspoken))
    return Spoken(path, unspoken, search.fit(path))


def misfit_limit(median: float, most: float, thresholds: Thresholds) -> float:
    """The misfit over which text is not trusted in a recording whose phrases have this median:
    `most`, or less where the aligner understands the recording well. Nothing is trusted where half
    of the phrases count as unspoken: the text is another's."""
    if median > thresholds.unspoken_misfit:
        return 0.0
    return min(most, max(thresholds.sure_misfit, median + thresholds.misfit_margin))


class _Round(NamedTuple):
    """The path of one round, the whole transcript's target, and the tokens [first, last) of each
    phrase in both; they move from round to round when a number is read otherwise."""

    path: BestPath
    path_ranges: list[tuple[int, int]]
    whole: Target
    whole_ranges: list[tuple[int, int]]


class _Surroundings(NamedTuple):
    """Frames [start, end) and the tokens in them before and after a phrase that is tried again."""

    start: int
    end: int
    before: np.ndarray
    after: np.ndarray


class _Fit(NamedTuple):
    """Where a phrase fits: its frames [start, end) among its surroundings."""

    phrase: int
    start: int
    end: int
    tokens: int


class _Search:
    """The unspoken phrases of one recording, from round to round. Phrases go by their index."""

    def __init__(
        self,
        path: BestPath,
        frames: Frames,
        aligner: Aligner,
        thresholds: Thresholds,
    ) -> None:
        self._phrases = split_phrases(path.target)
        self._frames, self._bounds = frames, path.bounds
        self._aligner, self._thresholds = aligner, thresholds
        self._put_back: set[int] = set()  # each once, or it could go in and out for ever
        self.unspoken: dict[int, Unspoken] = {}
        self._compared: tuple[BestPath, set[int], dict[int, Comparison]] | None = None
        misfits = [comparison.misfit.mean for comparison in self._compare_phrases(path).values()]
        self._median = float(np.median(misfits))
        self._limit = misfit_limit(self._median, thresholds.unspoken_misfit, thresholds)

    def fit(self, path: BestPath) -> Fit:
        """How well the phrases of a path fit."""
        phrases = tuple(
            PhraseFit(self._phrases[k], comparison.misfit)
            for k, comparison in self._compare_phrases(path).items()
        )
        thresholds = self._thresholds
        limit = misfit_limit(self._median, thresholds.max_misfit, thresholds)
        return Fit(phrases, self._median, limit, self._median <= thresholds.max_median_misfit)

    def next_target(self, path: BestPath) -> Target | None:
        """The target without the phrases that `path` shows to be unspoken; None if it shows none.

        Phrases that are out already and next to new ones are tried again.
        """
        compared = self._compare_phrases(path)
        wrong = {k: c for k, c in compared.items() if c.misfit.mean > self._limit}
        if not wrong or 2 * len(wrong) > len(compared):
            return None
        path_ranges = token_ranges(path.target, self._phrases)
        for k, comparison in wrong.items():
            span = self._phrases[k]
            self.unspoken[k] = Unspoken(
                span, comparison.score, comparison.distance, comparison.misfit.mean
            )
        whole = make_target(path.target.transcript, self._aligner)
        this_round = _Round(path, path_ranges, whole, token_ranges(whole, self._phrases))
        for run in _runs(sorted(self.unspoken), self._bound_of):
            if not wrong.keys().isdisjoint(run):
                self._put_back_fitting(run, this_round)
        omitted = [self._phrases[k] for k in sorted(self.unspoken)]
        return make_target(path.target.transcript, self._aligner, omitted)

    def _compare_phrases(self, path: BestPath) -> dict[int, Comparison]:
        """The comparison of each phrase that is in a path and has tokens.

        The last one is kept: it is five alignments a phrase, and is asked for up to three times.
        """
        if self._compared and self._compared[0] is path and self._compared[1] == set(self.unspoken):
            return self._compared[2]
        ranges = token_ranges(path.target, self._phrases)
        compared = {
            k: self._frames.compare(path.target.ids, path.spans, *ranges[k])
            for k in range(len(self._phrases))
            if k not in self.unspoken
        }
        known = {k: comparison for k, comparison in compared.items() if comparison}
        self._compared = path, set(self.unspoken), known
        return known

    def _put_back_fitting(self, run: list[int], this_round: _Round) -> None:
        """Put back phrases of a run of neighbours that are out: those that fit between the phrases
        around the run, each tried alone, as many as follow each other in order."""
        around = self._surround(run, this_round)
        fits = [
            fit
            for k in run
            if k not in self._put_back and (fit := self._fit(k, this_round, around))
        ]
        for k in _most_in_order(fits):
            del self.unspoken[k]
            self._put_back.add(k)

    def _surround(self, run: list[int], this_round: _Round) -> _Surroundings:
        """The phrases before and after a run, and the frames from the one to the other."""
        bound = self._bound_of(run[0])
        start, end = bound_frames(self._bounds, self._phrases[run[0]][0], len(self._frames.greedy))
        before = after = np.array([self._frames.star], np.int32)
        if run[0] > 0 and self._bound_of(run[0] - 1) == bound:
            k = run[0] - 1
            before = np.append(this_round.whole.ids[slice(*this_round.whole_ranges[k])], before)
            start = int(this_round.path.spans.start[this_round.path_ranges[k][0]])
        k = run[-1] + 1
        if k < len(self._phrases) and self._bound_of(k) == bound:
            after = np.append(after, this_round.whole.ids[slice(*this_round.whole_ranges[k])])
            end = int(this_round.path.spans.end[this_round.path_ranges[k][1] - 1])
        return _Surroundings(start, end, before, after)

    def _bound_of(self, k: int) -> int:
        """The index of the bound that a phrase is in."""
        return bound_index(self._bounds, self._phrases[k][0])

    def _fit(self, k: int, this_round: _Round, around: _Surroundings) -> _Fit | None:
        """Where phrase k fits when it is aligned alone between its surroundings, if it does."""
        phrase = this_round.whole.ids[slice(*this_round.whole_ranges[k])]
        ids = np.concatenate([around.before, phrase, around.after])
        part = self._frames.slice(around.start, around.end)
        try:
            local = viterbi.align(part.emission, ids, part.blank, part.star, threads=1)
        except UserError:
            return None
        spans = viterbi.merge(local, ids)
        lo, hi = len(around.before), len(around.before) + len(phrase)
        comparison = part.compare(ids, spans, lo, hi)
        if comparison is None or comparison.misfit.mean > self._limit:
            return None
        return _Fit(k, int(spans.start[lo]), int(spans.end[hi - 1]), comparison.tokens)


def _most_in_order(fits: Sequence[_Fit]) -> list[int]:
    """The phrases with the most tokens in all whose frames follow each other in order."""
    chains: list[tuple[int, list[int]]] = []  # for each fit the best chain that it ends
    for i, fit in enumerate(fits):
        earlier = [chains[j] for j in range(i) if fits[j].end <= fit.start]
        tokens, phrases = max(earlier, key=lambda chain: chain[0], default=(0, []))
        chains.append((tokens + fit.tokens, [*phrases, fit.phrase]))
    return max(chains, key=lambda chain: chain[0], default=(0, []))[1]


def _runs(numbers: list[int], bound_of: Callable[[int], int]) -> list[list[int]]:
    """Rising numbers in groups of those that follow each other without a gap, in one bound."""
    grouped = groupby(enumerate(numbers), key=lambda pair: (pair[1] - pair[0], bound_of(pair[1])))
    return [[number for _, number in group] for _, group in grouped]
