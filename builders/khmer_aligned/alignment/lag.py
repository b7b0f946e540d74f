"""How late a model's tokens come: one figure per aligner, from many recordings.

A CTC model emits a token only once enough of its sound has passed, so all tokens come late by a
constant of the model. The level of the speech tells that constant. Where a stop follows a vowel,
the level falls as the mouth closes; where a vowel follows a consonant, it rises. A minute of
speech holds a hundred such edges. The change of level around their tokens, averaged over all of
them, has one sharp peak, and its distance from the tokens is the lag. Pauses take no part, so
noise, gates and edited gaps do not move it.

`splices.probe_lag` is a second witness that needs neither text nor level.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from khmer_aligned.alignment.energy import HOP_SECONDS, Energy
from khmer_aligned.alignment.readings import BestPath

LagSource = Literal["given", "stated", "kept", "measured", "none"]

# Tokens are romanized letters or Khmer characters.
_VOWELS = frozenset("aeiou") | frozenset(map(chr, [*range(0x17A5, 0x17B4), *range(0x17B6, 0x17C6)]))
_STOPS = frozenset("bcdgkptq") | frozenset(map(chr, range(0x1780, 0x1797))) - frozenset("ងញណន")
_CONSONANTS = _STOPS | frozenset("hsសហ")

MAX_DIFFERENCE = 0.05  # seconds from the aligner's lag; a recording that differs by more is named
_MAX_STEP = 0.25  # seconds between the two tokens of an edge; between others there may be a pause
_MIN_SCORE = 0.3  # of a token; a worse one may lie anywhere
_LAGS = np.arange(-15, 61)  # hops: lags from -0.15 to 0.6 s are considered
_HALF = 2  # hops on each side of an edge: the change of level is taken over 40 ms
_DEPTH_DB = 25.0  # below loud speech; what is quieter is taken as this, however quiet it is
_MAX_CHANGE_DB = 12.0  # so that a click or a cut does not outweigh many edges
# Rises come this many hops nearer to their tokens than falls do: a closure is recognized only
# when it opens, a vowel sooner. Measured on 27 conditions of one voice and model: 0.049 to 0.055 s;
# on a second model and synthetic voice: 0.03 to 0.05.
_RISE_HOPS = 4
# With 80 edges the lag was within 0.03 s of the truth in all of 900 draws from 45 recordings of
# two models, with 40 in 99 %. The peak stands out by 5 standard errors or more where there are
# enough edges; by 4.2 at most in 5,000 draws with the tokens at random times.
MIN_EDGES = 60
_MIN_CLARITY = 5.0
# Below these the second witness is asked, too.
_AMPLE_EDGES, _AMPLE_CLARITY = 160, 8.0


@dataclass(frozen=True, slots=True, eq=False)
class Edges:
    """The change of level around the edges of one recording, summed, so that recordings add up.

    change: float64 (B,), dB at each lag of `_LAGS` before the token; power: the variance that the
    sum would have with the tokens at random times, dB squared; count: edges.
    """

    change: np.ndarray
    power: float
    count: int

    @classmethod
    def none(cls) -> Edges:
        """Of an aligner whose letters are even in their words, as its edges tell nothing."""
        return cls(np.zeros(len(_LAGS)), 0.0, 0)


@dataclass(frozen=True, slots=True)
class LagEstimate:
    """Seconds that tokens come late, None where the evidence is too little, and the evidence."""

    seconds: float | None
    edges: int
    recordings: int  # with at least one edge
    clarity: float  # height of the peak in standard errors of the change of level
    standard_error: float | None  # of `seconds`, by leaving out recordings in turn

    @property
    def is_borderline(self) -> bool:
        """Whether a second witness is needed."""
        few = self.edges < _AMPLE_EDGES or self.clarity < _AMPLE_CLARITY
        return self.seconds is None or few

    def describe(self) -> str:
        """The evidence in words."""
        text = f"{self.edges:,} edges of speech in {count(self.recordings, 'recording')}"
        if self.seconds is None:
            return f"{text}: at least {MIN_EDGES} that agree are needed"
        if self.standard_error is None:
            return text
        return f"{text}, standard error {self.standard_error * 1000:.0f} ms"


@dataclass(frozen=True, slots=True)
class Lag:
    """The seconds that are subtracted from all times, and where the figure is from.

    source: `given` by the user; `stated` by the aligner; `kept` from a calibration or an earlier
    build; `measured` on what is aligned; `none`, where 0 stands for a lag that is not known.
    """

    seconds: float
    source: LagSource
    edges: int = 0
    recordings: int = 0
    standard_error: float | None = None

    @classmethod
    def of(cls, estimate: LagEstimate, source: LagSource) -> Lag:
        """The lag of an estimate, in whole milliseconds; 0 and `none` where that is unknown."""
        seconds, error = estimate.seconds, estimate.standard_error
        return cls(
            seconds=0.0 if seconds is None else round(seconds, 3),
            source="none" if seconds is None else source,
            edges=estimate.edges,
            recordings=estimate.recordings,
            standard_error=None if error is None else round(error, 4),
        )


def path_edges(path: BestPath, energy: Energy, frame_seconds: float) -> Edges:
    """The edges of one recording, by its best path."""
    letters: list[str] = []
    indices: list[int] = []
    for tokens, (first, _) in zip(path.target.words, path.target.ranges, strict=True):
        letters += tokens.texts
        indices += range(first, first + len(tokens.texts))
    starts = path.spans.start[indices] * frame_seconds
    return find_edges(energy, letters, starts, path.spans.score[indices])


def find_edges(
    energy: Energy, letters: Sequence[str], starts: np.ndarray, scores: np.ndarray
) -> Edges:
    """The edges of one recording.

    letters: the text of each aligned token, in order; starts: seconds (K,) as the model gives
    them, no lag subtracted; scores: probabilities (K,).
    """
    decibels = energy.decibels.astype(np.float64)
    if len(decibels) <= 2 * _HALF or len(starts) < 2:
        return Edges(np.zeros(len(_LAGS)), 0.0, 0)
    level = np.maximum(decibels, np.percentile(decibels, 95) - _DEPTH_DB)
    change = np.zeros(len(level))
    change[_HALF:-_HALF] = level[2 * _HALF :] - level[: -2 * _HALF]
    change = np.clip(change, -_MAX_CHANGE_DB, _MAX_CHANGE_DB)

    small = [letter.lower() for letter in letters]
    vowel, stop, consonant = (
        np.array([letter in kind for letter in small]) for kind in (_VOWELS, _STOPS, _CONSONANTS)
    )
    sure = scores >= _MIN_SCORE
    near = (np.diff(starts) < _MAX_STEP) & sure[:-1] & sure[1:]
    falls = near & vowel[:-1] & stop[1:]
    rises = near & consonant[:-1] & vowel[1:]
    sums, edges = np.zeros(len(_LAGS)), 0
    for chosen, sign, shift in ((falls, -1, 0), (rises, 1, _RISE_HOPS)):
        hops = np.round(starts[1:][chosen] / HOP_SECONDS).astype(int)
        places = hops[:, None] - _LAGS + shift
        sums += sign * change[np.clip(places, 0, len(change) - 1)].sum(axis=0)
        edges += len(hops)
    return Edges(sums, edges * float(change.var()), edges)


def estimate_lag(recordings: Sequence[Edges]) -> LagEstimate:
    """The lag of the aligner that all these recordings were aligned with."""
    used = [edges for edges in recordings if edges.count]
    if not used:
        return LagEstimate(None, 0, 0, 0.0, None)
    total = _add(used)
    seconds, clarity = _find_peak(total)
    if not _is_clear(total):
        return LagEstimate(None, total.count, len(used), clarity, None)
    return LagEstimate(seconds, total.count, len(used), clarity, _standard_error(used))


def recording_lag(edges: Edges) -> float | None:
    """The lag that one recording tells; None where its evidence is too little."""
    return _find_peak(edges)[0] if _is_clear(edges) else None


def differing_lag(edges: Edges, lag: float) -> float | None:
    """The lag that a recording tells where it differs from the aligner's; None elsewhere.

    Such a recording is named with both figures, and aligned with the aligner's.
    """
    seconds = recording_lag(edges)
    return None if seconds is None or abs(seconds - lag) <= MAX_DIFFERENCE else seconds


def count(number: int, noun: str) -> str:
    """`1 recording`, `2 recordings`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _add(recordings: Sequence[Edges]) -> Edges:
    return Edges(
        np.sum([edges.change for edges in recordings], axis=0),
        sum(edges.power for edges in recordings),
        sum(edges.count for edges in recordings),
    )


def _standard_error(recordings: list[Edges]) -> float | None:
    """Of the lag of all recordings, by the jackknife."""
    n = len(recordings)
    if n < 2:
        return None
    total = _add(recordings)
    without = [
        _find_peak(Edges(total.change - e.change, total.power - e.power, total.count - e.count))[0]
        for e in recordings
    ]
    return float(np.sqrt((n - 1) * np.var(without)))


def _is_clear(edges: Edges) -> bool:
    return edges.count >= MIN_EDGES and _find_peak(edges)[1] >= _MIN_CLARITY


def _find_peak(edges: Edges) -> tuple[float, float]:
    """Seconds at the peak of the change of level, and its height in standard errors."""
    smooth = np.convolve(edges.change, np.full(3, 1 / 3), mode="same")
    k = int(np.argmax(smooth[1:-1])) + 1
    before, top, after = smooth[k - 1 : k + 2]
    bend = before - 2 * top + after
    between = 0.5 * (before - after) / bend if bend < 0 else 0.0
    # A hop's level is that of its middle.
    seconds = (_LAGS[k] + between - 0.5) * HOP_SECONDS
    return float(seconds), float(top / np.sqrt(edges.power)) if edges.power > 0 else 0.0
