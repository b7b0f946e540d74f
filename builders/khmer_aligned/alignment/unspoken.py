"""Phrases of a transcript that were not spoken where they stand: found, and given up.

Forced alignment puts every label somewhere. A phrase that was never spoken takes its frames from
its neighbours, and all of them end up beside their speech. What tells it is the distance between
the model's own labels over its frames and its labels; such phrases are taken out of the target,
those that find their place once the others are gone are put back, and the rest is aligned anew.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby

import numpy as np
from rapidfuzz.distance import Levenshtein

from khmer_aligned.aligners.base import Aligner
from khmer_aligned.alignment import viterbi
from khmer_aligned.alignment.readings import BestPath, best_paths
from khmer_aligned.alignment.target import Target, star_of, target
from khmer_aligned.errors import UserError
from khmer_aligned.text import Break, Span, Transcript

# A phrase is not what is heard with more edits per label than this, one more in all; a short one
# only with a score as low, for a name spelled unlike it is read has the edits, not the score. With
# a letter error rate of 0.15, by line: the worst right one in a hundred has 0.35 edits and a score
# of 0.62, the best wrong one 0.50 and 0.44.
_MAX_DISTANCE = 0.45
_SHORT = 30  # labels
_MIN_SCORE = 0.5
_ABOVE_USUAL = 0.25  # over the median, for a model that does not hear this voice well
_NO_WITNESS = 0.4  # a median from which the model hears the voice too badly to tell
_MIN_LABELS = 15  # shorter phrases are judged together, as far as the sentence goes
_ROUNDS = 3


@dataclass(frozen=True, slots=True)
class GivenUp:
    """A phrase that the audio does not hold where the transcript has it."""

    span: Span  # raw
    score: float  # mean probability of its labels where they had been put
    distance: float  # edits from what the model hears there, per label


def give_up(
    paths: Sequence[BestPath | UserError],
    emissions: Sequence[np.ndarray],
    best: Sequence[np.ndarray],
    aligner: Aligner,
) -> tuple[list[BestPath | UserError], list[tuple[GivenUp, ...]]]:
    """The paths without what was not spoken, and what that is.

    best: (T,), the model's best label at each frame of each emission (T, V).

    A transcript that is wrong everywhere keeps its path, and so does a recording that the model
    hardly understands: its clips are judged by their scores alone.
    """
    found = list(paths)
    trials = {
        i: _Trial(_phrases(path.transcript, path.target))
        for i, path in enumerate(found)
        if not isinstance(path, UserError)
    }
    unsettled = list(trials)
    for _ in range(_ROUNDS):
        told = {}
        for i in unsettled:
            if without := trials[i].without(found[i], emissions[i], best[i], aligner):
                told[i] = found[i].transcript, without
        if not told:
            break
        unsettled = list(told)
        again = best_paths(list(told.values()), [emissions[i] for i in told], aligner)
        for i, path in zip(told, again, strict=True):
            found[i] = path
    given_up = [trials[i].given_up if i in trials else () for i in range(len(found))]
    return found, given_up


def _phrases(transcript: Transcript, whole: Target) -> tuple[Span, ...]:
    """Raw spans, from the first word of each phrase to that of the next."""
    starts, labels, open_ = [], 0, False
    for word, own in zip(transcript.words, whole.words, strict=True):
        if not open_:
            starts.append(word.span[0])
            labels, open_ = 0, True
        labels += len(own.ids)
        enough = Break.SPACE if labels >= _MIN_LABELS else Break.SENTENCE
        open_ = word.break_after < enough
    return tuple(zip(starts, [*starts[1:], len(transcript.raw)], strict=True))


@dataclass
class _Trial:
    """What is known of the phrases of one recording from round to round."""

    phrases: tuple[Span, ...]
    lost: dict[int, GivenUp] = field(default_factory=dict)  # phrase -> why
    put_back: set[int] = field(default_factory=set)  # once and no more

    @property
    def given_up(self) -> tuple[GivenUp, ...]:
        return tuple(self.lost[k] for k in sorted(self.lost))

    def without(
        self, path: BestPath, emission: np.ndarray, best: np.ndarray, aligner: Aligner
    ) -> Target | None:
        """The target without the phrases that are not heard in their place; None to leave it."""
        words = self._words(path.transcript)
        heard = {
            k: _compare(best, path.target.ids, path.spans, *path.target.range(*own), aligner)
            for k, own in enumerate(words)
            if k not in self.lost
        }
        heard = {k: each for k, each in heard.items() if each.labels}
        usual = float(np.median([each.distance for each in heard.values()]))
        limit = max(_MAX_DISTANCE, usual + _ABOVE_USUAL)
        wrong = {k: each for k, each in heard.items() if each.is_wrong(limit)}
        if not wrong or len(wrong) == len(heard) or usual > _NO_WITNESS:
            return None
        self.lost |= {k: GivenUp(self.phrases[k], e.score, e.distance) for k, e in wrong.items()}
        whole = target(path.transcript, aligner)
        for run in _runs(sorted(self.lost)):
            if not wrong.keys().isdisjoint(run):
                for k in self._in_place(run, words, whole, path, emission, best, aligner, limit):
                    del self.lost[k]
                    self.put_back.add(k)
        omitted = [self.phrases[k] for k in sorted(self.lost)]
        return target(path.transcript, aligner, omitted)

    def _words(self, transcript: Transcript) -> list[tuple[int, int]]:
        """Words [first, last) of each phrase; they move when a number is read otherwise."""
        starts = [word.span[0] for word in transcript.words]
        return [(bisect_left(starts, a), bisect_left(starts, b)) for a, b in self.phrases]

    def _in_place(
        self,
        run: list[int],
        words: list[tuple[int, int]],
        whole: Target,
        path: BestPath,
        emission: np.ndarray,
        best: np.ndarray,
        aligner: Aligner,
        limit: float,
    ) -> list[int]:
        """Of phrases in a row that were taken out, those that are heard when each of them is
        alone with its neighbours, and that stand in the order in which they are heard."""
        star = star_of(aligner)
        before, after = run[0] - 1, run[-1] + 1
        head, tail, start, end = [star], [star], 0, len(emission)
        if before >= 0:
            first = words[before][0]
            head = [*whole.ids[slice(*whole.range(*words[before]))], star]
            start = int(path.spans.start[path.target.places[first][0]])
        if after < len(self.phrases):
            last = words[after][1] - 1
            tail = [star, *whole.ids[slice(*whole.range(*words[after]))]]
            end = int(path.spans.end[path.target.places[last][1] - 1])
        fitting: list[tuple[int, int, int, int]] = []  # phrase, its frames, its labels
        for k in run:
            if k in self.put_back:
                continue
            labels = whole.ids[slice(*whole.range(*words[k]))]
            ids = np.concatenate([head, labels, tail]).astype(np.int32)
            try:
                local = viterbi.align(emission[start:end], ids, aligner.blank, star, threads=1)
            except UserError:
                continue
            spans = viterbi.merge(local, ids)
            lo, hi = len(head), len(head) + len(labels)
            heard = _compare(best[start:end], ids, spans, lo, hi, aligner)
            if not heard.is_wrong(limit):
                fitting.append((k, int(spans.start[lo]), int(spans.end[hi - 1]), heard.labels))
        return _in_order(fitting)


@dataclass(frozen=True, slots=True)
class _Heard:
    """A phrase against what the model hears over its frames."""

    edits: int
    labels: int
    score: float

    @property
    def distance(self) -> float:
        return self.edits / max(1, self.labels)

    def is_wrong(self, limit: float) -> bool:
        far = self.edits > limit * self.labels + 1
        return far and (self.labels >= _SHORT or self.score < _MIN_SCORE)


def _compare(
    best: np.ndarray, ids: np.ndarray, spans: viterbi.Spans, lo: int, hi: int, aligner: Aligner
) -> _Heard:
    """Labels [lo, hi) of a path against the best labels (T,) of their frames, stars left out."""
    is_star = ids[lo:hi] == star_of(aligner)
    told = ids[lo:hi][~is_star].tolist()
    frames = best[spans.start[lo] : spans.end[hi - 1]].copy()
    for place in lo + np.flatnonzero(is_star):
        frames[spans.start[place] - spans.start[lo] : spans.end[place] - spans.start[lo]] = (
            aligner.blank
        )
    heard = viterbi.collapse(frames, aligner.blank).tolist()
    score = float(spans.score[lo:hi][~is_star].mean()) if told else 0.0
    return _Heard(Levenshtein.distance(told, heard), len(told), score)


def _in_order(fitting: list[tuple[int, int, int, int]]) -> list[int]:
    """Of phrases (number, first frame, end, labels) the most labels that follow each other."""
    best: list[tuple[int, list[int]]] = []
    for i, (k, start, _, labels) in enumerate(fitting):
        before = [best[j] for j in range(i) if fitting[j][2] <= start]
        total, chain = max(before, key=lambda each: each[0], default=(0, []))
        best.append((total + labels, [*chain, k]))
    return max(best, key=lambda each: each[0], default=(0, []))[1]


def _runs(numbers: list[int]) -> list[list[int]]:
    """Numbers in order, those that follow each other together."""
    grouped = groupby(enumerate(numbers), key=lambda pair: pair[1] - pair[0])
    return [[number for _, number in group] for _, group in grouped]
