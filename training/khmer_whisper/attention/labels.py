"""Labels of a text and its characters: when each word begins, from when each label does."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from tokenizers import Tokenizer

from khmer_aligned.text import Span
from khmer_whisper.labels import Labeller


def label_bytes(labeller: Labeller, labels: Sequence[int]) -> np.ndarray:
    """How many bytes of UTF-8 each label (L,) writes: a symbol of an entry is a byte."""
    tokenizer: Tokenizer = labeller.tokenizer.backend_tokenizer
    return np.array([len(tokenizer.id_to_token(label) or "") for label in labels], np.int64)


def span_times(
    text: str, spans: Sequence[Span], sizes: np.ndarray, starts: np.ndarray
) -> np.ndarray:
    """Seconds (S, 2) of spans of `text`, whose labels write `sizes` (L,) bytes each.

    starts: (L + 1,) when each label begins, and the last one ends. A label may hold parts of two
    words; a word then begins within it, by its share of the bytes.
    """
    edges = np.concatenate([[0], np.cumsum(sizes)])
    before = np.concatenate([[0], np.cumsum([len(character.encode()) for character in text])])
    places = before[np.array(spans, np.int64).reshape(-1, 2)]
    return np.interp(places, edges, starts)
