"""The quality of a piece: its figures, and the verdict on them, with the reason of a rejection.

Forced alignment finds a path through a wrong text, too. What tells is the misfit of the text, over
whole phrases and where it is worst.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Literal

import numpy as np
from rapidfuzz.distance import Levenshtein

from khmer_aligned.alignment.align import Alignment
from khmer_aligned.alignment.doubts import UNSPOKEN, why_misfit
from khmer_aligned.alignment.misfit import Misfit
from khmer_aligned.alignment.thresholds import Thresholds
from khmer_aligned.clips.cut import Piece
from khmer_aligned.schema import SAMPLE_RATE

Verdict = Literal[True] | tuple[Literal[False], str]


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of a piece of an alignment, as rejected.jsonl shows them."""

    seconds: float
    score: float  # mean probability of the tokens
    distance: float  # edits from the greedy tokens to the transcript's, per token
    misfit: float  # of its worst phrase
    worst: float  # misfit of the worst `misfit.WORST_TOKENS` tokens in a row
    limit: float  # over which a misfit is too high in this recording
    understood: bool  # whether the aligner can tell right from wrong text in this recording
    star: float  # share of the seconds that untranscribed audio takes
    unspelled: float  # share of words without a token
    rate: float  # spoken characters a second
    longest: float  # seconds of the longest token
    labels: int  # of Whisper
    fits: bool  # within the budget of labels and seconds
    unspoken: bool = False  # then score, distance and misfit are of where it had been aligned

    def as_row(self) -> dict[str, float]:
        return {name: round(value, 4) for name, value in asdict(self).items()}


def measure(alignment: Alignment, piece: Piece) -> Figures:
    """The figures of a piece of an alignment."""
    words = alignment.words[piece.first : piece.last]
    ranges = alignment.token_ranges[piece.first : piece.last]
    lo, hi = ranges[0][0], ranges[-1][1]
    tokens, expected = alignment.tokens[lo:hi], alignment.token_ids[lo:hi].tolist()
    scores = np.array([token.score for token in tokens] or [0.0])
    start, end = piece.start / SAMPLE_RATE, piece.end / SAMPLE_RATE
    greedy = alignment.acoustics.greedy_tokens(start, end)
    stars = np.clip(alignment.stars, start, end)
    characters = sum(len(word.text) for word in words)
    misfit = alignment.fit.worst_of(alignment.transcript.slice_raw(piece.first, piece.last))
    figures = Figures(
        seconds=end - start,
        score=float(scores.mean()),
        distance=Levenshtein.distance(expected, greedy) / max(1, len(expected)),
        misfit=misfit.mean,
        worst=misfit.worst,
        limit=alignment.fit.limit,
        understood=alignment.fit.understood,
        star=float((stars[:, 1] - stars[:, 0]).sum()) / max(end - start, 1e-3),
        unspelled=sum(first == last for first, last in ranges) / len(words),
        rate=characters / max(words[-1].end - words[0].start, 1e-3),
        longest=max((token.end - token.start for token in tokens), default=0.0),
        labels=piece.labels,
        fits=piece.fits,
    )
    phrases = [phrase for phrase in alignment.unspoken[piece.first : piece.last] if phrase]
    if not phrases:
        return figures
    return replace(
        figures,
        score=float(np.mean([phrase.score for phrase in phrases])),
        distance=float(np.mean([phrase.distance for phrase in phrases])),
        misfit=max(phrase.misfit for phrase in phrases),
        unspelled=0.0,
        rate=0.0,
        unspoken=True,
    )


def judge(figures: Figures, thresholds: Thresholds) -> Verdict:
    """`True` to keep the piece, or `(False, reason)`: the first rule that it breaks."""
    if figures.unspoken:
        return False, UNSPOKEN
    if figures.seconds < thresholds.min_seconds:
        return False, "too short"
    if figures.unspelled > thresholds.max_unspelled:
        return False, "holds words that the aligner cannot spell"
    if not thresholds.min_rate <= figures.rate <= thresholds.max_rate:
        return False, "text too long or too short for its audio"
    misfit = Misfit(figures.misfit, figures.worst)
    if reason := why_misfit(misfit, figures.limit, figures.understood, thresholds):
        return False, reason
    if figures.distance > thresholds.max_distance:
        return False, "the aligner hears something else"
    if not figures.fits:
        return False, "no pause to cut at within the budget of labels and seconds"
    return True
