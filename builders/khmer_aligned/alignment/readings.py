"""The best path of a recording over all readings of its transcript.

A number can be read in several ways. Each reading is aligned in its place, together with the words
around it, to the same frames. Paths through the same frames can be compared whatever their tokens,
so the reading with the highest score is the one that was spoken.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from khmer_aligned.aligners.base import Aligner, frame_seconds
from khmer_aligned.alignment import viterbi
from khmer_aligned.alignment.bounds import Bound, align_within
from khmer_aligned.alignment.target import Target, make_target, span_index, star_id
from khmer_aligned.errors import UserError
from khmer_aligned.text import Ambiguity, Span

# Seconds of words on either side that are aligned anew: a long reading in place of a short one may
# have pushed them away.
_CONTEXT = 1.0
_ROUNDS = 3  # one reading may change what its neighbours' best readings are


@dataclass(frozen=True, slots=True)
class BestPath:
    """A target, in the readings that were spoken, and where its tokens lie."""

    target: Target
    score: float  # of the path, nats
    spans: viterbi.Spans
    bounds: tuple[Bound, ...] = ()  # that it is within


def find_best_path(
    target: Target, emission: np.ndarray, aligner: Aligner, bounds: tuple[Bound, ...] = ()
) -> BestPath:
    """The best path through an emission (T, V) over all readings of the target's transcript, within
    bounds if there are any.

    All ambiguities are chosen at once, each beside the present readings of the others, until none
    changes. A choice is kept only where the score of the whole path rises. Raises UserError where
    the target cannot be aligned.
    """
    best = _find_path(target, emission, aligner, bounds)
    for _ in range(_ROUNDS):
        readings = _better_readings(best, emission, aligner)
        if not readings:
            break
        reread = best.target.transcript.reread(readings)
        try:
            candidate = make_target(reread, aligner, best.target.omitted)
            path = _find_path(candidate, emission, aligner, bounds)
        except UserError:  # these readings together are too long for the audio
            break
        if path.score <= best.score:
            break
        best = path
    return best


def _find_path(
    target: Target, emission: np.ndarray, aligner: Aligner, bounds: tuple[Bound, ...]
) -> BestPath:
    path = align_within(emission, target, bounds, aligner)
    return BestPath(target, path.score, viterbi.merge(path, target.ids), bounds)


def _better_readings(path: BestPath, emission: np.ndarray, aligner: Aligner) -> dict[Span, int]:
    """The readings to use instead of the present ones: raw span of an ambiguity -> its reading.

    Of readings with equal scores the first is taken, which is the default.
    """
    better = {}
    for ambiguity in path.target.transcript.ambiguities:
        if span_index(path.target.omitted, ambiguity.span[0]) is not None:
            continue
        scores = _score_readings(ambiguity, path, emission, aligner)
        best = int(np.argmax(scores))
        if scores[best] > scores[ambiguity.chosen]:
            better[ambiguity.span] = best
    return better


def _score_readings(
    ambiguity: Ambiguity, path: BestPath, emission: np.ndarray, aligner: Aligner
) -> np.ndarray:
    """Log-probability of the best path with each reading, in nats, (R,); -inf for a reading that
    is too long for the audio."""
    star, spans, target = star_id(aligner), path.spans, path.target
    lo, hi = target.range_of(ambiguity.first, ambiguity.last)
    context = round(_CONTEXT / frame_seconds(aligner))
    left = min(int(np.searchsorted(spans.start, spans.start[lo] - context)), lo)
    right = max(int(np.searchsorted(spans.end, spans.end[hi - 1] + context, "right")), hi)
    start = int(spans.start[left]) if left else 0
    end = int(spans.end[right - 1]) if right < len(target.ids) else len(emission)
    scores = np.full(len(ambiguity.readings), -np.inf)
    for k, words in enumerate(ambiguity.readings):
        reading = [token for word in words for token in aligner.tokens(word).ids or (star,)]
        ids = np.concatenate([target.ids[left:lo], reading, target.ids[hi:right]]).astype(np.int32)
        try:
            local = viterbi.align(emission[start:end], ids, aligner.blank, star, threads=1)
        except UserError:
            continue
        scores[k] = local.score
    return scores
