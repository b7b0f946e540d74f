"""A long text as the aligner's tokens, and where each run of them occurs in it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from khmer_aligned.aligners.base import Aligner
from khmer_aligned.text import Break, Span, Transcript

_SEED = 5  # tokens of a seed
_LONG_TEXT, _LONG_SEED = 1 << 18, 6  # tokens of a text in which shorter seeds are everywhere
_PIECE = 4_000  # characters of text that are read at once


@dataclass(frozen=True, slots=True, eq=False)
class TextIndex:
    """The tokens of a text, and where each run of them occurs.

    raw: the text; tokens: int64 (m,); spans: int64 (m, 2), their characters in the raw text;
    phrases: int64, the characters at which phrases begin, and the text's end
    codes: int64, the runs of `size` tokens as numbers, sorted; places: where each of them begins
    ids: int64, sorted, the tokens that occur: the digits of a code
    """

    raw: str
    tokens: np.ndarray
    spans: np.ndarray
    phrases: np.ndarray
    size: int
    ids: np.ndarray
    codes: np.ndarray
    places: np.ndarray


@lru_cache(maxsize=4)
def index_text(raw: str, aligner: Aligner) -> TextIndex:
    """The tokens of a text for `find_passage`, kept: 60,000 characters take about a second."""
    tokens: list[int] = []
    spans: list[Span] = []
    phrases = [0]
    for start, piece in _pieces(raw):
        for word in Transcript.from_text(piece).words:
            spelled = aligner.tokens(word)
            tokens += spelled.ids
            spans += [(start + first, start + last) for first, last in spelled.spans]
            if word.break_after >= Break.SPACE:
                phrases.append(start + word.slot[1])
    return make_index(
        raw,
        np.array(tokens, np.int64),
        np.array(spans, np.int64).reshape(-1, 2),
        np.unique([*phrases, len(raw)]),
    )


def make_index(raw: str, tokens: np.ndarray, spans: np.ndarray, phrases: np.ndarray) -> TextIndex:
    """The index of a text by its tokens (m,), int64, and the rest as in `TextIndex`."""
    ids = np.unique(tokens)
    size = _SEED if len(tokens) < _LONG_TEXT else _LONG_SEED
    codes = encode_runs(tokens, ids, size)
    places = np.argsort(codes, kind="stable")
    return TextIndex(raw, tokens, spans, phrases, size, ids, codes[places], places)


def _pieces(raw: str) -> Iterator[tuple[int, str]]:
    """The text in pieces that end at a line's end, else at a space, with their places."""
    start = 0
    while start < len(raw):
        end = len(raw)
        if start + 2 * _PIECE < end:
            ends = [raw.rfind(mark, start, start + _PIECE) for mark in "\n។ "]
            end = 1 + next((k for k in ends if k > start), start + _PIECE - 1)
        yield start, raw[start:end]
        start = end


def encode_runs(tokens: np.ndarray, ids: np.ndarray, size: int) -> np.ndarray:
    """Each run of `size` tokens (n,) as a number, (n - size + 1,); -1 for a run with a token that
    is not among `ids`."""
    digits = np.searchsorted(ids, tokens)
    known = digits < len(ids)
    known[known] = ids[digits[known]] == tokens[known]
    count = max(0, len(tokens) - size + 1)
    codes = np.zeros(count, np.int64)
    whole = np.ones(count, bool)
    for k in range(size):
        codes = codes * (len(ids) + 1) + digits[k : k + count]
        whole &= known[k : k + count]
    codes[~whole] = -1
    return codes
