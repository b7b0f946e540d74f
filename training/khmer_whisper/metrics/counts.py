"""Counts of errors, clip by clip; rates are in `rates`.

Both sides are converted to the scoring form first (canonical, read aloud, without spaces and
punctuation), so that code point order, digits, the repetition sign and spacing do not count.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import jiwer
import numpy as np

from khmer_aligned.text import scoring_form, verbalize, words
from khmer_whisper.metrics.projection import count_hits


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
    """Reference words with an edit: the fewest over all cheapest alignments of characters.

    Only the reference is segmented, so no word boundaries of the hypothesis are guessed.
    Characters inserted between two words belong to the word before them, at the start to the
    first word; see `projection.count_hits`. Errors never exceed words: a hypothesis that does not
    end shows in `characters`. An empty reference has no words and no errors.
    """
    segmented = [scored_words(reference) for reference in references]
    errors = [
        count_hits(segments, scoring_form(hypothesis)).words
        for segments, hypothesis in zip(segmented, hypotheses, strict=True)
    ]
    return Counts(np.array(errors, np.int64), np.array([len(w) for w in segmented], np.int64))


def segmented_words(references: Sequence[str], hypotheses: Sequence[str]) -> Counts:
    """Word edits with both sides segmented by the same segmenter, which others publish as WER.

    Mistakes of the segmenter on a wrong hypothesis count as errors of the recognizer. Empty sides
    count as in `characters`.
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
        for chunks in _align(references, hypotheses)
    ]
    return Counts(np.array(errors, np.int64), np.array([len(r) for r in references], np.int64))


def _align(
    references: list[list[str]], hypotheses: list[list[str]]
) -> list[list[jiwer.AlignmentChunk]]:
    """One Levenshtein alignment per pair of lists of units, characters or words."""
    keep = cast(jiwer.Compose, _keep_units)  # any callable will do
    return jiwer.process_words(
        cast(list[str], references), cast(list[str], hypotheses), keep, keep
    ).alignments


def _keep_units(units: list[list[str]]) -> list[list[str]]:
    """A transform for jiwer, whose own ones would split strings into words."""
    return units
