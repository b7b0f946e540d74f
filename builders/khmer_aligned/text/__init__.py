"""Khmer text at every level: canonical, spoken, in words, romanized, with spans all the way."""

from khmer_aligned.text.breaks import Break
from khmer_aligned.text.normalize import NORMALIZER_VERSION, normalize
from khmer_aligned.text.scoring import scoring_form
from khmer_aligned.text.spans import Span
from khmer_aligned.text.transcript import Ambiguity, SpokenWord, Transcript, Unread
from khmer_aligned.text.turns import find_speakers
from khmer_aligned.text.verbalize import readings, verbalize
from khmer_aligned.text.words import SEGMENTER, words

__all__ = [
    "NORMALIZER_VERSION",
    "SEGMENTER",
    "Ambiguity",
    "Break",
    "Span",
    "SpokenWord",
    "Transcript",
    "Unread",
    "find_speakers",
    "normalize",
    "readings",
    "scoring_form",
    "verbalize",
    "words",
]
