"""The times of captions against those of the alignment.

Captions are often late by seconds, and drift when they were made for another frame rate. Where the
two agree is a line; a caption far from it holds text that was aligned somewhere else.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from khmer_aligned.alignment.align import Alignment
from khmer_aligned.alignment.captioned import fit_line
from khmer_aligned.schema import Cue
from khmer_aligned.text import Span

_FAR = 5.0  # seconds from the line; captions are set by hand to about one
_MAX_FAR = 0.3  # share of the captions; where more are far, the times are not of this recording


@dataclass(frozen=True, slots=True)
class FarCue:
    """A caption whose text was aligned far from where the captions put it."""

    span: Span  # of the raw text
    seconds: float  # how much later it was aligned


def find_far_cues(alignment: Alignment, cues: Sequence[Cue]) -> list[FarCue]:
    """The captions that begin and end more than `_FAR` from the line through all of them."""
    starts = [word.span[0] for word in alignment.words]
    spans: list[Span] = []
    shown, spoken = [], []
    for cue in cues:
        first, last = bisect_left(starts, cue.first), bisect_left(starts, cue.last)
        indices = [k for k in range(first, last) if alignment.unspoken[k] is None]
        if indices:
            spans.append((cue.first, cue.last))
            shown.append((cue.start, cue.end))
            spoken.append((alignment.words[indices[0]].start, alignment.words[indices[-1]].end))
    if len(spans) < 3:
        return []
    late = _residuals(np.array(shown), np.array(spoken))
    far = np.abs(late).min(axis=1) > _FAR  # text without a time may stand below a caption
    if far.mean() > _MAX_FAR:
        return []
    return [FarCue(spans[k], float(late[k].mean())) for k in np.flatnonzero(far)]


def _residuals(shown: np.ndarray, spoken: np.ndarray) -> np.ndarray:
    line = fit_line(shown, spoken)
    return spoken - line.slope * shown - line.offset
