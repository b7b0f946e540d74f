"""What a transcription consists of."""

from __future__ import annotations

from dataclasses import dataclass

from khmer_aligned.schema import Word
from khmer_aligned.speech import Speech


@dataclass(frozen=True, slots=True)
class Segment:
    """A text and when it is spoken: from its first speech to its last, in seconds.

    words: with times and scores, if they were asked for. speech: the stretches of speech between
    `start` and `end`; between them are pauses. avg_logprob: the mean log-probability of the
    labels and the end token. no_speech_prob: the model's, that nobody speaks. temperature: at which
    the text was decoded; 0 is the most probable text.
    """

    start: float
    end: float
    text: str
    words: list[Word] | None
    speech: tuple[Speech, ...]
    avg_logprob: float
    no_speech_prob: float
    compression_ratio: float
    temperature: float


@dataclass(frozen=True, slots=True)
class Transcription:
    """The transcription of a whole file or waveform."""

    audio: str  # the file's name; empty for a waveform
    duration: float  # seconds
    language: str
    segments: list[Segment]

    @property
    def text(self) -> str:
        return " ".join(segment.text for segment in self.segments)
