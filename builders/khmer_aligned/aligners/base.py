"""What an aligner is: an acoustic model with CTC emissions, and the tokens of its vocabulary."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from khmer_aligned.schema import SAMPLE_RATE
from khmer_aligned.text import Span, SpokenWord

MMS_NAME = "torchaudio MMS_FA"  # its weights have one version
LAG = "lag_seconds"  # in config.json, of a model whose makers measured how late its tokens come


@dataclass(frozen=True, slots=True)
class Tokens:
    """The tokens of one word: ids in the model's vocabulary, their texts and their spans."""

    ids: tuple[int, ...]
    texts: tuple[str, ...]
    spans: tuple[Span, ...]  # in characters of the raw transcript


class Aligner(Protocol):
    """An acoustic model. A new one is one file in this folder and one row in `load`."""

    name: str  # in the record of an alignment, weights included
    vocabulary: tuple[str, ...]  # (V,), the tokens by id
    blank: int  # the id of CTC's blank
    stride: int  # samples per frame: frame i starts at sample i * stride
    lag: float | None  # seconds that its tokens come late, where its makers state it

    def __hash__(self) -> int: ...

    def tokens(self, word: SpokenWord) -> Tokens:
        """The tokens of a word; none for a word that the vocabulary cannot spell."""
        ...

    def emissions(self, waveforms: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Log-probabilities (T, V) float32 of each waveform (n,) float32 at 16 kHz.

        Each result depends on its own waveform alone, not on the others of the batch.
        """
        ...


def frame_seconds(aligner: Aligner) -> float:
    """Seconds from one emission frame to the next."""
    return aligner.stride / SAMPLE_RATE


def spell(text: str, spans: Sequence[Span], ids: dict[str, int]) -> Tokens:
    """The tokens of the characters of `text` that are in `ids`, as they are or as capitals."""
    known_ids, known_texts, known_spans = [], [], []
    for character, span in zip(text, spans, strict=True):
        token = ids.get(character, ids.get(character.upper()))
        if token is not None:
            known_ids.append(token)
            known_texts.append(character)
            known_spans.append(span)
    return Tokens(tuple(known_ids), tuple(known_texts), tuple(known_spans))
