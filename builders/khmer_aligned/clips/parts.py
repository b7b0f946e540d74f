"""A recording in parts that are aligned by themselves: what a person corrected, and the rest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from khmer_aligned.schema import SAMPLE_RATE, Correction

Row = dict[str, Any]


@dataclass(frozen=True)
class Part:
    """Samples and characters of a recording that are aligned by themselves.

    row: of RECORDING_FEATURES, with the part's own text, start and cues
    waveform: (n,), the part's own
    sample, first: where the part begins in the recording's waveform and text
    correction: what was decided of this part; None for what nobody corrected
    is_whole: whether it is the whole recording
    """

    row: Row
    waveform: np.ndarray
    sample: int
    first: int
    correction: Correction | None = None
    is_whole: bool = False

    @property
    def is_accepted(self) -> bool:
        """Whether a person says that this text is spoken between these edges."""
        return self.correction is not None and self.correction.verdict == "accept"

    @property
    def is_aligned(self) -> bool:
        """Whether to align it: a part without text is not, nor what a person rejected.

        A whole recording is, so that its rejection says why it cannot be.
        """
        rejected = self.correction is not None and not self.is_accepted
        return self.is_whole or (bool(self.row["text"].strip()) and not rejected)


def divide(row: Row, waveform: np.ndarray) -> list[Part]:
    """The parts of a recording (n,), in order; they tile its audio and its text.

    Without corrections that is the recording itself.
    """
    corrections = [Correction(**item) for item in row["corrections"] or ()]
    if not corrections:
        return [Part(row, waveform, 0, 0, is_whole=True)]
    parts = []
    sample = character = 0
    for correction in corrections:
        lo, hi = (
            _sample(row, t, sample, len(waveform)) for t in (correction.start, correction.end)
        )
        parts.append(_part(row, waveform, (sample, lo), (character, correction.first)))
        parts.append(
            _part(row, waveform, (lo, hi), (correction.first, correction.last), correction)
        )
        sample, character = hi, correction.last
    rest = (sample, len(waveform)), (character, len(row["text"]))
    parts.append(_part(row, waveform, *rest))
    return [part for part in parts if len(part.waveform) or part.row["text"]]


def _sample(row: Row, seconds: float, least: int, most: int) -> int:
    """A time in the file as a sample of the recording, which may be a stretch of its file."""
    return min(max(round((seconds - (row["start"] or 0.0)) * SAMPLE_RATE), least), most)


def _part(
    row: Row,
    waveform: np.ndarray,
    samples: tuple[int, int],
    characters: tuple[int, int],
    correction: Correction | None = None,
) -> Part:
    (lo, hi), (first, last) = samples, characters
    own = {
        "text": row["text"][first:last],
        "start": (row["start"] or 0.0) + lo / SAMPLE_RATE,
        "cues": [
            {
                "first": cue["first"] - first,
                "last": cue["last"] - first,
                "start": cue["start"] - lo / SAMPLE_RATE,
                "end": cue["end"] - lo / SAMPLE_RATE,
            }
            for cue in row["cues"] or ()
            if first <= cue["first"] and cue["last"] <= last and correction is None
        ],
    }
    return Part(row | own, waveform[lo:hi], lo, first, correction)
