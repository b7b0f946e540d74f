"""The best path of a recording over all readings of its transcript.

A number can be read in several ways. Every reading is aligned in its place, together with the
words around it, through the same frames; paths through the same frames can be compared whatever
their labels, and the reading that the audio scores highest is the one that was spoken.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from khmer_aligned.aligners.base import Aligner, frame_seconds
from khmer_aligned.alignment import viterbi
from khmer_aligned.alignment.target import Target, holder, star_of, target
from khmer_aligned.errors import UserError
from khmer_aligned.text import Ambiguity, Span, Transcript

# Seconds of words on either side that may move: a long reading in place of a short one had pushed
# them away.
_CONTEXT = 1.0
_ROUNDS = 3  # readings near each other may ask for one another


@dataclass(frozen=True, slots=True)
class BestPath:
    """A transcript in the readings that were spoken, its target, and where the labels lie."""

    transcript: Transcript
    target: Target
    score: float  # of the path, nats
    spans: viterbi.Spans


def best_paths(
    told: Sequence[tuple[Transcript, Target]], emissions: Sequence[np.ndarray], aligner: Aligner
) -> list[BestPath | UserError]:
    """The best path of each transcript through its emission (T, V), or why there is none.

    Ambiguities are chosen all at once, each beside the others' present readings, until none
    changes; a choice is kept only when the whole path gains by it.
    """
    found = _paths(told, emissions, aligner)
    unsettled = [i for i, (transcript, _) in enumerate(told) if transcript.ambiguities]
    for _ in range(_ROUNDS):
        other: dict[int, tuple[Transcript, Target]] = {}
        for i in unsettled:
            if not isinstance(found[i], UserError) and (
                better := _better_readings(found[i], emissions[i], aligner)
            ):
                reread = found[i].transcript.reread(better)
                other[i] = reread, target(reread, aligner, found[i].target.omitted)
        paths = _paths(list(other.values()), [emissions[i] for i in other], aligner)
        unsettled = []
        for i, path in zip(other, paths, strict=True):
            if not isinstance(path, UserError) and path.score > found[i].score:
                found[i] = path
                unsettled.append(i)
    return found


def _paths(
    told: Sequence[tuple[Transcript, Target]], emissions: Sequence[np.ndarray], aligner: Aligner
) -> list[BestPath | UserError]:
    items = [(emission, own.ids) for emission, (_, own) in zip(emissions, told, strict=True)]
    paths = viterbi.align_many(items, aligner.blank, star_of(aligner))
    return [
        path
        if isinstance(path, UserError)
        else BestPath(transcript, own, path.score, viterbi.merge(path, own.ids))
        for path, (transcript, own) in zip(paths, told, strict=True)
    ]


def _better_readings(path: BestPath, emission: np.ndarray, aligner: Aligner) -> dict[Span, int]:
    """The readings that should replace those in use: raw span of an ambiguity -> its index.

    The first of equals is taken, which is the default reading.
    """
    better = {}
    for ambiguity in path.transcript.ambiguities:
        if holder(path.target.omitted, ambiguity.span[0]) is not None:
            continue
        found = _scores(ambiguity, path, emission, aligner)
        best = int(np.argmax(found))
        if found[best] > found[ambiguity.chosen]:
            better[ambiguity.span] = best
    return better


def _scores(
    ambiguity: Ambiguity, path: BestPath, emission: np.ndarray, aligner: Aligner
) -> np.ndarray:
    """Log-probability of the best path with each reading, nats (R,); -inf for one that is too
    long for the audio."""
    star, spans, whole = star_of(aligner), path.spans, path.target
    lo, hi = whole.places[ambiguity.first][0], whole.places[ambiguity.last - 1][1]
    frames = round(_CONTEXT / frame_seconds(aligner))
    left = min(int(np.searchsorted(spans.start, spans.start[lo] - frames)), lo)
    right = max(int(np.searchsorted(spans.end, spans.end[hi - 1] + frames, "right")), hi)
    start = int(spans.start[left]) if left else 0
    end = int(spans.end[right - 1]) if right < len(whole.ids) else len(emission)
    found = []
    for words in ambiguity.readings:
        spoken = [i for word in words for i in aligner.labels(word).ids or (star,)]
        ids = np.concatenate([whole.ids[left:lo], spoken, whole.ids[hi:right]]).astype(np.int32)
        try:
            local = viterbi.align(emission[start:end], ids, aligner.blank, star, threads=1)
            found.append(local.score)
        except UserError:
            found.append(-np.inf)
    return np.array(found)
