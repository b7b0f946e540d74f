"""Tokens at the edge of a line that strayed from it, moved back.

A last consonant is hardly audible in noise. There the path gives it the frame in which it is least
improbable, seconds behind its word, in a pause or in speech that the transcript does not hold, and
the blanks on the way cost less than a star. The same happens to the first tokens of a line.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from khmer_aligned.aligners.base import Aligner, frame_seconds
from khmer_aligned.alignment import viterbi
from khmer_aligned.alignment.readings import BestPath
from khmer_aligned.alignment.target import star_id

_EDGE_TOKENS = 4
# Seconds between two tokens without a break in the text. Of 36 such gaps over 0.9 s in noise of 5
# and 10 dB none was inside a line; clean lines had none over 0.7 s.
_MIN_GAP = 0.8
_TOKEN_SECONDS = 0.24  # room for each token that moves


class _Stray(NamedTuple):
    """Tokens [lo, hi), and the frames [first, last) that they are moved into."""

    lo: int
    hi: int
    first: int
    last: int


def pull_in_strays(path: BestPath, emission: np.ndarray, aligner: Aligner) -> BestPath:
    """The path with the tokens at the edges of each line moved next to the rest of their line,
    where a gap of 0.8 s or more had come between them; emission: (T, V)."""
    seconds = frame_seconds(aligner)
    min_gap, room = round(_MIN_GAP / seconds), round(_TOKEN_SECONDS / seconds)
    spans = viterbi.Spans(path.spans.start.copy(), path.spans.end.copy(), path.spans.score.copy())
    for lo, hi in _lines(path.target.ids, star_id(aligner)):
        gaps = spans.start[lo + 1 : hi] - spans.end[lo : hi - 1]
        wide = lo + 1 + np.flatnonzero(gaps >= min_gap)
        late = wide[wide >= hi - _EDGE_TOKENS]
        if len(late):  # tokens [late[0], hi) belong behind the one before them
            first = int(spans.end[late[0] - 1])
            last = min(first + room * int(hi - late[0]), int(spans.end[hi - 1]))
            _align_again(
                _Stray(int(late[0]), hi, first, last),
                spans,
                path.target.ids,
                emission,
                aligner.blank,
            )
        early = wide[wide <= lo + _EDGE_TOKENS]
        early = early[early < (late[0] if len(late) else hi)]
        if len(early):  # tokens [lo, early[-1]) belong before the one behind them
            last = int(spans.start[early[-1]])
            first = max(last - room * int(early[-1] - lo), int(spans.start[lo]))
            _align_again(
                _Stray(lo, int(early[-1]), first, last),
                spans,
                path.target.ids,
                emission,
                aligner.blank,
            )
    return replace(path, spans=spans)


def _lines(ids: np.ndarray, star: int) -> Iterator[tuple[int, int]]:
    """The tokens [first, last) between two stars, where there are enough for two edges."""
    stars = np.flatnonzero(ids == star).tolist()
    for before, after in pairwise(stars):
        if after - before > 2 * _EDGE_TOKENS:
            yield before + 1, after


def _align_again(
    stray: _Stray, spans: viterbi.Spans, ids: np.ndarray, emission: np.ndarray, blank: int
) -> None:
    """Set the spans of stray tokens to where they are best in their new frames."""
    tokens = slice(stray.lo, stray.hi)
    local = viterbi.align(emission[stray.first : stray.last], ids[tokens], blank, threads=1)
    moved = viterbi.merge(local, ids[tokens])
    spans.start[tokens], spans.end[tokens] = stray.first + moved.start, stray.first + moved.end
    spans.score[tokens] = moved.score
