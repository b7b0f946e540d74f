"""The target of a forced alignment: a transcript's labels, with stars where audio may have none."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from khmer_aligned.aligners.base import Aligner, Labels
from khmer_aligned.errors import UserError
from khmer_aligned.text import Break, Span, Transcript

_NO_LABELS = Labels((), (), ())


@dataclass(frozen=True, slots=True)
class Target:
    """ids: int32 (L,), what the path is looked for; words: the labels of each word; places: of
    each word in ids, [first, last), or of its star where it has no labels; stars: places in ids of
    the stars between words; omitted: raw spans of the phrases that are left out."""

    ids: np.ndarray
    words: tuple[Labels, ...]
    places: tuple[tuple[int, int], ...]
    stars: np.ndarray
    omitted: tuple[Span, ...]

    def range(self, first: int, last: int) -> Span:
        """Places in ids of words [first, last), stars between them included."""
        return self.places[first][0], self.places[last - 1][1]


def target(
    transcript: Transcript, aligner: Aligner, omitted: Sequence[Span] = ()
) -> Target | UserError:
    """Stars stand at both ends, at breaks from a space on, and for words that cannot be spelled.

    omitted: raw spans of whole phrases, in order, that are left out for the star before them.
    """
    words = tuple(aligner.labels(word) for word in transcript.words)
    if not any(labels.ids for labels in words):
        if not transcript.raw.strip("\ufeff\u200b \t\r\n"):
            return UserError("the transcript is empty")
        return UserError(f"the transcript holds nothing that {aligner.name} can spell")
    star = star_of(aligner)
    ids, places, stars, heard = [star], [], [0], []
    for word, labels in zip(transcript.words, words, strict=True):
        if holder(omitted, word.span[0]) is not None:
            places.append((stars[-1], stars[-1] + 1))
            heard.append(_NO_LABELS)
            continue
        places.append((len(ids), len(ids) + (len(labels.ids) or 1)))
        heard.append(labels)
        ids.extend(labels.ids or (star,))
        if word.break_after >= Break.SPACE:
            stars.append(len(ids))
            ids.append(star)
    if stars[-1] != len(ids) - 1:
        stars.append(len(ids))
        ids.append(star)
    return Target(
        np.array(ids, np.int32), tuple(heard), tuple(places), np.array(stars), tuple(omitted)
    )


def holder(spans: Sequence[Span], position: int) -> int | None:
    """The index of the span, of some in order, that holds a character."""
    k = bisect_right(spans, (position, math.inf)) - 1
    return k if k >= 0 and position < spans[k][1] else None


def star_of(aligner: Aligner) -> int:
    """The label that stands for untranscribed audio: one past the aligner's own."""
    return len(aligner.vocabulary)
