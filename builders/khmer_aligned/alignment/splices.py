"""The lag by splices: a second witness that needs neither text nor level nor pauses.

Quiet is spliced into the audio at known times. Greedy tokens whose sound lies before a splice stay
where they were, and those behind it move with it. The lag is how far behind the splice's time, in
the model's own time, the boundary between both kinds lies.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from rapidfuzz.distance import Levenshtein

from khmer_aligned.aligners.base import Aligner, frame_seconds
from khmer_aligned.alignment.energy import HOP, HOP_SECONDS, measure_energy
from khmer_aligned.alignment.thresholds import DEFAULT
from khmer_aligned.schema import SAMPLE_RATE

MAX_WITNESS_DIFFERENCE = 0.06  # seconds between both witnesses; more is to be said

_SECONDS = 0.8  # of quiet at each splice
_EVERY = 2.0  # seconds
_LEVEL_DB = -70.0  # of full scale
_NEAR = 0.7  # seconds around a splice in which tokens are compared
_MAX_SHIFT = 0.15  # seconds by which a token may move besides
_MIN_SPLICES = 60
_MIN_PARTED = 0.93  # of the tokens: speech gives 0.96 and more, noise 0.87 to 0.95
_MIN_TOKENS = 5  # a splice; speech gives 10 and more
# A token moves with the larger part of its sound, which comes after its start, so that splices say
# less than the lag. By how much, with two models, over 90 splices in each of 27 conditions: 0.03
# to 0.085 s, 0.055 in the median.
_BIAS = 0.055


@dataclass(frozen=True, slots=True)
class SpliceProbe:
    """The lag as splices tell it; None where they are too few or tell nothing."""

    seconds: float | None
    splices: int
    tokens: int
    parted: float  # share of the tokens that one boundary parts rightly

    def disagrees(self, lag: float) -> bool:
        """Whether the splices tell another lag."""
        return self.seconds is not None and abs(self.seconds - lag) > MAX_WITNESS_DIFFERENCE

    def describe(self, lag: float | None) -> str:
        """What the splices tell, and whether they agree with a lag that is known otherwise."""
        if self.seconds is None:
            return f"{self.splices} splices of quiet tell nothing"
        text = f"{self.splices} splices of quiet tell {self.seconds * 1000:.0f} ms"
        if lag is None:
            return text
        if self.disagrees(lag):
            return f"{text}, {abs(self.seconds - lag) * 1000:.0f} ms apart: one of them is wrong"
        return f"{text}: they agree"


def probe_lag(aligner: Aligner, waveforms: Sequence[np.ndarray]) -> SpliceProbe:
    """The lag as splices tell it, within some 0.035 s.

    waveforms (n,) at 16 kHz; three minutes of speech in all are enough, and go through the model
    twice.
    """
    spliced = [_splice(waveform, seed) for seed, waveform in enumerate(waveforms)]
    plain = aligner.emissions(waveforms)
    moved = aligner.emissions([waveform for waveform, _ in spliced])
    places: list[float] = []
    behind: list[bool] = []
    for before, after, (_, times) in zip(plain, moved, spliced, strict=True):
        for k, time in enumerate(times.tolist()):
            begin = max(time - _NEAR, times[k - 1] + _NEAR / 2) if k else time - _NEAR
            tokens_before = _greedy(before, aligner, begin, time + _NEAR)
            shift = k * _SECONDS
            tokens_after = _greedy(after, aligner, begin + shift, time + _NEAR + shift + _SECONDS)
            for place, side in _sides(tokens_before, tokens_after, shift):
                places.append(place - time)
                behind.append(side)
    splices = sum(len(times) for _, times in spliced)
    if not places:
        return SpliceProbe(None, splices, 0, 0.0)
    seconds, parted = _find_boundary(np.array(places), np.array(behind, bool))
    is_clear = (
        splices >= _MIN_SPLICES and len(places) >= _MIN_TOKENS * splices and parted >= _MIN_PARTED
    )
    return SpliceProbe(seconds + _BIAS if is_clear else None, splices, len(places), parted)


def _splice(waveform: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The waveform with quiet put in where it is loud, and seconds (S,) of each place in it as
    it was."""
    rng = np.random.default_rng(seed)
    decibels = measure_energy(waveform, DEFAULT).decibels
    if not len(decibels):
        return waveform, np.zeros(0)
    loud = np.flatnonzero(decibels > np.percentile(decibels, 95) - 15)
    hops, last = [], 0
    for hop in loud.tolist():
        if hop >= last + (_EVERY + rng.uniform(-0.5, 0.5)) / HOP_SECONDS:
            hops.append(hop)
            last = hop
    samples = round(_SECONDS * SAMPLE_RATE)
    quiet = rng.standard_normal(samples).astype(np.float32) * np.float32(10 ** (_LEVEL_DB / 20))
    first, *rest = np.split(waveform, np.array(hops, int) * HOP)
    parts = [first, *(part for piece in rest for part in (quiet, piece))]
    return np.concatenate(parts), np.array(hops) * HOP_SECONDS


@dataclass(frozen=True, slots=True)
class _GreedyTokens:
    """The greedy tokens of a stretch: their ids, and the seconds at which they begin."""

    ids: list[int]
    times: list[float]


def _greedy(emission: np.ndarray, aligner: Aligner, begin: float, end: float) -> _GreedyTokens:
    """The greedy tokens that begin between two times in an emission (T, V)."""
    frame = frame_seconds(aligner)
    lo, hi = max(0, round(begin / frame)), max(0, round(end / frame))
    best = emission[lo:hi].argmax(axis=1) if hi > lo else np.zeros(0, int)
    first = np.flatnonzero((np.diff(best, prepend=aligner.blank) != 0) & (best != aligner.blank))
    return _GreedyTokens(best[first].tolist(), ((lo + first) * frame).tolist())


def _sides(before: _GreedyTokens, after: _GreedyTokens, shift: float) -> list[tuple[float, bool]]:
    """Of each token that is there before and after the splice: its time before, and whether it
    came back behind the quiet. shift: seconds of quiet that were spliced in further ahead."""
    sides = []
    for block in Levenshtein.opcodes(before.ids, after.ids):
        if block.tag != "equal":
            continue
        rows = range(block.src_start, block.src_end), range(block.dest_start, block.dest_end)
        for i, j in zip(*rows, strict=True):
            moved = after.times[j] - shift - before.times[i]
            is_behind = moved > _SECONDS / 2
            if abs(moved - is_behind * _SECONDS) < _MAX_SHIFT:
                sides.append((before.times[i], is_behind))
    return sides


def _find_boundary(places: np.ndarray, behind: np.ndarray) -> tuple[float, float]:
    """The place that best parts what came back before the quiet from what came back behind it,
    and the share of the tokens that it parts rightly.

    By the likelihood of a logistic curve 20 ms wide, where no token costs more than 3 nats.
    """
    candidates = np.arange(-0.2, 0.7, 0.005)
    sign = np.where(behind, 1.0, -1.0)
    margins = sign * (places - candidates[:, None])
    cost = np.minimum(np.logaddexp(0, -margins / 0.02), 3.0).sum(axis=1)
    k = int(np.argmin(cost))
    return float(candidates[k]), float((margins[k] > 0).mean())
