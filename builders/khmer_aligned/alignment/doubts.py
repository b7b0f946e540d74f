"""Stretches of an alignment that should not be trusted, each with its reason."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np

from khmer_aligned.alignment.align import Alignment
from khmer_aligned.alignment.thresholds import Thresholds
from khmer_aligned.text import Span

WORST_TOKENS = 15  # about a second of speech
UNSPOKEN = "not spoken where the transcript has it"
UNREAD = "written and not read aloud"
UNTRANSCRIBED = "speech that is not in the transcript"


@dataclass(frozen=True, slots=True)
class Doubt:
    """A stretch of a recording whose alignment should not be trusted, and why."""

    span: Span  # characters of the raw transcript; empty for audio without text
    start: float  # seconds
    end: float
    reason: str


def find_doubts(alignment: Alignment, thresholds: Thresholds) -> list[Doubt]:
    """The doubtful stretches of an alignment, by time: words that cannot be spelled, unspoken
    phrases, low scores, and speech without text."""
    doubts = [
        Doubt(word.span, word.start, word.end, "the aligner cannot spell it")
        for word, (lo, hi), phrase in zip(
            alignment.words, alignment.token_ranges, alignment.unspoken, strict=True
        )
        if lo == hi and phrase is None
    ]
    unspoken = _doubt_runs(alignment, lambda k: alignment.unspoken[k] is not None, UNSPOKEN)
    doubts += [replace(doubt, end=doubt.start) for doubt in unspoken]
    low = _low_words(alignment, thresholds.min_worst_score)
    doubts += _doubt_runs(alignment, low.__getitem__, "low alignment score")
    starts = [word.start for word in alignment.words]
    places = [word.span[0] for word in alignment.words]
    for unread in alignment.transcript.omitted:
        k = bisect_left(places, unread.span[0])
        moment = starts[k] if k < len(starts) else alignment.acoustics.duration
        doubts.append(Doubt(unread.span, moment, moment, f"{UNREAD}: {unread.kind}"))
    for start, end in alignment.stars.tolist():
        speech = alignment.acoustics.energy.speech_seconds(start, end)
        if speech > thresholds.max_untranscribed:
            k = bisect_left(starts, start)
            raw = alignment.transcript.raw
            position = alignment.words[k].span[0] if k < len(starts) else len(raw)
            doubts.append(Doubt((position, position), start, end, UNTRANSCRIBED))
    return sorted(doubts, key=lambda doubt: (doubt.start, doubt.end))


def running_mean(scores: np.ndarray) -> np.ndarray:
    """The mean of each `WORST_TOKENS` scores in a row; of all (n,) where they are fewer."""
    window = min(WORST_TOKENS, len(scores))
    return np.convolve(scores, np.full(window, 1 / window), mode="valid")


def _doubt_runs(
    alignment: Alignment, is_doubtful: Callable[[int], bool], reason: str
) -> Iterator[Doubt]:
    """A doubt for each run of words, by index, that are doubtful."""
    for doubtful, group in groupby(range(len(alignment.words)), key=is_doubtful):
        if doubtful:
            run = [alignment.words[k] for k in group]
            span = run[0].span[0], run[-1].span[1]
            yield Doubt(span, run[0].start, run[-1].end, reason)


def _low_words(alignment: Alignment, min_worst_score: float) -> list[bool]:
    """Whether each word has a token in a run of `WORST_TOKENS` whose mean score is too low."""
    scores = np.array([token.score for token in alignment.tokens])
    means = running_mean(scores)
    low = np.zeros(len(scores), bool)
    for start in np.flatnonzero(means < min_worst_score):
        low[start : start + len(scores) - len(means) + 1] = True
    return [bool(low[lo:hi].any()) for lo, hi in alignment.token_ranges]
