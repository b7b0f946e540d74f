"""What the aligner and the level of the audio say of a recording, whatever its transcript."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from khmer_aligned.alignment import viterbi
from khmer_aligned.alignment.energy import Energy
from khmer_aligned.schema import SAMPLE_RATE
from khmer_aligned.speech import speech_seconds


@dataclass(frozen=True, slots=True)
class Acoustics:
    """What the aligner and the level of the audio say of a recording, whatever its transcript."""

    aligner: str  # its name, weights included
    greedy: np.ndarray  # int32 (T,), the most probable token of each frame
    blank: int
    frame_seconds: float
    lag: float  # seconds that were subtracted from every time
    energy: Energy
    duration: float  # seconds
    waveform: np.ndarray = field(repr=False)  # (n,)

    def speech_seconds(self, start: float, end: float) -> float:
        """Seconds between two times in which somebody speaks, whatever the transcript holds."""
        lo, hi = round(start * SAMPLE_RATE), round(end * SAMPLE_RATE)
        return speech_seconds(self.waveform[lo:hi])

    def greedy_tokens(self, start: float, end: float) -> list[int]:
        """The greedy tokens between two times: repeats merged, no blanks."""
        lo = max(0, round((start + self.lag) / self.frame_seconds))
        hi = max(lo, round((end + self.lag) / self.frame_seconds))
        return viterbi.collapse(self.greedy[lo:hi], self.blank).tolist()

    def next_speech(self, time: float, latest: float) -> float:
        """When the second greedy token after a time starts; one may be an error. `latest`, if it
        does not start before."""
        lo, hi = (
            min(max(1, round((moment + self.lag) / self.frame_seconds)), len(self.greedy))
            for moment in (time, latest)
        )
        changed = self.greedy[lo:hi] != self.greedy[lo - 1 : hi - 1]
        starts = np.flatnonzero(changed & (self.greedy[lo:hi] != self.blank))
        return time + float(starts[1]) * self.frame_seconds if len(starts) > 1 else latest
