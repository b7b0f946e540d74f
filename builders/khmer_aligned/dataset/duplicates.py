"""The same sentence in train and in validation or test: found, so that train can be rid of it.

Texts are compared as letters: canonical, without spaces, punctuation and zero-width characters. A
clip of train is a duplicate where its letters are nearly those of a held-out clip, or contain
nearly all of one of its sentences. Only held-out texts are indexed: of each a few rare six-letter
pieces, one of each quarter, so that a changed word leaves some. What shares pieces is compared by
edit distance.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from rapidfuzz import fuzz, process

# The share of letters in common. Of 2,899 different sentences that were read for one corpus, 7
# pairs share 95 % (a word more or less), 14 more share 90 % (one word is another), then come
# sentences of the same form only: 22 pairs from 85 %, 46 from 80 %.
MIN_SIMILARITY = 0.9
# Letters. Shorter texts are words and greetings, a second of speech: people say them anyway, and a
# corpus of words read by many speakers would be left with nothing to train on. The shortest of the
# sentences above has 12.
MIN_LETTERS = 12
# A sentence of that many letters is looked for inside of longer texts, nearly whole. From 20
# letters and 90 % on, 46 of the 2,899 sentences hold another, most of them only its beginning.
MIN_CONTAINED, MIN_CONTAINED_SIMILARITY = 24, 0.95

_PIECE = 6  # letters
_QUARTERS = 4
_MOST = 20  # texts that share a piece: a piece of more finds too much
_SENTENCE_ENDS = "។៕?!៖\n"
_BATCH = 20_000  # pairs that are compared at once
_FACTORS = np.random.default_rng(0).integers(1, 2**63, _PIECE, dtype=np.uint64) * 2 + 1


@dataclass(frozen=True, slots=True)
class Duplicate:
    """A text that is held out: which of those that were asked for, which it equals, how nearly."""

    index: int
    held_out: int
    similarity: float
    is_equal: bool = False  # all letters are the same; else nearly, or inside of a longer text


class _Letters(dict[int, "int | None"]):
    """For str.translate: letters, marks and numerals stay, in lower case."""

    def __missing__(self, code: int) -> int | None:
        char = chr(code)
        kept = ord(char.lower()[0]) if unicodedata.category(char)[0] in "LMN" else None
        self[code] = kept
        return kept


_LETTERS = _Letters()


def letters_of(text: str) -> str:
    """The letters of a canonical text, by which texts are compared."""
    return text.translate(_LETTERS)


class HeldOutTexts:
    """The texts of held-out clips, to be found in others."""

    def __init__(self, texts: Sequence[str]) -> None:
        """texts: canonical, as a clip's `text`; a result names them by their place."""
        self._exact: dict[str, int] = {}
        self._units: list[str] = []  # whole texts and their sentences, each once
        self._owner: list[int] = []
        known: set[str] = set()
        for place, text in enumerate(texts):
            whole = letters_of(text)
            self._exact.setdefault(whole, place)
            for unit in dict.fromkeys([whole, *map(letters_of, _sentences(text))]):
                least = MIN_LETTERS if unit == whole else MIN_CONTAINED
                if len(unit) >= least and unit not in known:
                    known.add(unit)
                    self._units.append(unit)
                    self._owner.append(place)
        self._pieces, self._piece_units = _index(self._units)

    def is_short_duplicate(self, letters: str) -> bool:
        """Whether these few letters, too few to be a sentence, are a held-out text."""
        return 0 < len(letters) < MIN_LETTERS and letters in self._exact

    def find(self, texts: Sequence[str]) -> list[Duplicate]:
        """The duplicates among texts (their letters), in order, each with what it is nearest to."""
        best: dict[int, Duplicate] = {}
        for index, text in enumerate(texts):
            place = self._exact.get(text)
            if place is not None and len(text) >= MIN_LETTERS:
                best[index] = Duplicate(index, place, 1.0, True)
        for index, unit, score in self._compare(texts, self._candidates(texts)):
            known = best.get(index)
            if known is None or score > known.similarity:
                best[index] = Duplicate(index, self._owner[unit], score)
        return [best[index] for index in sorted(best)]

    def _candidates(self, texts: Sequence[str]) -> np.ndarray:
        """Pairs (m, 2) of a text and a unit that share a piece, or two where the unit is long."""
        hashes, owner = _hash_pieces(texts)
        first = np.searchsorted(self._pieces, hashes, "left")
        count = np.searchsorted(self._pieces, hashes, "right") - first
        text = np.repeat(owner, count)
        begin = np.repeat(first - np.concatenate(([0], np.cumsum(count)[:-1])), count)
        unit = self._piece_units[begin + np.arange(len(text))].astype(np.int64)
        codes, times = np.unique(text * max(1, len(self._units)) + unit, return_counts=True)
        pairs = np.stack(np.divmod(codes, max(1, len(self._units))), axis=1)
        lengths = np.array([len(unit) for unit in self._units], np.int64)
        return pairs[(times >= 2) | (lengths[pairs[:, 1]] < _QUARTERS * _PIECE)]

    def _compare(self, texts: Sequence[str], pairs: np.ndarray) -> list[tuple[int, int, float]]:
        """The pairs that are duplicates, each with its similarity."""
        result = []
        for start in range(0, len(pairs), _BATCH):
            batch = pairs[start : start + _BATCH]
            ours = [texts[i] for i in batch[:, 0]]
            theirs = [self._units[i] for i in batch[:, 1]]
            whole = process.cpdist(ours, theirs, scorer=fuzz.ratio, dtype=np.float32)
            inside = process.cpdist(ours, theirs, scorer=fuzz.partial_ratio, dtype=np.float32)
            # A sentence is looked for in longer texts, not a short text in a long sentence.
            fits = np.array(
                [
                    MIN_CONTAINED <= len(unit) <= len(text)
                    for text, unit in zip(ours, theirs, strict=True)
                ]
            )
            fits &= inside >= 100 * MIN_CONTAINED_SIMILARITY
            long_enough = np.array([len(text) >= MIN_LETTERS for text in ours])
            score = np.maximum(whole, np.where(fits, inside, 0)) / 100
            for row in np.flatnonzero(long_enough & (score >= MIN_SIMILARITY)):
                result.append((int(batch[row, 0]), int(batch[row, 1]), float(score[row])))
        return result


