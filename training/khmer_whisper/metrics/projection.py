"""The reference words that a hypothesis gets wrong, of which only the reference's are known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

_EDIT = 1 << 32  # the cost of an edit; below it the words hit are counted
_NEVER = 1 << 60


class Hits(NamedTuple):
    """What separates a hypothesis from its reference."""

    edits: int  # the Levenshtein distance in characters
    words: int  # the fewest reference words that hold these edits


def count_hits(words: Sequence[str], hypothesis: str) -> Hits:
    """The fewest words hit by an edit, over all alignments of characters with the fewest edits.

    words: the reference, segmented; none of them empty. A word is hit by a substitution or
    deletion of one of its characters, or an insertion after one; characters inserted at the very
    start hit the first word. A reference without words has none to hit.

    Two alignments with as few edits can hit different words, so the count is part of what is
    minimized: edits first, words second. The state is (reference characters, hypothesis
    characters, whether the word at hand is hit); a row of it is one array operation, so the time
    is that of a Levenshtein distance.
    """
    if not words:
        return Hits(len(hypothesis), 0)
    letters = np.array([ord(letter) for letter in hypothesis], np.int64)
    inserted = np.arange(len(letters) + 1) * _EDIT
    clean = np.full(len(letters) + 1, _NEVER)  # the word at hand is not hit
    clean[0] = 0
    hit = inserted + 1
    hit[0] = _NEVER
    for position, word in enumerate(words):
        if position:  # no word is hit yet; the one before keeps its count
            clean, hit = np.minimum(clean, hit), np.full_like(hit, _NEVER)
        for letter in word:
            same = letters == ord(letter)
            edited = np.minimum(clean + 1, hit) + _EDIT
            hit[1:] = np.minimum(edited[1:], np.where(same, hit[:-1], edited[:-1]))
            hit[0] = edited[0]
            clean[1:] = np.where(same, clean[:-1], _NEVER)
            clean[0] = _NEVER
            before = np.minimum.accumulate(np.minimum(clean + 1, hit) - inserted)
            hit[1:] = np.minimum(hit[1:], before[:-1] + inserted[1:])
    cost = int(min(clean[-1], hit[-1]))
    return Hits(cost // _EDIT, cost % _EDIT)
