"""What an aligner is: an acoustic model whose emissions a CTC path can be found in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from khmer_aligned.schema import SAMPLE_RATE
from khmer_aligned.text import Span, SpokenWord


@dataclass(frozen=True, slots=True)
class Labels:
    """The labels of one word: ids in the model's vocabulary, and what each of them stands for."""

    ids: tuple[int, ...]
    texts: tuple[str, ...]
    spans: tuple[Span, ...]  # in characters of the raw transcript


class Aligner(Protocol):
    """A few members; a new aligner is one file in this folder and one row in `load`."""

    name: str  # what a record of an alignment calls it, weights included
    vocabulary: tuple[str, ...]  # of size V; the labels by id
    blank: int
    stride: int  # samples per frame: frame i starts at sample i * stride
    offset: float  # seconds that its tokens come late, where a recording cannot tell by itself

    def labels(self, word: SpokenWord) -> Labels:
        """The labels of a word; none at all for a word that the vocabulary cannot spell."""
        ...

    def emissions(self, waveforms: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Log-probabilities (T, V) float32 of waveforms (n,) float32 at 16 kHz, one by one.

        Each result depends on its own waveform alone, whatever stands beside it.
        """
        ...


def frame_seconds(aligner: Aligner) -> float:
    """Seconds from one emission frame to the next."""
    return aligner.stride / SAMPLE_RATE


def spell(texts: str, spans: Sequence[Span], ids: dict[str, int]) -> Labels:
    """Labels of the characters that `ids` knows, in either case; the others have none."""
    known = [
        (ids.get(text, ids.get(text.upper())), text, span)
        for text, span in zip(texts, spans, strict=True)
    ]
    kept = [(i, text, span) for i, text, span in known if i is not None]
    return Labels(
        ids=tuple(i for i, _, _ in kept),
        texts=tuple(text for _, text, _ in kept),
        spans=tuple(span for _, _, span in kept),
    )
