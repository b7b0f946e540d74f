"""Khmer entries for a Whisper's vocabulary: learned from text, put over ids it does not need."""

from khmer_whisper.vocabulary.extend import Extended, extend

__all__ = ["Extended", "extend"]
