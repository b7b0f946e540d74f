"""Phrases of a transcript that were not spoken where they stand: found, and left out.

Forced alignment puts every token somewhere. A phrase that was never spoken takes its frames from
its neighbours, and all of them end up beside their speech. Such a phrase shows by the distance
between its tokens and the greedy tokens of its frames. It is taken out of the target, put back if
it finds its place once the phrases around it are out, and the rest is aligned anew.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple

import numpy as np
from rapidfuzz.distance import Levenshtein

from khmer_aligned.aligners.base import Aligner
from khmer_aligned.alignment import viterbi
from khmer_aligned.alignment.readings import BestPath, find_best_path
from khmer_aligned.alignment.target import Target, make_target, star_id
from khmer_aligned.alignment.thresholds import Thresholds
from khmer_aligned.errors import UserError
from khmer_aligned.text import Break, Span

_SHORT = 30  # tokens; a shorter phrase is unspoken only with a low score
_MIN_TOKENS = 15  # a shorter phrase is judged with the next one of its sentence
_ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Unspoken:
    """A phrase that the audio does not hold where the transcript has it."""

    span: Span  # raw
    score: float  # mean probability of its tokens where they had been aligned
    distance: float  # edits to the greedy tokens there, per token


def drop_unspoken(
    path: BestPath,
    emission: np.ndarray,
    greedy: np.ndarray,
    aligner: Aligner,
    thresholds: Thresholds,
) -> tuple[BestPath, tuple[Unspoken, ...]]:
    """The path of a transcript without its unspoken phrases, and these phrases in order.

    emission: float32 (T, V), with its most probable tokens `greedy`, int32 (T,).

    A transcript that is wrong everywhere keeps its path, and so does a recording whose voice the
    aligner hardly understands: their clips are judged by score alone. Raises UserError where the
    rest cannot be aligned.
    """
    search = _Search(path, emission, greedy, aligner, thresholds)
    for _ in range(_ROUNDS):
        target = search.next_target(path)
        if target is None:
            break
        path = find_best_path(target, emission, aligner)
    return path, tuple(search.unspoken[k] for k in sorted(search.unspoken))


class _Comparison(NamedTuple):
    """A phrase compared with the greedy tokens of its frames."""

    edits: int
    tokens: int
    score: float

    @property
    def distance(self) -> float:
        return self.edits / max(1, self.tokens)


class _Round(NamedTuple):
    """The path of one round, the whole transcript's target, and the tokens [first, last) of each
    phrase in both; they move from round to round when a number is read otherwise.

    limit: the distance over which a phrase counts as unspoken.
    """

    path: BestPath
    path_ranges: list[tuple[int, int]]
    whole: Target
    whole_ranges: list[tuple[int, int]]
    limit: float


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
        emission: np.ndarray,
        greedy: np.ndarray,
        aligner: Aligner,
        thresholds: Thresholds,
    ) -> None:
        self._phrases = _split_phrases(path.target)
        self._emission, self._greedy = emission, greedy
        self._blank, self._star = aligner.blank, star_id(aligner)
        self._aligner, self._thresholds = aligner, thresholds
        self._put_back: set[int] = set()  # each once, or it could go in and out for ever
        self.unspoken: dict[int, Unspoken] = {}

    def next_target(self, path: BestPath) -> Target | None:
        """The target without the phrases that `path` shows to be unspoken; None if it shows none.

        Phrases that are out already and next to new ones are tried again.
        """
        path_ranges = self._token_ranges(path.target)
        compared = {
            k: self._compare(self._greedy, path.target.ids, path.spans, *path_ranges[k])
            for k in range(len(self._phrases))
            if k not in self.unspoken
        }
        compared = {k: comparison for k, comparison in compared.items() if comparison.tokens}
        median = float(np.median([comparison.distance for comparison in compared.values()]))
        limit = max(self._thresholds.unspoken_distance, median + self._thresholds.unspoken_margin)
        wrong = {k: c for k, c in compared.items() if self._is_unspoken(c, limit)}
        all_wrong = len(wrong) == len(compared)
        if not wrong or all_wrong or median > self._thresholds.max_median_distance:
            return None
        for k, comparison in wrong.items():
            span = self._phrases[k]
            self.unspoken[k] = Unspoken(span, comparison.score, comparison.distance)
        whole = make_target(path.target.transcript, self._aligner)
        this_round = _Round(path, path_ranges, whole, self._token_ranges(whole), limit)
        for run in _runs(sorted(self.unspoken)):
            if not wrong.keys().isdisjoint(run):
                self._put_back_fitting(run, this_round)
        omitted = [self._phrases[k] for k in sorted(self.unspoken)]
        return make_target(path.target.transcript, self._aligner, omitted)

    def _token_ranges(self, target: Target) -> list[tuple[int, int]]:
        """The tokens [first, last) of each phrase in the ids of a target."""
        starts = [word.span[0] for word in target.transcript.words]
        return [
            target.range_of(bisect_left(starts, start), bisect_left(starts, end))
            for start, end in self._phrases
        ]

    def _compare(
        self, greedy: np.ndarray, ids: np.ndarray, spans: viterbi.Spans, lo: int, hi: int
    ) -> _Comparison:
        """Compare ids[lo:hi], aligned at `spans`, with the greedy tokens (T,) of their frames.

        Stars and their frames are left out on both sides.
        """
        is_star = ids[lo:hi] == self._star
        expected = ids[lo:hi][~is_star].tolist()
        start, end = spans.start[lo], spans.end[hi - 1]
        frames = greedy[start:end].copy()
        for star in lo + np.flatnonzero(is_star):
            frames[spans.start[star] - start : spans.end[star] - start] = self._blank
        actual = viterbi.collapse(frames, self._blank).tolist()
        score = float(spans.score[lo:hi][~is_star].mean()) if expected else 0.0
        return _Comparison(Levenshtein.distance(expected, actual), len(expected), score)

    def _is_unspoken(self, comparison: _Comparison, limit: float) -> bool:
        """Whether a phrase has over `limit` edits per token plus one and, if short, a low score."""
        if comparison.edits <= limit * comparison.tokens + 1:
            return False
        return comparison.tokens >= _SHORT or comparison.score < self._thresholds.unspoken_score

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
        start, end = 0, len(self._emission)
        before = after = np.array([self._star], np.int32)
        if run[0] > 0:
            k = run[0] - 1
            before = np.append(this_round.whole.ids[slice(*this_round.whole_ranges[k])], before)
            start = int(this_round.path.spans.start[this_round.path_ranges[k][0]])
        if run[-1] + 1 < len(self._phrases):
            k = run[-1] + 1
            after = np.append(after, this_round.whole.ids[slice(*this_round.whole_ranges[k])])
            end = int(this_round.path.spans.end[this_round.path_ranges[k][1] - 1])
        return _Surroundings(start, end, before, after)

    def _fit(self, k: int, this_round: _Round, around: _Surroundings) -> _Fit | None:
        """Where phrase k fits when it is aligned alone between its surroundings, if it does."""
        phrase = this_round.whole.ids[slice(*this_round.whole_ranges[k])]
        ids = np.concatenate([around.before, phrase, around.after])
        emission = self._emission[around.start : around.end]
        try:
            local = viterbi.align(emission, ids, self._blank, self._star, threads=1)
        except UserError:
            return None
        spans = viterbi.merge(local, ids)
        lo, hi = len(around.before), len(around.before) + len(phrase)
        greedy = self._greedy[around.start : around.end]
        comparison = self._compare(greedy, ids, spans, lo, hi)
        if self._is_unspoken(comparison, this_round.limit):
            return None
        return _Fit(k, int(spans.start[lo]), int(spans.end[hi - 1]), comparison.tokens)


def _split_phrases(target: Target) -> tuple[Span, ...]:
    """Raw spans of a transcript's phrases, each up to the first word of the next."""
    starts, tokens, inside = [], 0, False
    for word, word_tokens in zip(target.transcript.words, target.words, strict=True):
        if not inside:
            starts.append(word.span[0])
            tokens, inside = 0, True
        tokens += len(word_tokens.ids)
        strong_enough = Break.SPACE if tokens >= _MIN_TOKENS else Break.SENTENCE
        inside = word.break_after < strong_enough
    ends = [*starts[1:], len(target.transcript.raw)]
    return tuple(zip(starts, ends, strict=True))


def _most_in_order(fits: Sequence[_Fit]) -> list[int]:
    """The phrases with the most tokens in all whose frames follow each other in order."""
    chains: list[tuple[int, list[int]]] = []  # for each fit the best chain that it ends
    for i, fit in enumerate(fits):
        earlier = [chains[j] for j in range(i) if fits[j].end <= fit.start]
        tokens, phrases = max(earlier, key=lambda chain: chain[0], default=(0, []))
        chains.append((tokens + fit.tokens, [*phrases, fit.phrase]))
    return max(chains, key=lambda chain: chain[0], default=(0, []))[1]


def _runs(numbers: list[int]) -> list[list[int]]:
    """Rising numbers in groups of those that follow each other without a gap."""
    grouped = groupby(enumerate(numbers), key=lambda pair: pair[1] - pair[0])
    return [[number for _, number in group] for _, group in grouped]
