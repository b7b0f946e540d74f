"""Student's t distribution, of which intervals and p-values are made."""

from __future__ import annotations

import math
from functools import lru_cache


def two_sided(t: float, freedom: int) -> float:
    """The probability of a deviation of `t` or more to either side.

    The finite sums for whole degrees of freedom: Abramowitz and Stegun 1964, 26.7.3 and 26.7.4.
    """
    angle = math.atan(abs(t) / math.sqrt(freedom))
    cosine = math.cos(angle)
    odd = freedom % 2
    term = total = (cosine if freedom > 1 else 0.0) if odd else 1.0
    for k in range(3 if odd else 2, freedom - 1, 2):
        term *= cosine * cosine * (k - 1) / k
        total += term
    within = math.sin(angle) * total
    if odd:
        within = 2 / math.pi * (angle + within)
    return max(0.0, 1 - within)


@lru_cache
def quantile(level: float, freedom: int) -> float:
    """The deviation that is exceeded, to either side, with a probability of 1 - `level`."""
    low, high = 0.0, 1.0
    while two_sided(high, freedom) > 1 - level:
        high *= 2
    for _ in range(100):
        middle = (low + high) / 2
        if two_sided(middle, freedom) > 1 - level:
            low = middle
        else:
            high = middle
    return high
