"""Whether a text can be what was spoken, or is invented or repeated without end."""

from __future__ import annotations

import zlib

from khmer_whisper.transcription.engine import Decoded

# Those of openai/whisper.
TEMPERATURES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
MAX_COMPRESSION_RATIO = 2.4
MIN_LOGPROB = -1.0
MAX_NO_SPEECH = 0.6

_KHMER = 0x1780  # the first of 128 code points, which are written in 3 bytes each in UTF-8


def compression_ratio(text: str) -> float:
    """How many times shorter zlib makes a text; 2.4 and more is repetition.

    A Khmer character counts as one byte, as a letter does in the languages that the limit is
    known for. In UTF-8 two of its three bytes are always the same, and plain text is above the
    limit.
    """
    data = b"".join(
        bytes([0x80 + ord(c) - _KHMER]) if 0 <= ord(c) - _KHMER < 0x80 else c.encode() for c in text
    )
    return len(data) / len(zlib.compress(data)) if data else 0.0


def needs_fallback(result: Decoded) -> bool:
    """Whether it is worth to decode again at a higher temperature."""
    return not is_silence(result) and (_repeats(result) or result.avg_logprob < MIN_LOGPROB)


def is_silence(result: Decoded) -> bool:
    """Whether the model says that nobody speaks, and is not sure of its text."""
    return result.no_speech_prob > MAX_NO_SPEECH and result.avg_logprob < MIN_LOGPROB


def choose(results: list[Decoded]) -> int:
    """The index of the best of the results for one waveform: the most probable that does not
    repeat itself."""
    return max(
        range(len(results)), key=lambda i: (not _repeats(results[i]), results[i].avg_logprob)
    )


def _repeats(result: Decoded) -> bool:
    return result.looped or compression_ratio(result.text) > MAX_COMPRESSION_RATIO
