"""The lag of an aligner, measured over the recordings of a source.

A sample of them is aligned: the same one whatever the order of the recordings and the number of
workers. What all its paths tell together is the lag.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import datasets
import numpy as np
import pyarrow.compute as pc

from khmer_aligned import aligners
from khmer_aligned.aligners.base import Aligner
from khmer_aligned.alignment import calibration
from khmer_aligned.alignment.align import locate
from khmer_aligned.alignment.lag import (
    MAX_DIFFERENCE,
    Edges,
    Lag,
    LagEstimate,
    differing_lag,
    estimate_lag,
)
from khmer_aligned.alignment.splices import SpliceProbe, probe_lag
from khmer_aligned.alignment.thresholds import DEFAULT, Thresholds
from khmer_aligned.clips.make import load_waveform
from khmer_aligned.dataset.passages import find_passages
from khmer_aligned.dataset.report import DifferingLag
from khmer_aligned.device import run_forkable
from khmer_aligned.errors import Failed, UserError
from khmer_aligned.recordings import sources
from khmer_aligned.recordings.builder import read_recordings
from khmer_aligned.schema import SAMPLE_RATE, cues_of
from khmer_aligned.text import Transcript

# The sample ends with enough edges of enough recordings, or else at one of its limits.
_EDGES, _RECORDINGS = 400, 5
_MAX_RECORDINGS, _MAX_SECONDS = 60, 20 * 60.0
_GROUP_CHARACTERS = 1_500  # of transcript that is aligned at once: about two minutes
_PROBE_SECONDS = 240.0  # of audio that the second witness gets


@dataclass(frozen=True, slots=True)
class Measurement:
    """What a sample of recordings tells of the aligner's lag.

    probe: the second witness, where it was asked; differing: the recordings of the sample that
    tell another lag
    """

    estimate: LagEstimate
    probe: SpliceProbe | None
    seconds: float  # of audio in the sample
    differing: list[DifferingLag]

    @property
    def doubt(self) -> str | None:
        """Why the figure should be checked by ear; None where nothing speaks against it."""
        seconds = self.estimate.seconds
        if seconds is None or self.probe is None or not self.probe.disagrees(seconds):
            return None
        return f"the edges of speech tell {seconds * 1000:.0f} ms, {self.probe.describe(seconds)}"


@dataclass(frozen=True, slots=True)
class Calibration:
    """An aligner's lag, measured over a source and kept."""

    aligner: str  # its name, weights included
    lag: Lag
    measurement: Measurement
    file: Path  # where it is kept

    def summary(self) -> str:
        """The figure, its evidence and both witnesses, for the screen."""
        measured = self.measurement
        lines = [
            f"lag of {self.aligner}: {self.lag.seconds * 1000:.0f} ms",
            f"  {measured.estimate.describe()}, {measured.seconds / 60:.1f} minutes",
        ]
        if measured.probe is not None:
            lines.append(f"  {measured.probe.describe(self.lag.seconds)}")
        lines += [
            f"  {d['recording']} tells {d['seconds'] * 1000:.0f} ms, more than "
            f"{MAX_DIFFERENCE * 1000:.0f} ms from it: check its times by ear"
            for d in measured.differing
        ]
        return "\n".join([*lines, f"kept in {self.file}, for khmer-aligned align"])


def calibrate(aligner: str, source: str | Path) -> Calibration:
    """Measure the lag of an aligner over a source that `build` reads, and keep it.

    Raises UserError where the recordings tell no lag, or the aligner states its own; then nothing
    is kept.
    """
    if (stated := aligners.stated_lag(aligner)) is not None:
        raise UserError(
            f"{aligner}: its config.json states a lag of {stated * 1000:.0f} ms, which is what is "
            "subtracted; there is nothing to measure"
        )
    name = aligners.identity(aligner)
    with TemporaryDirectory() as folder:
        recordings = read_recordings(sources.find(str(source)), Path(folder))
        recordings = find_passages(recordings, aligner)
        measured = run_forkable(measure_lag, recordings, aligner, DEFAULT, True)
    if measured.estimate.seconds is None:
        probe = f"; {measured.probe.describe(None)}" if measured.probe else ""
        raise UserError(
            f"{source}: the lag of {name} stays unknown; {measured.estimate.describe()}{probe}; "
            "give more recordings, with transcripts that fit them"
        )
    lag = Lag.of(measured.estimate, "measured")
    return Calibration(name, lag, measured, calibration.keep_calibrated(name, lag))


