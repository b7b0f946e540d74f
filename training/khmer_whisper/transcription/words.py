"""The times of the words of a text that was transcribed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from khmer_aligned import aligners
from khmer_aligned.alignment.align import Alignment, align
from khmer_aligned.alignment.calibration import read_lag
from khmer_aligned.console import note
from khmer_aligned.errors import Failed
from khmer_aligned.schema import Word
from khmer_aligned.text import Span, Transcript


class TimeWords(Protocol):
    """A way to find the times of words.

    The words of a text are pieces of it, in order, and do not overlap; spaces and signs between
    them may be left out.
    """

    def __call__(
        self, waveforms: Sequence[np.ndarray], texts: Sequence[str]
    ) -> list[list[Word] | None]:
        """The words of each text, in seconds from the start of its waveform (n,); None where they
        cannot be found."""
        ...


class AlignWords:
    """Times words by forced alignment; see `TimeWords`.

    aligner: `mms`, or a CTC model of transformers by folder or Hub id. lag: seconds that its tokens
    come late; by default what the aligner states, else the figure that `khmer-aligned calibrate`
    keeps for it, else 0. Raises UserError where it cannot be loaded.
    """

    def __init__(self, aligner: str, lag: float | None = None) -> None:
        self.aligner = aligners.load(aligner)
        lag = self.aligner.lag if lag is None else lag
        kept = read_lag(self.aligner.name) if lag is None else None
        if lag is None and kept is None:
            note(
                f"the lag of {aligner} is unknown, and 0 taken: words may come some 0.2 s late; "
                f"measure it once with: khmer-aligned calibrate {aligner} SOURCE"
            )
        self.lag = lag if lag is not None else kept.seconds if kept else 0.0

    def __call__(
        self, waveforms: Sequence[np.ndarray], texts: Sequence[str]
    ) -> list[list[Word] | None]:
        transcripts = [Transcript.from_text(text) for text in texts]
        results = align(list(waveforms), transcripts, self.aligner, lag=self.lag)
        return [None if isinstance(result, Failed) else written_words(result) for result in results]


def written_words(alignment: Alignment) -> list[Word]:
    """The words of an alignment as they are written: a number is one, however it is read."""
    raw = alignment.transcript.raw
    words: list[Word] = []
    last: Span | None = None
    for timed in alignment.words:
        if last is not None and timed.span[0] < last[1]:  # a part of the same written word
            before = words.pop()
            last = (last[0], max(last[1], timed.span[1]))
            score = min(before.score, timed.score)
            words.append(Word(raw[slice(*last)], before.start, timed.end, score))
        else:
            last = timed.span
            words.append(Word(raw[slice(*last)], timed.start, timed.end, timed.score))
    return words
