"""Honest error rates for Khmer: counts first, rates derived, intervals by recording."""

from khmer_whisper.metrics.rates import Difference, Rate, Scores, compare, score

__all__ = ["Difference", "Rate", "Scores", "compare", "score"]
