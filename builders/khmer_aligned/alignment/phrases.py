"""The phrases of a transcript, each compared with the aligner's greedy tokens in its frames."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from rapidfuzz.distance import Levenshtein

from khmer_aligned.aligners.base import Aligner
from khmer_aligned.alignment import viterbi
from khmer_aligned.alignment.misfit import Misfit, measure_misfit
from khmer_aligned.alignment.target import Target, star_id
from khmer_aligned.text import Break, Span

_MIN_TOKENS = 15  # a shorter phrase is judged with the next one of its sentence


class Comparison(NamedTuple):
    """A phrase compared with the greedy tokens of its frames."""

    tokens: int
    score: float  # mean probability
    distance: float  # edits per token
    misfit: Misfit


@dataclass(frozen=True, slots=True)
class Frames:
    """Frames of a recording.

    emission: float32 (T, V); greedy: int32 (T,), the most probable token of each
    """

    emission: np.ndarray
    greedy: np.ndarray
    blank: int
    star: int

    @classmethod
    def of(cls, emission: np.ndarray, aligner: Aligner) -> Frames:
        """All frames of an emission (T, V)."""
        greedy = emission.argmax(axis=1).astype(np.int32)
        return cls(emission, greedy, aligner.blank, star_id(aligner))

    def slice(self, start: int, end: int) -> Frames:
        """The frames [start, end)."""
        return Frames(self.emission[start:end], self.greedy[start:end], self.blank, self.star)

    def compare(
        self, ids: np.ndarray, spans: viterbi.Spans, first: int, last: int
    ) -> Comparison | None:
        """Compare the tokens [first, last) of `ids`, aligned at `spans`, with their frames; None
        where they are stars only.

        Stars and their frames are left out on both sides.
        """
        is_star = ids[first:last] == self.star
        expected = ids[first:last][~is_star]
        if not len(expected):
            return None
        start, end = int(spans.start[first]), int(spans.end[last - 1])
        greedy = self.greedy[start:end].copy()
        for star in first + np.flatnonzero(is_star):
            greedy[spans.start[star] - start : spans.end[star] - start] = self.blank
        actual = viterbi.collapse(greedy, self.blank).tolist()
        return Comparison(
            len(expected),
            float(spans.score[first:last][~is_star].mean()),
            Levenshtein.distance(expected.tolist(), actual) / len(expected),
            measure_misfit(self.emission, expected, self.blank, start, end),
        )


def split_phrases(target: Target) -> tuple[Span, ...]:
    """Raw spans of a transcript's phrases, each up to the first word of the next."""
    starts, tokens, inside = [], 0, False
    for word, word_tokens in zip(target.transcript.words, target.words, strict=True):
        if not inside:
            starts.append(word.span[0])
            tokens, inside = 0, True
        tokens += len(word_tokens.ids)
        strong_enough = Break.SPACE if tokens >= _MIN_TOKENS else Break.SENTENCE
        inside = word.break_after < strong_enough
    ends = [*starts[1:], len(target.transcript.raw)]
    return tuple(zip(starts, ends, strict=True))


def token_ranges(target: Target, phrases: Sequence[Span]) -> list[tuple[int, int]]:
    """The tokens [first, last) of each phrase in the ids of a target."""
    starts = [word.span[0] for word in target.transcript.words]
    return [
        target.range_of(bisect_left(starts, start), bisect_left(starts, end))
        for start, end in phrases
    ]
