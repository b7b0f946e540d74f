"""An alignment into stretches that Whisper can learn from, cut at pauses.

Whisper's decoder is full before its window is: Khmer takes 2.24 labels a character. So phrases are
merged up to a budget of labels, and to 30 seconds, and the best of all ways to cut is found by
dynamic programming.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from khmer_aligned.alignment.align import Alignment
from khmer_aligned.alignment.thresholds import Thresholds
from khmer_aligned.schema import MAX_CLIP_SAMPLES, SAMPLE_RATE
from khmer_aligned.text import Break

PADDING = 0.25  # seconds of quiet kept at each end
# In noise the path walks through speech without text on blanks, and not on a star: there the greedy
# tokens tell that there is some.
_TOKENS_A_SECOND = 12

_WEAKNESS = {  # what a cut at each kind of break costs, in clips
    Break.PARAGRAPH: 0.0,
    Break.SENTENCE: 0.05,
    Break.COLON: 0.2,
    Break.SPACE: 0.3,
    Break.WORD: 0.6,
}
_UNCUTTABLE = 1000.0  # cost of a stretch that is over the budget, more than any cut


@dataclass(frozen=True, slots=True)
class Piece:
    """Words [first, last) and their samples [start, end) in the recording.

    `region` is the piece and the quiet around it; the regions of a recording tile it.
    """

    first: int
    last: int
    start: int
    end: int
    region: tuple[int, int]
    labels: int
    fits: bool  # within the budget of labels and seconds


@dataclass(frozen=True, slots=True)
class _Place:
    """A place to cut: before word `word`, at `sample`; `must` where no clip may go across."""

    word: int
    sample: int
    strength: Break
    must: bool


def cut(
    alignment: Alignment,
    samples: int,
    count_labels: Callable[[str, str], int],
    max_labels: int,
    thresholds: Thresholds,
) -> list[Piece]:
    """All words of an alignment in pieces, in order.

    samples: of the recording; count_labels: the labels of a stretch, given its written and its
    spoken form. A stretch over the budget without a pause stays one piece, with `fits` false.
    """
    places = _find_places(alignment, samples, thresholds)
    transcript = alignment.transcript

    def make_piece(a: _Place, b: _Place) -> Piece:
        start, end = _pad(alignment, a, b)
        labels = count_labels(
            transcript.written(a.word, b.word), transcript.spoken_text(a.word, b.word)
        )
        fits = labels <= max_labels and end - start <= MAX_CLIP_SAMPLES
        return Piece(a.word, b.word, start, end, (a.sample, b.sample), labels, fits)

    costs = [0.0] + [np.inf] * (len(places) - 1)
    best: dict[int, tuple[int, Piece]] = {}  # place -> the place before it, the piece between
    for i, place in enumerate(places[:-1]):
        for j in range(i + 1, len(places)):
            piece = make_piece(place, places[j])
            if not piece.fits and j > i + 1:
                break
            cost = costs[i] + _cost(piece, places[j], max_labels)
            if cost < costs[j]:
                costs[j], best[j] = cost, (i, piece)
            if not piece.fits or places[j].must:
                break
    pieces = []
    j = len(places) - 1
    while j > 0:
        j, piece = best[j]
        pieces.append(piece)
    return pieces[::-1]


def _find_places(alignment: Alignment, samples: int, thresholds: Thresholds) -> list[_Place]:
    """Where the recording may be cut, its two ends included."""
    words, stars, energy = alignment.words, alignment.stars, alignment.acoustics.energy
    speakers = alignment.transcript.speakers
    places = [_Place(0, 0, Break.PARAGRAPH, True)]
    for k in range(1, len(words)):
        before, after = words[k - 1], words[k]
        strength = alignment.transcript.words[k - 1].break_after
        gap = after.start - before.end
        # Unspoken words stay by themselves.
        apart = (alignment.unspoken[k - 1] is None) != (alignment.unspoken[k] is None)
        if (strength == Break.NEVER or gap < thresholds.min_pause) and not apart:
            continue
        between = stars[(stars[:, 1] > before.end) & (stars[:, 0] < after.start)]
        untranscribed = sum(energy.speech_seconds(start, end) for start, end in between)
        spoken = len(alignment.acoustics.greedy_tokens(before.end, after.start))
        must = (
            apart
            or speakers[k - 1] != speakers[k]
            or gap > thresholds.max_pause
            or untranscribed > thresholds.max_untranscribed
            or spoken > thresholds.max_untranscribed * _TOKENS_A_SECOND
        )
        moment = energy.quietest_moment(before.end, after.start)
        places.append(_Place(k, round(moment * SAMPLE_RATE), strength, must))
    places.append(_Place(len(words), samples, Break.PARAGRAPH, True))
    return places


def _pad(alignment: Alignment, a: _Place, b: _Place) -> tuple[int, int]:
    """Samples of the words between two places with some quiet, never past either place."""
    start = round((alignment.words[a.word].start - PADDING) * SAMPLE_RATE)
    end = round((alignment.words[b.word - 1].end + PADDING) * SAMPLE_RATE)
    start = min(max(start, a.sample), b.sample)
    return start, max(start, min(end, b.sample))


def _cost(piece: Piece, place: _Place, max_labels: int) -> float:
    """One per clip, so that few are made; more for a weak break, a short clip, or no clip."""
    if not piece.fits:
        return _UNCUTTABLE
    emptiness = 1 - piece.labels / max_labels
    return 1.0 + emptiness**2 + _WEAKNESS[place.strength]
