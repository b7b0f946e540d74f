"""The times of captions as bounds of the search: what nobody captioned takes no word of others.

Captions often cover only a part of a recording. The words beside the rest are then pulled into it:
a path may give the first words of a line the frames of the same words, or of words like them, in
speech that no caption covers. Where captions leave a gap, their words are looked for within the
times of their captions, and the frames between are untranscribed.

Captions are often late by seconds, and drift when they were made for another frame rate. A path
without bounds tells by how much, and how exact they are. Some have wrong times: where their words
fit worse within them than without, these captions set no bound.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from khmer_aligned.aligners.base import Aligner, frame_seconds
from khmer_aligned.alignment.bounds import Bound, bound_index, find_overfull
from khmer_aligned.alignment.phrases import Frames, split_phrases, token_ranges
from khmer_aligned.alignment.readings import BestPath, find_best_path
from khmer_aligned.schema import Cue

_ROUNDS = 4
_FEWEST = 3  # captions that can tell how exact they are
_FEWEST_FOR_DRIFT = 6
_MAX_DRIFT = 0.1  # 25 against 24 frames a second is 0.04
_DEVIATIONS = 2.0  # standard deviations of the captions' times around which words are looked for
_MIN_MARGIN, _MAX_MARGIN = 0.5, 5.0  # seconds
_SIGMA = 1.4826  # standard deviation of a normal distribution, in median deviations
_MOVED = 3  # frames from which on a phrase is somewhere else
_MIN_DIFFERENCE = 0.2  # of the misfits of a phrase in two places, one of them right


class Line(NamedTuple):
    """When what a caption shows at a time is spoken, both in seconds."""

    slope: float
    offset: float


def fit_line(shown: np.ndarray, spoken: np.ndarray) -> Line:
    """The line through times of captions, (n,), or (n, k) for k moments of each; up to a quarter
    of them may be anywhere.

    Its slope is the median of those between captions half of them apart, its offset the median of
    what remains (the incomplete method of Theil, 1950). Without a drift there is a better line.
    """
    slopes, half = [1.0], len(shown) // 2
    if len(shown) >= _FEWEST_FOR_DRIFT:
        runs = shown[half:] - shown[: len(shown) - half]
        rises = spoken[half:] - spoken[: len(spoken) - half]
        if (runs > 0).any():
            slope = float(np.median(rises[runs > 0] / runs[runs > 0]))
            slopes.append(min(max(slope, 1 - _MAX_DRIFT), 1 + _MAX_DRIFT))
    lines = [Line(slope, float(np.median(spoken - slope * shown))) for slope in slopes]
    return min(lines, key=lambda line: np.median(np.abs(spoken - line.slope * shown - line.offset)))


def keep_to_captions(
    path: BestPath, cues: Sequence[Cue], frames: Frames, aligner: Aligner
) -> BestPath:
    """The best path within the bounds that captions give to a path without bounds; that path where
    they leave no gap, are too few, or are too inexact."""
    free, seconds = path, frame_seconds(aligner)
    unbound: set[int] = set()
    for _ in range(_ROUNDS):
        captions = _Captions.on(path, cues, seconds)
        bounds = captions.find_bounds(len(frames.greedy), seconds, unbound)
        if bounds == path.bounds:
            break
        harmed = find_overfull(free.target, bounds, frames.star)
        if not harmed:
            bounded = find_best_path(free.target, frames.emission, aligner, bounds)
            harmed = _find_harmed(free, bounded, frames)
        if not harmed:
            path = bounded
            continue
        wrong = captions.within(bounds, harmed)
        if wrong <= unbound:  # those around are in the way
            wrong = captions.within(bounds, {k + side for k in harmed for side in (-1, 1)})
        unbound |= wrong
    return path


@dataclass(frozen=True, slots=True)
class _Captions:
    """The captions that have tokens in a path, in order of their text.

    words: the words [first, last) of each, int (n, 2); characters: where these begin in the raw
    text, (n,); spoken, shown: seconds in which the path has them and in which they are shown, both
    (n, 2)
    """

    path: BestPath
    words: np.ndarray
    characters: np.ndarray
    spoken: np.ndarray
    shown: np.ndarray

    @classmethod
    def on(cls, path: BestPath, cues: Sequence[Cue], frame_seconds: float) -> _Captions:
        """The captions of a path."""
        target, spans = path.target, path.spans
        begins = [word.span[0] for word in target.transcript.words]
        words: list[tuple[int, int]] = []
        frames: list[tuple[int, int]] = []
        shown: list[tuple[float, float]] = []
        for cue in cues:
            first, last = bisect_left(begins, cue.first), bisect_left(begins, cue.last)
            spelled = [k for k in range(first, last) if target.words[k].ids]
            if spelled:
                lo, hi = target.ranges[spelled[0]][0], target.ranges[spelled[-1]][1]
                words.append((first, last))
                frames.append((int(spans.start[lo]), int(spans.end[hi - 1])))
                shown.append((cue.start, cue.end))
        return cls(
            path,
            np.array(words, int).reshape(-1, 2),
            np.array([begins[first] for first, _ in words], int),
            np.array(frames, float).reshape(-1, 2) * frame_seconds,
            np.array(shown, float).reshape(-1, 2),
        )

    def within(self, bounds: Sequence[Bound], numbers: Collection[int]) -> set[int]:
        """The captions in some of the bounds, by their first characters."""
        return {k for k in self.characters.tolist() if bound_index(bounds, k) in numbers}

    def find_bounds(
        self, frames: int, frame_seconds: float, unbound: Collection[int]
    ) -> tuple[Bound, ...]:
        """The bounds that captions with gaps between them give, in order.

        unbound: captions whose times are wrong, by their first characters; they reach from the
        caption before to the next one
        """
        windows = self._find_windows() if len(self.words) >= _FEWEST else None
        if windows is None:
            return ()
        starts, ends = np.clip(windows / frame_seconds, 0, frames).round().astype(int).T
        spelled = [k for k, word in enumerate(self.path.target.words) if word.ids]
        if spelled[0] < self.words[0, 0]:
            starts[0] = 0
        if spelled[-1] >= self.words[-1, 1]:
            ends[-1] = frames
        bound = np.array([k not in unbound for k in self.characters.tolist()])
        for k in np.flatnonzero(~bound):
            starts[k] = max(ends[:k][bound[:k]], default=0)
            ends[k] = min(starts[k + 1 :][bound[k + 1 :]], default=frames)
        before = np.maximum.accumulate(ends)[:-1]
        behind = np.minimum.accumulate(starts[::-1])[::-1][1:]
        last, following = np.searchsorted(spelled, [self.words[:-1, 1], self.words[1:, 0]])
        begins = [0, *(1 + np.flatnonzero((before <= behind) & (following <= last))).tolist()]
        bounds = tuple(
            Bound(
                int(self.characters[first]) if first else 0,
                int(starts[first:end].min()),
                int(ends[first:end].max()),
            )
            for first, end in pairwise([*begins, len(starts)])
        )
        return () if bounds == (Bound(0, 0, frames),) else bounds

    def _find_windows(self) -> np.ndarray | None:
        """The seconds from which and to which each caption's words are looked for, (n, 2); None
        where the captions' times are too inexact."""
        windows = fit_line(self.shown, self.spoken).slope * self.shown
        # Captions come with their words, but stay until they can be read: each side has its offset.
        windows = windows + np.median(self.spoken - windows, axis=0)
        errors = np.median(np.abs(self.spoken - windows), axis=0)
        before, behind = np.maximum(_MIN_MARGIN, _DEVIATIONS * _SIGMA * errors)
        if min(before, behind) > _MAX_MARGIN:
            return None
        starts, ends = (windows + np.array([-before, behind])).T
        if before > _MAX_MARGIN:  # the caption before tells where it may start
            starts = np.append(-np.inf, ends[:-1])
        elif behind > _MAX_MARGIN:
            ends = np.append(starts[1:], np.inf)
        return np.stack([starts, ends], axis=1)


def _find_harmed(free: BestPath, bounded: BestPath, frames: Frames) -> set[int]:
    """The bounds in which phrases fit worse than without them, of those that moved."""
    phrases = split_phrases(free.target)
    harm = np.zeros(len(bounded.bounds))
    ranges = (token_ranges(path.target, phrases) for path in (free, bounded))
    for phrase, (lo, hi), (bounded_lo, bounded_hi) in zip(phrases, *ranges, strict=True):
        moved = abs(free.spans.start[lo] - bounded.spans.start[bounded_lo]) >= _MOVED
        moved |= abs(free.spans.end[hi - 1] - bounded.spans.end[bounded_hi - 1]) >= _MOVED
        if not moved:
            continue
        without = frames.compare(free.target.ids, free.spans, lo, hi)
        within = frames.compare(bounded.target.ids, bounded.spans, bounded_lo, bounded_hi)
        if without is not None and within is not None:
            worse = within.misfit.mean - without.misfit.mean
            if abs(worse) > _MIN_DIFFERENCE:
                harm[bound_index(bounded.bounds, phrase[0])] += worse * within.tokens
    return set(np.flatnonzero(harm > 0).tolist())
