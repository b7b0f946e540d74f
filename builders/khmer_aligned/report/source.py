"""The recordings that a folder was built from: their audio to play, their text to correct."""

from __future__ import annotations

import tempfile
import threading
from collections import OrderedDict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from khmer_aligned import audio
from khmer_aligned.dataset.origin import Origin
from khmer_aligned.dataset.report import Report
from khmer_aligned.recordings import sources
from khmer_aligned.recordings.corrections import (
    Corrected,
    Decision,
    correct,
    latest,
    read_decisions,
)
from khmer_aligned.recordings.transcripts import read_transcript
from khmer_aligned.report.items import Item
from khmer_aligned.report.spans import locate
from khmer_aligned.schema import SAMPLE_RATE, Recording

_MOST_KEPT = 2 * 3600 * SAMPLE_RATE  # samples that are kept decoded: 460 MB


@dataclass(frozen=True)
class Text:
    """The text of a recording as its source has it, and as the build had it.

    source: the whole text, where the recording speaks a passage of it; uncorrected: the recording
    without its corrections
    """

    source: str
    uncorrected: Recording
    built: Corrected


@lru_cache(maxsize=4)
def _read_text(file: Path) -> str:
    return read_transcript(file).text


class Source:
    """The recordings of a build by their ids, read once; audio is decoded when it is asked for."""

    def __init__(
        self,
        origin: Origin,
        report: Report,
        only: Collection[str] | None = None,
    ) -> None:
        """report: of the build; only: the ids of the recordings to keep, by default all.

        Raises UserError where the source is not there.
        """
        assert origin.source is not None
        self.name, self._track = origin.source, report["config"].get("track", 1)
        passages: dict[str, list[int]] = {}
        for text in report["texts"].values():
            passages |= text["passages"]
        self._spool = tempfile.TemporaryDirectory(prefix="khmer-aligned-")
        decisions_of: dict[str, list[Decision]] = {}
        decided = read_decisions(origin.corrections) if origin.corrections else []
        for decision in latest(decided):
            decisions_of.setdefault(decision.recording, []).append(decision)
        self.texts: dict[str, Text] = {}
        for recording in sources.read_uncorrected(origin.source):
            if recording.id in self.texts or (only is not None and recording.id not in only):
                continue
            recording, whole = self._spooled(recording), recording.text
            if recording.text_file is not None and recording.id in passages:
                first, last = passages[recording.id]
                whole = _read_text(recording.text_file)
                recording = replace(recording, text=whole[first:last], text_start=first)
            built = correct(recording, decisions_of.get(recording.id, ()))
            self.texts[recording.id] = Text(whole, replace(recording, cues=()), built)
        self._decoded: OrderedDict[str, np.ndarray] = OrderedDict()
        self._lock = threading.Lock()

    def _spooled(self, recording: Recording) -> Recording:
        """Audio that a dataset holds as a file, so that it takes no memory."""
        if not isinstance(recording.audio, bytes):
            return recording
        path = Path(self._spool.name) / f"{len(self.texts):08d}"
        path.write_bytes(recording.audio)
        return replace(recording, audio=path)

    def locate(self, items: Sequence[Item]) -> list[Item]:
        """The items, in their order, with the spans in their recordings' texts."""
        of_recording: dict[str, list[Item]] = {}
        for item in items:
            of_recording.setdefault(item.recording_id, []).append(item)
        located: dict[str, Item] = {}
        for id, members in of_recording.items():
            if id in self.texts:
                raw = self.texts[id].built.recording.text
                located.update((item.key, item) for item in locate(members, raw))
        return [located.get(item.key, item) for item in items]

    def uncorrected(self, id: str) -> Recording:
        """A recording as its source has it."""
        return self.texts[id].uncorrected

    def bounds(self, id: str) -> tuple[float, float]:
        """Seconds of the file between which a recording lies: all of it, or its stretch."""
        recording = self.texts[id].built.recording
        duration = len(self._decode(id)) / SAMPLE_RATE
        return recording.start or 0.0, min(duration, recording.end or duration)

    def waveform(self, id: str, start: float, end: float) -> np.ndarray:
        """Seconds [start, end) of the file of a recording, float32 (n,) at 16 kHz.

        Raises UserError where it cannot be decoded.
        """
        whole = self._decode(id)
        return whole[max(0, round(start * SAMPLE_RATE)) : max(0, round(end * SAMPLE_RATE))]

    def _decode(self, id: str) -> np.ndarray:
        """The waveform of a whole file; those that were asked for last are kept."""
        with self._lock:
            if id not in self._decoded:
                recording = self.texts[id].built.recording
                assert recording.audio is not None
                self._decoded[id] = audio.load(
                    recording.audio, name=recording.path, track=self._track
                )
            self._decoded.move_to_end(id)
            while len(self._decoded) > 1 and sum(map(len, self._decoded.values())) > _MOST_KEPT:
                self._decoded.popitem(last=False)
            return self._decoded[id]

    def can_play(self, item: Item) -> bool:
        """Whether the item has audio that can be asked for."""
        text = self.texts.get(item.recording_id)
        return (
            text is not None and text.built.recording.audio is not None and item.start is not None
        )
