"""The target of a forced alignment: a transcript's labels, with stars where audio may have none."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from khmer_aligned.aligners.base import Aligner, Labels
from khmer_aligned.schema import UserError
from khmer_aligned.text import Break, Transcript


@dataclass(frozen=True, slots=True)
class Target:
    """ids: int32 (L,), what the path is looked for; words: the labels of each word; places: of
    each word in ids, [first, last), or of its star where it has no labels; stars: places in ids of
    the stars between words."""

    ids: np.ndarray
    words: tuple[Labels, ...]
    places: tuple[tuple[int, int], ...]
    stars: np.ndarray


def target(transcript: Transcript, aligner: Aligner) -> Target | UserError:
    """Stars stand at both ends, at breaks from a space on, and for words that cannot be spelled."""
    words = tuple(aligner.labels(word) for word in transcript.words)
    if not any(labels.ids for labels in words):
        if not transcript.raw.strip("\ufeff\u200b \t\r\n"):
            return UserError("the transcript is empty")
        return UserError(f"the transcript holds nothing that {aligner.name} can spell")
    star = star_of(aligner)
    ids, places, stars = [star], [], [0]
    for word, labels in zip(transcript.words, words, strict=True):
        places.append((len(ids), len(ids) + (len(labels.ids) or 1)))
        ids.extend(labels.ids or (star,))
        if word.break_after >= Break.SPACE:
            stars.append(len(ids))
            ids.append(star)
    if stars[-1] != len(ids) - 1:
        stars.append(len(ids))
        ids.append(star)
    return Target(np.array(ids, np.int32), words, tuple(places), np.array(stars))


def star_of(aligner: Aligner) -> int:
    """The label that stands for untranscribed audio: one past the aligner's own."""
    return len(aligner.vocabulary)
