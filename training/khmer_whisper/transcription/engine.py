"""What an engine is: it decodes stretches of speech, with a model that it has loaded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from khmer_whisper.labels import Labeller

LABELS_PER_SECOND = 36  # of read Khmer, 99th percentile, for Whisper's tokenizer and for bytes


@dataclass(frozen=True, slots=True)
class Decoded:
    """The text of one waveform; the figures are those of `Segment`.

    looped: a loop at its end was cut, see `decode.cut_loop`.
    """

    text: str
    looped: bool
    avg_logprob: float
    no_speech_prob: float


class Engine(Protocol):
    """A model on the library that runs it.

    name: as in --engine. seconds: of the model's window. clip_seconds: the length of the clips
    that it was tuned on, None where nobody has recorded it. languages: of those clips, () where
    nobody has recorded them. positions: of its decoder.
    """

    name: str
    labeller: Labeller
    seconds: float
    clip_seconds: float | None
    languages: tuple[str, ...]
    positions: int

    def decode(
        self,
        waveforms: Sequence[np.ndarray],
        prompt: Sequence[int],
        *,
        beams: int,
        temperature: float,
    ) -> list[Decoded]:
        """Decode waveforms (n,) of at most `seconds`, each as if it were alone.

        prompt: the ids before the text, the special ones included. temperature: of sampling, with
        the same draws each time; 0 gives the most probable text, of `beams`.
        """
        ...


def longest_stretch(engine: Engine) -> float:
    """Seconds that the model transcribes reliably: the length of its training clips, or what its
    decoder holds, at most its window."""
    seconds = engine.clip_seconds or (engine.positions - 1) / LABELS_PER_SECOND
    return min(seconds, engine.seconds)
