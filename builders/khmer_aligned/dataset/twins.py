"""Recordings that were given twice under two names: found by their fingerprints.

The same bytes under two names are known by their hash already; these are copies in another
format, at another level or with another beginning.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from khmer_aligned.schema import SAMPLE_RATE

# Of 4.2 million pairs of 2,900 sentences that one voice read, none share more than 5 of 32 numbers
# of their fingerprints; copies as MP3 of 64 kbit/s share 14 or more, at 8 kHz or another level 28.
MIN_SHARED = 7
# A copy is as long as what it was made of, but for a codec's delay and a trimmed silence.
_MAX_RATIO, _MAX_SECONDS = 1.02, 0.3
_BUCKET = 1.1  # lengths up to this ratio are compared together
_MOST = 50  # recordings that share a number: a number of more tells nothing


def find_twins(fingerprints: list[np.ndarray], samples: np.ndarray) -> np.ndarray:
    """Pairs (m, 2) of recordings that sound the same, the smaller first, sorted.

    fingerprints: n arrays of numbers; samples (n,): the lengths of the recordings.
    """
    counts = np.array([len(numbers) for numbers in fingerprints])
    bucket = np.floor(np.log(np.maximum(samples, 1) + _MAX_SECONDS * SAMPLE_RATE) / np.log(_BUCKET))
    bucket[counts == 0] = -1
    order = np.argsort(bucket, kind="stable")
    begins = np.searchsorted(bucket[order], np.arange(bucket.max(initial=-1) + 3))
    found = [np.zeros((0, 2), np.int64)]
    for first, last in zip(begins[:-2], begins[2:], strict=True):
        members = order[first:last]  # of two neighbouring buckets
        if len(members) > 1:
            found.extend(_find_pairs([fingerprints[i] for i in members], members))
    pairs = np.unique(np.sort(np.concatenate(found), axis=1), axis=0)
    shorter, longer = np.sort(samples[pairs], axis=1).T
    return pairs[longer <= shorter * _MAX_RATIO + _MAX_SECONDS * SAMPLE_RATE]


def _find_pairs(fingerprints: list[np.ndarray], members: np.ndarray) -> Iterator[np.ndarray]:
    """Pairs of members (m,) whose fingerprints share MIN_SHARED numbers or more."""
    owner = np.repeat(np.arange(len(members)), [len(numbers) for numbers in fingerprints])
    numbers = np.concatenate(fingerprints)
    order = np.argsort(numbers, kind="stable")
    numbers, owner = numbers[order], owner[order]
    begins = np.flatnonzero(np.diff(numbers, prepend=-1) != 0)
    sizes = np.diff(begins, append=len(numbers))
    shared = []
    for size in range(2, _MOST + 1):
        rows = owner[begins[sizes == size][:, None] + np.arange(size)]
        for i in range(size - 1):
            for j in range(i + 1, size):
                shared.append(rows[:, i] * len(members) + rows[:, j])
    codes, times = np.unique(np.concatenate(shared), return_counts=True)
    codes = codes[times >= MIN_SHARED]
    yield members[np.stack((codes // len(members), codes % len(members)), axis=1)]
