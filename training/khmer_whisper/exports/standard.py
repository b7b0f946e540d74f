"""What other programs take for granted of every Whisper, and where a model differs from it."""

from __future__ import annotations

from transformers.models.whisper.tokenization_whisper import LANGUAGES

from khmer_whisper.config import LANGUAGE
from khmer_whisper.model import Whisper

WINDOW_SECONDS = 30
MELS = (80, 128)
SIZES = (51_865, 51_866)  # ids of a multilingual vocabulary, without and with Cantonese
END = 50_257  # the id of <|endoftext|>, behind all text entries


def find_window_difference(whisper: Whisper) -> str | None:
    """How the model's window or log-mel differs from OpenAI's; None where it does not."""
    if whisper.seconds != WINDOW_SECONDS:
        return f"its window is {whisper.seconds:g} s, not {WINDOW_SECONDS} s"
    if whisper.extractor.feature_size not in MELS:
        return f"it reads {whisper.extractor.feature_size} mel bins, not 80 or 128"
    return None


def find_vocabulary_difference(whisper: Whisper) -> str | None:
    """How the model's ids differ from OpenAI's; None where they do not.

    whisper.cpp computes the ids of all special tokens from the size of the vocabulary, in the
    order end, start, languages, translate, transcribe, and five more before the timestamps.
    """
    size, labeller = whisper.model.config.vocab_size, whisper.labeller
    if size not in SIZES:
        return f"its vocabulary has {size} ids, not 51,865 or 51,866"
    languages = size - SIZES[0] + 99
    start = END + 1
    expected = {
        "end": END,
        "start": start,
        "language": start + 1 + list(LANGUAGES).index(LANGUAGE),
        "task": start + languages + 2,
        "previous": start + languages + 4,
        "no_timestamps": start + languages + 6,
    }
    moved = [name for name, label in expected.items() if getattr(labeller, name) != label]
    if moved:
        return f"its special tokens ({', '.join(moved)}) have other ids than OpenAI's"
    return None
