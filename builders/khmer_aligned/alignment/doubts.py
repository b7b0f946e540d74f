"""Stretches of an alignment that should not be trusted, each with its reason."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import groupby

from khmer_aligned.alignment.align import Alignment
from khmer_aligned.alignment.misfit import Misfit
from khmer_aligned.alignment.thresholds import Thresholds
from khmer_aligned.text import Span

UNSPOKEN = "not spoken where the transcript has it"
UNREAD = "written and not read aloud"
UNTRANSCRIBED = "speech that is not in the transcript"
MISFIT = "the audio fits other text as well"
WORST_MISFIT = "the audio fits other text as well in one place"
NOT_UNDERSTOOD = (
    "the aligner does not understand this voice or room well enough to tell right from wrong text"
)


@dataclass(frozen=True, slots=True)
class Doubt:
    """A stretch of a recording whose alignment should not be trusted, and why."""

    span: Span  # characters of the raw transcript; empty for audio without text
    start: float  # seconds
    end: float
    reason: str


def find_doubts(alignment: Alignment, thresholds: Thresholds) -> list[Doubt]:
    """The doubtful stretches of an alignment, by time: words that cannot be spelled, unspoken
    phrases, text that hardly fits, and speech without text."""
    doubts = [
        Doubt(word.span, word.start, word.end, "the aligner cannot spell it")
        for word, (lo, hi), phrase in zip(
            alignment.words, alignment.token_ranges, alignment.unspoken, strict=True
        )
        if lo == hi and phrase is None
    ]
    misfits = [_why_misfit(alignment, k, thresholds) for k in range(len(alignment.words))]
    unspoken = _doubt_runs(alignment, lambda k: alignment.unspoken[k] is not None, UNSPOKEN)
    doubts += [replace(doubt, end=doubt.start) for doubt in unspoken]
    for reason in (MISFIT, WORST_MISFIT, NOT_UNDERSTOOD):
        doubtful = [misfit == reason for misfit in misfits]
        doubts += _doubt_runs(alignment, doubtful.__getitem__, reason)
    starts = [word.start for word in alignment.words]
    places = [word.span[0] for word in alignment.words]
    for unread in alignment.transcript.omitted:
        k = bisect_left(places, unread.span[0])
        moment = starts[k] if k < len(starts) else alignment.acoustics.duration
        doubts.append(Doubt(unread.span, moment, moment, f"{UNREAD}: {unread.kind}"))
    for start, end in alignment.stars.tolist():
        speech = alignment.acoustics.speech_seconds(start, end)
        if speech > thresholds.max_untranscribed:
            k = bisect_left(starts, start)
            raw = alignment.transcript.raw
            position = alignment.words[k].span[0] if k < len(starts) else len(raw)
            doubts.append(Doubt((position, position), start, end, UNTRANSCRIBED))
    return sorted(doubts, key=lambda doubt: (doubt.start, doubt.end))


def why_misfit(
    misfit: Misfit, limit: float, understood: bool, thresholds: Thresholds
) -> str | None:
    """Why text with this misfit is not trusted in a recording; None if it is."""
    if misfit.mean > limit:
        return MISFIT if understood else NOT_UNDERSTOOD
    if misfit.worst > limit + thresholds.worst_margin:
        return WORST_MISFIT
    return None


def _doubt_runs(
    alignment: Alignment, is_doubtful: Callable[[int], bool], reason: str
) -> Iterator[Doubt]:
    """A doubt for each run of words, by index, that are doubtful."""
    for doubtful, group in groupby(range(len(alignment.words)), key=is_doubtful):
        if doubtful:
            run = [alignment.words[k] for k in group]
            span = run[0].span[0], run[-1].span[1]
            yield Doubt(span, run[0].start, run[-1].end, reason)


def _why_misfit(alignment: Alignment, k: int, thresholds: Thresholds) -> str | None:
    """Why the phrase of word k is not trusted, if it is not."""
    fit = alignment.fit
    if alignment.unspoken[k] is not None:
        return None
    return why_misfit(fit.worst_of(alignment.words[k].span), fit.limit, fit.understood, thresholds)