def measure_lag(
    recordings: datasets.Dataset, aligner: str, thresholds: Thresholds, always_probe: bool
) -> Measurement:
    """Measure the lag of an aligner on rows of RECORDING_FEATURES.

    always_probe: ask the second witness even where the evidence is ample.
    """
    model = aligners.load(aligner)
    edges: dict[str, Edges] = {}
    waveforms: list[np.ndarray] = []
    seconds = 0.0
    for recording in _locate_sample(recordings, model, thresholds):
        edges[recording.id] = recording.edges
        left = _PROBE_SECONDS - sum(len(waveform) for waveform in waveforms) / SAMPLE_RATE
        if left > 0:
            waveforms.append(recording.waveform[: round(left * SAMPLE_RATE)])
        seconds += len(recording.waveform) / SAMPLE_RATE
        enough = len(edges) >= _RECORDINGS and sum(e.count for e in edges.values()) >= _EDGES
        if enough or len(edges) >= _MAX_RECORDINGS or seconds >= _MAX_SECONDS:
            break
    estimate = estimate_lag(list(edges.values()))
    ask = waveforms and (always_probe or estimate.is_borderline)
    probe = probe_lag(model, waveforms) if ask else None
    differing: list[DifferingLag] = []
    if estimate.seconds is not None:
        for name, item in edges.items():
            if (own := differing_lag(item, estimate.seconds)) is not None:
                differing.append({"recording": name, "seconds": round(own, 3)})
    return Measurement(estimate, probe, seconds, differing)


@dataclass(frozen=True, slots=True)
class _Located:
    """A recording of the sample and what its path tells."""

    id: str
    waveform: np.ndarray
    edges: Edges


def _locate_sample(
    recordings: datasets.Dataset, aligner: Aligner, thresholds: Thresholds
) -> Iterator[_Located]:
    """The recordings that can be aligned, in the order of a hash of their ids."""
    for group in _groups(recordings):
        rows = [recordings[index] for index in group]
        with ThreadPoolExecutor() as decoders:
            loaded = list(decoders.map(load_waveform, rows))
        decoded = [(r, w) for r, w in zip(rows, loaded, strict=True) if not isinstance(w, Failed)]
        waveforms = [waveform for _, waveform in decoded]
        transcripts = [Transcript.from_text(row["text"]) for row, _ in decoded]
        cues = [cues_of(row) for row, _ in decoded]
        results = locate(waveforms, transcripts, aligner, thresholds, cues)
        for (row, waveform), result in zip(decoded, results, strict=True):
            if not isinstance(result, Failed):
                yield _Located(row["id"], waveform, result.edges)


def _groups(recordings: datasets.Dataset) -> Iterator[list[int]]:
    """Indices of recordings that are aligned together; very long ones come last."""
    lengths = pc.utf8_length(recordings.data.column("text")).to_numpy()
    digests = (hashlib.sha256(id.encode()).digest()[:8] for id in recordings["id"])
    hashes = np.frombuffer(b"".join(digests), ">u8")
    group: list[int] = []
    characters = 0
    for index in np.lexsort((hashes, lengths // (10 * _GROUP_CHARACTERS))).tolist():
        group.append(index)
        characters += int(lengths[index])
        if characters >= _GROUP_CHARACTERS:
            yield group
            group, characters = [], 0
    if group:
        yield group
