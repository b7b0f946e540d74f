"""The target of a forced alignment: a transcript's tokens, with stars where audio may have none."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from khmer_aligned.aligners.base import Aligner, Tokens
from khmer_aligned.errors import UserError
from khmer_aligned.schema import Problem
from khmer_aligned.text import Break, Span, Transcript

_NO_TOKENS = Tokens((), (), ())
_INVISIBLE = "\ufeff\u200b \t\r\n"


@dataclass(frozen=True, slots=True)
class Target:
    """The tokens that a path has to go through, and what they stand for.

    ids: int32 (L,), tokens and stars
    words: the tokens of each word of the transcript; none for an omitted one
    ranges: of each word, its tokens in `ids` as [first, last), or its star where it has no tokens
    stars: indices in `ids` of the stars between words
    omitted: raw spans of the phrases that are left out
    """

    transcript: Transcript
    ids: np.ndarray
    words: tuple[Tokens, ...]
    ranges: tuple[tuple[int, int], ...]
    stars: np.ndarray
    omitted: tuple[Span, ...]

    def range_of(self, first: int, last: int) -> tuple[int, int]:
        """The range in `ids` of words [first, last), with the stars between them."""
        return self.ranges[first][0], self.ranges[last - 1][1]


def make_target(transcript: Transcript, aligner: Aligner, omitted: Sequence[Span] = ()) -> Target:
    """The tokens of a transcript, with stars at both ends, at every break from a space on, and for
    words that the aligner cannot spell.

    omitted: raw spans of whole phrases, in order, to leave out; the star before them stands for
    them. Raises UserError for a transcript without a token.
    """
    words = [aligner.tokens(word) for word in transcript.words]
    if not any(word.ids for word in words):
        if not transcript.raw.strip(_INVISIBLE):
            raise UserError(Problem.EMPTY_TRANSCRIPT)
        raise UserError(
            f"the transcript holds nothing that {aligner.name} can spell",
            category=Problem.UNSPELLABLE,
        )
    star = star_id(aligner)
    ids, stars = [star], [0]
    ranges: list[tuple[int, int]] = []
    for k, word in enumerate(transcript.words):
        if span_index(omitted, word.span[0]) is not None:
            words[k] = _NO_TOKENS
            if stars[-1] != len(ids) - 1:
                stars.append(len(ids))
                ids.append(star)
            ranges.append((stars[-1], stars[-1] + 1))
            continue
        spelled = words[k].ids or (star,)
        ranges.append((len(ids), len(ids) + len(spelled)))
        ids.extend(spelled)
        if word.break_after >= Break.SPACE:
            stars.append(len(ids))
            ids.append(star)
    if stars[-1] != len(ids) - 1:
        stars.append(len(ids))
        ids.append(star)
    return Target(
        transcript,
        np.array(ids, np.int32),
        tuple(words),
        tuple(ranges),
        np.array(stars),
        tuple(omitted),
    )


def span_index(spans: Sequence[Span], position: int) -> int | None:
    """The index of the span that holds a character; the spans are in order and do not overlap."""
    k = bisect_right(spans, (position, math.inf)) - 1
    return k if k >= 0 and position < spans[k][1] else None


def star_id(aligner: Aligner) -> int:
    """The id that stands for untranscribed audio: the first one after the aligner's vocabulary."""
    return len(aligner.vocabulary)
