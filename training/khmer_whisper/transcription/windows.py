"""Audio of any length to windows of speech that a model can decode, cut in pauses."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from khmer_aligned.schema import SAMPLE_RATE
from khmer_aligned.speech import Speech, SpeechDetector

PADDING = 0.3  # seconds of audio kept at both ends: with 0.25 some first words are lost in noise
MAX_PAUSE = 1.0  # seconds; a longer pause ends a window, so that nothing is written over it


@dataclass(frozen=True, slots=True)
class Window:
    """Samples (n,) from `start` seconds on, and the stretches of speech in them."""

    start: float
    samples: np.ndarray
    speech: tuple[Speech, ...]


def cut_windows(blocks: Iterable[np.ndarray], longest: float) -> Iterator[Window]:
    """The windows of a recording, in order: all speech and nothing else, each at most `longest`
    seconds long.

    blocks: its samples (n,), one after the other. A window ends in a pause, if possible the longest
    in the second half of its time; only speech without a pause is cut where it is least probable.
    Memory does not grow with the recording.
    """
    padding = min(PADDING, longest / 10)
    cutter = _Cutter(longest - 2 * padding, padding)
    detector = SpeechDetector(cutter.longest)
    for block in blocks:
        cutter.buffer = np.concatenate([cutter.buffer, block.astype(np.float32, copy=False)])
        for speech in detector.feed(block):
            yield from cutter.add(speech)
        cutter.forget(detector.settled)
    for speech in detector.finish():
        yield from cutter.add(speech)
    yield from cutter.flush()


class _Cutter:
    """Stretches of speech to windows."""

    def __init__(self, longest: float, padding: float) -> None:
        self.longest = longest
        self.padding = padding
        self.buffer = np.zeros(0, np.float32)  # the samples that may still be needed
        self._first = 0  # the place of its first sample in the recording
        self._pending: list[Speech] = []
        self._last_end = 0.0  # of the window before

    def add(self, speech: Speech) -> Iterator[Window]:
        """The windows that end before `speech`, which follows what was added before."""
        if self._pending and speech.start - self._pending[-1].end > MAX_PAUSE:
            yield from self.flush(speech.start)
        self._pending.append(speech)
        while self._pending[-1].end - self._pending[0].start > self.longest:
            count = self._choose_cut()
            yield self._make(self._pending[:count], self._pending[count].start)
            self._pending = self._pending[count:]

    def flush(self, following: float = float("inf")) -> Iterator[Window]:
        """The window of what is left; `following`: when the next speech begins."""
        if self._pending:
            yield self._make(self._pending, following)
            self._pending = []

    def forget(self, settled: float) -> None:
        """Drop the samples that no window needs: no further speech begins before `settled`."""
        begin = self._pending[0].start if self._pending else settled
        count = max(0, int((begin - self.padding) * SAMPLE_RATE) - self._first)
        self.buffer = self.buffer[count:]
        self._first += count

    def _choose_cut(self) -> int:
        """How many of the pending stretches make a window."""
        first = self._pending[0].start
        fitting = [k for k in range(1, len(self._pending)) if self._ends_within(k, first)]
        late = [k for k in fitting if self._pending[k - 1].end - first >= self.longest / 2]
        if not late:
            return fitting[-1]
        return max(late, key=lambda k: self._pending[k].start - self._pending[k - 1].end)

    def _ends_within(self, count: int, first: float) -> bool:
        return self._pending[count - 1].end - first <= self.longest

    def _make(self, speech: list[Speech], following: float) -> Window:
        """A window with some quiet at both ends, at most half of the pauses around it."""
        start, end = speech[0].start, speech[-1].end
        before = min(self.padding, max(0.0, start - self._last_end) / 2)
        after = min(self.padding, max(0.0, following - end) / 2)
        self._last_end = end
        lo = max(0, round((start - before) * SAMPLE_RATE) - self._first)
        hi = round((end + after) * SAMPLE_RATE) - self._first
        begin = (self._first + lo) / SAMPLE_RATE
        return Window(begin, self.buffer[lo:hi].copy(), tuple(speech))