def _sentences(text: str) -> list[str]:
    for end in _SENTENCE_ENDS:
        text = text.replace(end, "\n")
    return text.split("\n")


def _hash_pieces(texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """The hash of every piece of the texts, and the place of its text: (n,) each."""
    codes = np.frombuffer("".join(texts).encode("utf-32-le"), "<u4").astype(np.uint64)
    lengths = np.array([len(text) for text in texts], np.int64)
    owner = np.repeat(np.arange(len(texts)), lengths)
    if len(codes) < _PIECE:
        return np.zeros(0, np.uint64), np.zeros(0, np.int64)
    last = len(codes) - _PIECE + 1
    hashes = np.zeros(last, np.uint64)
    for k in range(_PIECE):
        hashes = (hashes ^ codes[k : last + k]) * _FACTORS[k]
        hashes ^= hashes >> np.uint64(29)
    inside = owner[:last] == owner[_PIECE - 1 :]
    return hashes[inside], owner[:last][inside]


def _index(units: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Of each unit the rarest piece of each quarter: sorted hashes, and the unit of each."""
    hashes, owner = _hash_pieces(units)
    _, inverse, times = np.unique(hashes, return_inverse=True, return_counts=True)
    times = times[inverse]
    begins = np.searchsorted(owner, owner)
    counts = np.searchsorted(owner, owner, "right") - begins
    quarter = (np.arange(len(owner)) - begins) * _QUARTERS // np.maximum(counts, 1)
    order = np.lexsort((hashes, times, quarter, owner))
    zone = (owner * _QUARTERS + quarter)[order]
    chosen = order[np.diff(zone, prepend=-1) != 0]
    chosen = chosen[times[chosen] <= _MOST]
    chosen = chosen[np.argsort(hashes[chosen], kind="stable")]
    return hashes[chosen], owner[chosen]
