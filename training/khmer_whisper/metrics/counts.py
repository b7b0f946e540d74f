"""Errors per clip, counted; nothing here divides.

Both sides are brought to the scoring form first (canonical, read aloud, without spaces and
punctuation), so that code point order, digits, the repetition sign and spacing never decide.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import jiwer
import numpy as np

from khmer_aligned.text import scoring_form, verbalize, words


@dataclass(frozen=True, slots=True)
class Counts:
    """Errors and reference units of n clips: two int64 arrays of shape (n,)."""

    errors: np.ndarray
    totals: np.ndarray

    def __len__(self) -> int:
        return len(self.errors)


def characters(references: Sequence[str], hypotheses: Sequence[str]) -> Counts:
    """Levenshtein edits between the scoring forms, over the characters of the reference.

    An empty reference has no characters, and each character of its hypothesis is an error; an
    empty hypothesis makes every character of its reference one.
    """
    return _edits(
        [[*scoring_form(r)] for r in references], [[*scoring_form(h)] for h in hypotheses]
    )


def projected_words(references: Sequence[str], hypotheses: Sequence[str]) -> Counts:
    """Reference words that hold at least one edit, when characters are aligned.

    Only the reference is segmented; where the hypothesis puts its word boundaries is never
    guessed. Characters inserted between two words belong to the word before them (to the first
    word when nothing stands before). Errors never exceed words: a hypothesis that runs on is
    seen by `characters`. An empty reference counts nothing.
    """
    segmented = [scored_words(reference) for reference in references]
    alignments = _alignments(
        [[*"".join(words_)] for words_ in segmented], [[*scoring_form(h)] for h in hypotheses]
    )
    errors = []
    for words_, chunks in zip(segmented, alignments, strict=True):
        owner = [i for i, word in enumerate(words_) for _ in word]  # character -> its word
        wrong: set[int] = set()
        for chunk in chunks if words_ else []:
            if chunk.type == "insert":
                wrong.add(owner[max(chunk.ref_start_idx - 1, 0)])
            elif chunk.type != "equal":
                wrong.update(owner[chunk.ref_start_idx : chunk.ref_end_idx])
        errors.append(len(wrong))
    return Counts(np.array(errors, np.int64), np.array([len(w) for w in segmented], np.int64))


def segmented_words(references: Sequence[str], hypotheses: Sequence[str]) -> Counts:
    """Word edits with both sides cut by the same segmenter: what others publish as WER.

    The segmenter's own mistakes on a wrong hypothesis are counted as errors of the recognizer.
    Empty sides are counted as in `characters`.
    """
    return _edits([scored_words(r) for r in references], [scored_words(h) for h in hypotheses])


def scored_words(text: str) -> list[str]:
    """The words of `text` read aloud, without punctuation; joined they are its scoring form."""
    stripped = [scoring_form(word) for word in words(verbalize(text))]
    return [word for word in stripped if word]


def _edits(references: list[list[str]], hypotheses: list[list[str]]) -> Counts:
    errors = [
        sum(
            max(c.ref_end_idx - c.ref_start_idx, c.hyp_end_idx - c.hyp_start_idx)
            for c in chunks
            if c.type != "equal"
        )
        for chunks in _alignments(references, hypotheses)
    ]
    return Counts(np.array(errors, np.int64), np.array([len(r) for r in references], np.int64))


def _alignments(
    references: list[list[str]], hypotheses: list[list[str]]
) -> list[list[jiwer.AlignmentChunk]]:
    """One Levenshtein alignment per pair, of units as they are: jiwer's transforms would split."""
    return jiwer.process_words(references, hypotheses, _as_is, _as_is).alignments


def _as_is(units: list[list[str]]) -> list[list[str]]:
    return units
