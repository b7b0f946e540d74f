"""Keep a stretch, or say why not: `True`, or `(False, reason)`, with the figures of either.

Forced alignment always finds a path, through the wrong text too. What tells is how probable the
path is, where it is worst, and how far the model's own hearing is from what it was told.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import asdict, dataclass, replace
from itertools import groupby

import numpy as np
from rapidfuzz.distance import Levenshtein

from khmer_aligned.alignment.align import Alignment
from khmer_aligned.alignment.thresholds import Thresholds
from khmer_aligned.clips.cut import Piece
from khmer_aligned.schema import SAMPLE_RATE
from khmer_aligned.text import Span

WORST_TOKENS = 15  # about a second of speech
MAX_UNTRANSCRIBED = 0.3  # seconds of speech without text that are worth a word
UNTRANSCRIBED = "speech that is not in the transcript"
GIVEN_UP = "not spoken where the transcript has it"

Verdict = bool | tuple[bool, str]


@dataclass(frozen=True, slots=True)
class Figures:
    """What is known of a stretch of an alignment; rejected.jsonl shows it."""

    seconds: float
    score: float  # mean probability of the tokens
    worst: float  # lowest mean over WORST_TOKENS tokens in a row
    distance: float  # edits from the model's own labels to the transcript's, per label
    star: float  # share of the seconds that untranscribed audio takes
    unspelled: float  # share of words without a label
    rate: float  # spoken characters a second
    longest: float  # seconds of the longest token
    tokens: int  # labels of Whisper
    fits: bool  # within the budget of tokens and seconds
    given_up: bool = False  # and score, worst and distance are those of where it had been put

    def as_row(self) -> dict[str, float]:
        return {name: round(value, 4) for name, value in asdict(self).items()}


def measure(alignment: Alignment, piece: Piece) -> Figures:
    """The figures of a piece of an alignment."""
    first, last = piece.first, piece.last
    lo, hi = alignment.token_ranges[first][0], alignment.token_ranges[last - 1][1]
    scores = np.array([token.score for token in alignment.tokens[lo:hi]] or [0.0])
    told = alignment.token_ids[lo:hi].tolist()
    start, end = piece.start / SAMPLE_RATE, piece.end / SAMPLE_RATE
    distance = Levenshtein.distance(told, alignment.heard(start, end)) / max(1, len(told))
    unspelled = sum(a == b for a, b in alignment.token_ranges[first:last])
    stars = np.clip(alignment.stars, start, end)
    speech = alignment.words[last - 1].end - alignment.words[first].start
    letters = len("".join(word.text for word in alignment.words[first:last]))
    figures = Figures(
        seconds=end - start,
        score=float(scores.mean()),
        worst=float(_running_mean(scores).min()),
        distance=distance,
        star=float((stars[:, 1] - stars[:, 0]).sum()) / max(end - start, 1e-3),
        unspelled=unspelled / (last - first),
        rate=letters / max(speech, 1e-3),
        longest=max((t.end - t.start for t in alignment.tokens[lo:hi]), default=0.0),
        tokens=piece.tokens,
        fits=piece.fits,
    )
    lost = [each for each in alignment.lost[first:last] if each]
    if not lost:
        return figures
    return replace(
        figures,
        score=float(np.mean([each.score for each in lost])),
        worst=min(each.score for each in lost),
        distance=float(np.mean([each.distance for each in lost])),
        unspelled=0.0,
        rate=0.0,
        given_up=True,
    )


def judge(figures: Figures, limits: Thresholds) -> Verdict:
    """`True` to keep, or `(False, reason)`."""
    if figures.given_up:
        return False, GIVEN_UP
    if figures.seconds < limits.min_seconds:
        return False, "too short"
    if figures.unspelled > limits.max_unspelled:
        return False, "holds words that the aligner cannot spell"
    if not limits.min_rate <= figures.rate <= limits.max_rate:
        return False, "text too long or too short for its audio"
    if figures.distance > limits.max_distance:
        return False, "the aligner hears something else"
    if figures.score < limits.min_score:
        return False, "low alignment score"
    if figures.worst < limits.min_worst_score:
        return False, "low alignment score in one place"
    if not figures.fits:
        return False, "no pause to cut at within the budget of tokens and seconds"
    return True


@dataclass(frozen=True, slots=True)
class Doubt:
    """A stretch of a recording whose alignment should not be trusted, and why."""

    span: Span  # characters of the raw transcript; empty for audio without text
    start: float  # seconds
    end: float
    reason: str


def doubts(alignment: Alignment, limits: Thresholds) -> list[Doubt]:
    """What `align` reports beside its words, in the order of the recording."""
    words, ranges = alignment.words, alignment.token_ranges
    found = [
        Doubt(word.span, word.start, word.end, "the aligner cannot spell it")
        for word, (lo, hi), lost in zip(words, ranges, alignment.lost, strict=True)
        if lo == hi and lost is None
    ]
    for given_up, group in groupby(range(len(words)), key=lambda k: alignment.lost[k] is not None):
        if given_up:
            own = [words[k] for k in group]
            span = own[0].span[0], own[-1].span[1]
            found.append(Doubt(span, own[0].start, own[0].start, GIVEN_UP))
    scores = np.array([token.score for token in alignment.tokens])
    means = _running_mean(scores)
    low = np.zeros(len(scores), bool)
    for start in np.flatnonzero(means < limits.min_worst_score):
        low[start : start + len(scores) - len(means) + 1] = True
    touched = [bool(low[lo:hi].any()) for lo, hi in ranges]
    for doubtful, group in groupby(range(len(words)), key=touched.__getitem__):
        if doubtful:
            own = [words[k] for k in group]
            span = own[0].span[0], own[-1].span[1]
            found.append(Doubt(span, own[0].start, own[-1].end, "low alignment score"))
    starts = [word.start for word in words]
    for start, end in alignment.stars.tolist():
        if alignment.energy.speech_seconds(start, end) > MAX_UNTRANSCRIBED:
            k = bisect_left(starts, start)
            place = words[k].span[0] if k < len(words) else len(alignment.transcript.raw)
            found.append(Doubt((place, place), start, end, UNTRANSCRIBED))
    return sorted(found, key=lambda doubt: (doubt.start, doubt.end))


def _running_mean(scores: np.ndarray) -> np.ndarray:
    """The mean of each run of WORST_TOKENS scores; of all of them where they are fewer."""
    window = min(WORST_TOKENS, len(scores))
    return np.convolve(scores, np.full(window, 1 / window), mode="valid")
