"""A published model, checked: its numbers, its predictions, and its training."""

from khmer_whisper.reproduce.reproduce import Depth, reproduce

__all__ = ["Depth", "reproduce"]
