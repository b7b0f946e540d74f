"""Frames that parts of a text are bound to: the best path within them."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from khmer_aligned.aligners.base import Aligner
from khmer_aligned.alignment import viterbi
from khmer_aligned.alignment.target import Target, star_id


class Bound(NamedTuple):
    """From the raw character `first` on, up to the next bound's, the text is spoken in the frames
    [start, end) or not at all."""

    first: int
    start: int
    end: int


def align_within(
    emission: np.ndarray, target: Target, bounds: Sequence[Bound], aligner: Aligner
) -> viterbi.Path:
    """The best path of a target through an emission (T, V), each bound's tokens in its frames.

    What is between the frames of two bounds belongs to the star between them. Raises UserError
    where the tokens do not fit.
    """
    star = star_id(aligner)
    if not bounds:
        return viterbi.align(emission, target.ids, aligner.blank, star)
    paths: list[viterbi.Path] = []
    frame = 0
    for bound, (first, last) in zip(bounds, _token_ranges(target, bounds, star), strict=True):
        for start, end, tokens in (
            (frame, bound.start, slice(first, first + 1)),
            (bound.start, bound.end, slice(first, last)),
        ):
            if start < end:
                path = viterbi.align(emission[start:end], target.ids[tokens], aligner.blank, star)
                paths.append(_shift(path, tokens.start))
        frame = bound.end
    if frame < len(emission):
        path = viterbi.align(emission[frame:], target.ids[-1:], aligner.blank, star)
        paths.append(_shift(path, len(target.ids) - 1))
    log_probs = np.concatenate([path.log_probs for path in paths])
    position = np.concatenate([path.position for path in paths])
    return viterbi.Path(position, log_probs, float(log_probs.sum(dtype=np.float64)))


def find_overfull(target: Target, bounds: Sequence[Bound], star: int) -> set[int]:
    """The bounds whose frames cannot hold their tokens."""
    overfull = set()
    for k, (bound, (first, last)) in enumerate(
        zip(bounds, _token_ranges(target, bounds, star), strict=True)
    ):
        ids = target.ids[first:last]
        ids = ids[ids != star]
        if bound.end - bound.start < len(ids) + int((ids[1:] == ids[:-1]).sum()):
            overfull.add(k)
    return overfull


def bound_index(bounds: Sequence[Bound], position: int) -> int:
    """The bound that a raw character is in; -1 without bounds."""
    return bisect_right(bounds, position, key=lambda bound: bound.first) - 1


def bound_frames(bounds: Sequence[Bound], position: int, frames: int) -> tuple[int, int]:
    """The frames [start, end) of `frames` in which a raw character is looked for."""
    if not bounds:
        return 0, frames
    bound = bounds[bound_index(bounds, position)]
    return bound.start, bound.end


def _shift(path: viterbi.Path, tokens: int) -> viterbi.Path:
    """A path whose first token is the one at `tokens`."""
    position = np.where(path.position < 0, path.position, path.position + tokens)
    return replace(path, position=position.astype(np.int32))


def _token_ranges(target: Target, bounds: Sequence[Bound], star: int) -> list[tuple[int, int]]:
    """The tokens [first, last) of each bound, from the star before them to the one behind."""
    first_stars = [_star_before(target, bound.first, star) for bound in bounds]
    return [(a, b + 1) for a, b in pairwise([*first_stars, len(target.ids) - 1])]


def _star_before(target: Target, first: int, star: int) -> int:
    """The star before the first word from a raw character on."""
    words = target.transcript.words
    word = bisect_left(words, first, key=lambda word: word.span[0])
    k = target.ranges[word][0]
    return k - 1 if k and target.ids[k - 1] == star else k
