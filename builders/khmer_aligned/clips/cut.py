"""An alignment into stretches that Whisper can learn from, cut at pauses.

Whisper's decoder is short of tokens long before its window is short of seconds: Khmer takes 2.24
tokens a character. So phrases are merged up to a budget of tokens first, 30 seconds second, and
the best of all ways to cut is found by dynamic programming.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from khmer_aligned.alignment.align import Alignment
from khmer_aligned.schema import MAX_CLIP_SAMPLES, SAMPLE_RATE
from khmer_aligned.text import Break

MIN_PAUSE = 0.15  # seconds between two words where a cut is allowed
MAX_SILENCE = 2.0  # seconds of pause, or
MAX_STAR = 0.3  # seconds of untranscribed speech, behind which a new clip must begin
PADDING = 0.25  # seconds of quiet kept at each end

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
    tokens: int
    fits: bool  # within the budget of tokens and seconds


def cut(
    alignment: Alignment, samples: int, count_tokens: Callable[[str, str], int], max_tokens: int
) -> list[Piece]:
    """All words of an alignment in pieces, in order.

    count_tokens: of the written and the spoken form of a stretch, the more of the two. A stretch
    without a pause that exceeds the budget stays one piece, with `fits` false.
    """
    places = _places(alignment, samples)
    transcript = alignment.transcript

    def piece(a: _Place, b: _Place) -> Piece:
        start, end = _padded(alignment, a, b)
        tokens = count_tokens(
            transcript.written(a.word, b.word), transcript.spoken_text(a.word, b.word)
        )
        fits = tokens <= max_tokens and end - start <= MAX_CLIP_SAMPLES
        return Piece(a.word, b.word, start, end, (a.sample, b.sample), tokens, fits)

    costs = [0.0] + [np.inf] * (len(places) - 1)
    best: list[Piece | None] = [None] * len(places)
    came_from = [0] * len(places)
    for i, a in enumerate(places[:-1]):
        for j in range(i + 1, len(places)):
            candidate = piece(a, places[j])
            if not candidate.fits and j > i + 1:
                break
            cost = costs[i] + _cost(candidate, places[j], max_tokens)
            if cost < costs[j]:
                costs[j], best[j], came_from[j] = cost, candidate, i
            if not candidate.fits or places[j].must:
                break
    pieces = []
    j = len(places) - 1
    while j > 0:
        pieces.append(best[j])
        j = came_from[j]
    return pieces[::-1]


@dataclass(frozen=True, slots=True)
class _Place:
    """A place to cut: before word `word`, at `sample`; `must` where no clip may go across."""

    word: int
    sample: int
    strength: Break
    must: bool


def _places(alignment: Alignment, samples: int) -> list[_Place]:
    words = alignment.words
    places = [_Place(0, 0, Break.PARAGRAPH, True)]
    for k in range(1, len(words)):
        before, after = words[k - 1], words[k]
        strength = alignment.transcript.words[k - 1].break_after
        gap = after.start - before.end
        # What was given up stays by itself.
        apart = (alignment.lost[k - 1] is None) != (alignment.lost[k] is None)
        if (strength == Break.NEVER or gap < MIN_PAUSE) and not apart:
            continue
        stars = alignment.stars
        near = stars[(stars[:, 1] > before.end) & (stars[:, 0] < after.start)]
        untranscribed = sum(alignment.energy.speech_seconds(*star) for star in near)
        must = apart or gap > MAX_SILENCE or untranscribed > MAX_STAR
        moment = alignment.energy.quietest(before.end, after.start)
        places.append(_Place(k, round(moment * SAMPLE_RATE), strength, must))
    places.append(_Place(len(words), samples, Break.PARAGRAPH, True))
    return places


def _padded(alignment: Alignment, a: _Place, b: _Place) -> tuple[int, int]:
    """Samples of the words between two places with some quiet, never past either place."""
    start = round((alignment.words[a.word].start - PADDING) * SAMPLE_RATE)
    end = round((alignment.words[b.word - 1].end + PADDING) * SAMPLE_RATE)
    start = min(max(start, a.sample), b.sample)
    return start, max(start, min(end, b.sample))


def _cost(piece: Piece, place: _Place, max_tokens: int) -> float:
    """One per clip, so that few are made; more for a weak break, a short clip, or no clip."""
    if not piece.fits:
        return _UNCUTTABLE
    emptiness = 1 - piece.tokens / max_tokens
    return 1.0 + emptiness**2 + _WEAKNESS[place.strength]
