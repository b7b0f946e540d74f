"""The hidden Markov model of a clip: its letters in order, and the best path through its frames."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numba import njit

PAUSE = 0  # the sound of what is between words
OTHER = 1  # the sound of a word without a letter
STATES = 2  # of a letter, a frame each at least
# With the signs of a nasal or a breath; signs of subscripts and silent letters are not heard.
_VOWELS = frozenset(map(chr, range(0x17B6, 0x17C9)))


class Chain(NamedTuple):
    """The states of a clip in the order of its letters, with a pause that may be left out before
    each word and behind the last.

    sounds: int64 (S,), what is heard in a state, as `sounds_of` counts them
    words: int64 (S,), the index of the state's word, -1 in a pause
    """

    sounds: np.ndarray
    words: np.ndarray

    @property
    def first(self) -> np.ndarray:
        """The states that words begin with, bool (S,): each comes after a pause."""
        return np.append(False, (self.words[:-1] < 0) & (self.words[1:] >= 0))


def letters_of(word: str) -> list[str]:
    """The letters of a word that are heard."""
    return [c for c in word.lower() if c.isalpha() or c in _VOWELS]


def sounds_of(words: Iterable[str]) -> dict[str, int]:
    """The number of each letter's first state; `count_sounds` numbers are needed in all."""
    letters = sorted({letter for word in words for letter in letters_of(word)})
    return {letter: OTHER + 1 + STATES * k for k, letter in enumerate(letters)}


def count_sounds(sounds: Mapping[str, int]) -> int:
    """How many sounds there are, with pauses and words without a letter."""
    return OTHER + 1 + STATES * len(sounds)


def chain_of(words: Sequence[str], sounds: Mapping[str, int]) -> Chain:
    """The states of these words. Letters that `sounds` lacks are left out."""
    heard, owners = [PAUSE], [-1]
    for k, word in enumerate(words):
        known = [sounds[letter] for letter in letters_of(word) if letter in sounds]
        states = [sound + i for sound in known for i in range(STATES)] or [OTHER]
        heard += [*states, PAUSE]
        owners += [*[k] * len(states), -1]
    return Chain(np.array(heard, np.int64), np.array(owners, np.int64))


def find_path(
    scores: np.ndarray, chain: Chain, earliest: np.ndarray, latest: np.ndarray
) -> np.ndarray | None:
    """The state of each frame on the best path, int64 (T,); None where there is no path.

    scores: float32 (T, K), of each sound; earliest, latest: (W,), the frames between which a path
    may come into a word. On a tie the path stays where it is.
    """
    states = len(chain.sounds)
    lows, highs = np.zeros(states), np.full(states, np.inf)
    first = chain.first
    lows[first], highs[first] = earliest, latest
    path = _walk(scores, chain.sounds, chain.words < 0, lows, highs)
    return path if path[0] >= 0 else None


@njit(nogil=True, cache=True)
def _walk(scores, sounds, optional, lows, highs):
    frames, states = len(scores), len(sounds)
    steps = np.zeros((frames, states), np.int8)  # by which a state was reached
    best, following = np.full(states, -np.inf), np.full(states, -np.inf)
    for state in range(min(2, states)):
        if lows[state] <= 0 <= highs[state]:
            best[state] = scores[0, sounds[state]]
    for t in range(1, frames):
        for state in range(states):
            value, step = best[state], 0
            if lows[state] <= t <= highs[state]:
                if state > 0 and best[state - 1] > value:
                    value, step = best[state - 1], 1
                if state > 1 and optional[state - 1] and best[state - 2] > value:
                    value, step = best[state - 2], 2
            following[state] = value + scores[t, sounds[state]]
            steps[t, state] = step
        best, following = following, best
    path = np.full(frames, -1, np.int64)
    state = states - 1
    if states > 1 and best[states - 2] > best[state]:
        state = states - 2
    if best[state] == -np.inf:
        return path
    for t in range(frames - 1, -1, -1):
        path[t] = state
        state -= steps[t, state]
    return path
