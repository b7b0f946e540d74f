"""Recordings that were given twice under two names: found by their fingerprints.

The same bytes under two names are known by their hash already; these are copies in another format
or at another level.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from khmer_aligned.schema import SAMPLE_RATE

# Of 4.2 million pairs of 2,900 sentences that one voice read, none share more than 5 of 32 numbers
# of their fingerprints; copies as MP3 of 64 kbit/s share 14 or more, of 32 kbit/s 7 or more, at
# 8 kHz or another level 28 or more. Of copies as Opus of 16 kbit/s, about half share as many as 7.
MIN_SHARED = 7
# A copy is as long as what it was made of, but for a codec's delay.
_MAX_RATIO, _MAX_SECONDS = 1.01, 0.15
_BLOCK = 20_000  # recordings that are compared at once, and those that are little longer
_MOST = 50  # recordings that share a number: a number of more tells nothing


@dataclass(frozen=True)
class Fingerprints:
    """The fingerprints of n recordings: all numbers, and how many each recording has, (n,)."""

    numbers: np.ndarray
    counts: np.ndarray

    def of(self, members: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The numbers of some recordings, and whose they are, as places in `members`."""
        counts = self.counts[members]
        begins = (np.cumsum(self.counts) - self.counts)[members]
        owner = np.repeat(np.arange(len(members)), counts)
        place = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        return self.numbers[begins[owner] + place], owner


def find_twins(fingerprints: Fingerprints, samples: np.ndarray) -> np.ndarray:
    """Pairs (m, 2) of recordings that sound the same, the smaller first, sorted.

    samples (n,): the lengths of the recordings.
    """
    order = np.argsort(samples, kind="stable")
    order = order[fingerprints.counts[order] >= MIN_SHARED]
    lengths = samples[order]
    longest = lengths * _MAX_RATIO + _MAX_SECONDS * SAMPLE_RATE
    found = [np.zeros((0, 2), np.int64)]
    for start in range(0, len(order), _BLOCK):
        stop = min(start + _BLOCK, len(order))
        end = int(np.searchsorted(lengths, longest[stop - 1], "right"))
        found.extend(_find_pairs(fingerprints, order[start:end]))
    pairs = np.unique(np.sort(np.concatenate(found), axis=1), axis=0)
    shorter, longer = np.sort(samples[pairs], axis=1).T
    return pairs[longer <= shorter * _MAX_RATIO + _MAX_SECONDS * SAMPLE_RATE]


def _find_pairs(fingerprints: Fingerprints, members: np.ndarray) -> Iterator[np.ndarray]:
    """Pairs of members (m,) whose fingerprints share MIN_SHARED numbers or more."""
    numbers, owner = fingerprints.of(members)
    order = np.argsort(numbers, kind="stable")
    numbers, owner = numbers[order].astype(np.int64), owner[order]
    begins = np.flatnonzero(np.diff(numbers, prepend=-1) != 0)
    sizes = np.diff(begins, append=len(numbers))
    shared = [np.zeros(0, np.int64)]
    for size in range(2, min(_MOST, int(sizes.max(initial=0))) + 1):
        rows = owner[begins[sizes == size][:, None] + np.arange(size)]
        first, second = np.triu_indices(size, 1)
        shared.append((rows[:, first] * len(members) + rows[:, second]).ravel())
    codes, times = np.unique(np.concatenate(shared), return_counts=True)
    codes = codes[times >= MIN_SHARED]
    yield members[np.stack(np.divmod(codes, max(1, len(members))), axis=1)]
