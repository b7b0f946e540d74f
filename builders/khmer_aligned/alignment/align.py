"""Recordings and transcripts to words and tokens with time stamps and scores.

Transcript -> labels, with a star wherever untranscribed audio may stand; waveform -> emissions;
CTC forced alignment -> frames, over every reading of the numbers; the model's lateness taken off,
word ends moved to where the speech falls quiet.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from khmer_aligned.aligners.base import Aligner, frame_seconds
from khmer_aligned.alignment import viterbi
from khmer_aligned.alignment.energy import Energy, estimate_offset, measure_energy
from khmer_aligned.alignment.readings import BestPath, best_paths
from khmer_aligned.alignment.target import Target, holder, target
from khmer_aligned.alignment.unspoken import GivenUp, give_up
from khmer_aligned.errors import UserError
from khmer_aligned.schema import SAMPLE_RATE
from khmer_aligned.text import Span, Transcript

_FIRST_WORD_GAP = 0.2  # seconds without a token that make the next word a first one
_SONORANTS = frozenset("mnlrvwy")
_SHORTEST = 0.1  # seconds of audio
_SILENT = 0.001  # -60 dB
_MAX_WIDENING = 0.4  # seconds that a word's end may move behind its last peak


@dataclass(frozen=True, slots=True)
class Timed:
    """A token or a word: seconds in the recording, score 0-1, characters of the raw transcript."""

    text: str
    start: float
    end: float
    score: float
    span: Span


@dataclass(frozen=True, slots=True)
class Alignment:
    """A transcript on its recording. `words[k]` is `transcript.words[k]`.

    A word without labels (a symbol, an emoji) has score 0 and, if nothing was heard there, no
    length. `tokens` holds the labels of all words in order, those of word k at
    `token_ranges[k]`. `stars` are seconds (S, 2) of audio that the transcript does not hold,
    between words. `lost[k]` is the phrase of word k where it was given up: such words have score 0
    and no length. `best` is the model's best label at each frame, (T,), for comparing what it
    hears with what it was told.
    """

    transcript: Transcript
    words: tuple[Timed, ...]
    tokens: tuple[Timed, ...]
    token_ids: np.ndarray  # int32, as tokens
    token_ranges: tuple[tuple[int, int], ...]
    stars: np.ndarray
    lost: tuple[GivenUp | None, ...]
    best: np.ndarray
    blank: int
    frame: float  # seconds
    offset: float  # seconds that were taken off every time
    energy: Energy
    duration: float  # seconds

    def heard(self, start: float, end: float) -> list[int]:
        """The model's own labels between two times: best of each frame, merged, no blanks."""
        lo = max(0, round((start + self.offset) / self.frame))
        hi = max(lo, round((end + self.offset) / self.frame))
        return viterbi.collapse(self.best[lo:hi], self.blank).tolist()


def align(
    waveforms: Sequence[np.ndarray], transcripts: Sequence[Transcript], aligner: Aligner
) -> list[Alignment | UserError]:
    """Align each waveform (n,) at 16 kHz with its transcript.

    What cannot be aligned gives its `UserError` in the place of an alignment, so that it costs
    none of the others.
    """
    targets = [
        _unheard(waveform) or target(transcript, aligner)
        for waveform, transcript in zip(waveforms, transcripts, strict=True)
    ]
    results: list[Alignment | UserError] = list(targets)  # the errors among them stay
    wanted = [i for i, each in enumerate(targets) if isinstance(each, Target)]
    emissions = aligner.emissions([waveforms[i] for i in wanted])
    paths = best_paths([(transcripts[i], targets[i]) for i in wanted], emissions, aligner)
    best = [emission.argmax(axis=1).astype(np.int32) for emission in emissions]
    paths, given_up = give_up(paths, emissions, best, aligner)
    for i, path, lost, heard in zip(wanted, paths, given_up, best, strict=True):
        if isinstance(path, UserError):
            results[i] = path
        else:
            results[i] = _timed(waveforms[i], path, lost, heard, aligner)
    return results


def _unheard(waveform: np.ndarray) -> UserError | None:
    """What there is to say of audio that nothing can be heard in."""
    if len(waveform) < _SHORTEST * SAMPLE_RATE:
        return UserError(f"{len(waveform) / SAMPLE_RATE * 1000:.0f} ms of audio are too short")
    peak = np.abs(waveform).max()
    if not np.isfinite(peak):
        return UserError("the audio holds NaN or infinite samples")
    if peak < _SILENT:
        return UserError(f"the audio is silent: nothing in it is over {_SILENT} of full scale")
    return None


def _timed(
    waveform: np.ndarray,
    found: BestPath,
    given_up: tuple[GivenUp, ...],
    best: np.ndarray,
    aligner: Aligner,
) -> Alignment:
    target, spans = found.target, found.spans
    frame = frame_seconds(aligner)
    duration = len(waveform) / SAMPLE_RATE
    energy = measure_energy(waveform)
    offset = estimate_offset(energy, *_first_words(found, frame))
    offset = aligner.offset if offset is None else offset
    starts = np.clip(spans.start * frame - offset, 0, duration).tolist()
    ends = np.clip(spans.end * frame - offset, 0, duration).tolist()

    tokens: list[Timed] = []
    words: list[Timed] = []
    ranges = []
    told = found.transcript.words
    for word, labels, (lo, hi) in zip(told, target.words, target.places, strict=True):
        begin = len(tokens)
        for k, text, span in zip(range(lo, hi), labels.texts, labels.spans, strict=False):
            tokens.append(Timed(text, starts[k], ends[k], float(spans.score[k]), span))
        ranges.append((begin, len(tokens)))
        score = float(spans.score[lo:hi].mean()) if labels.ids else 0.0
        words.append(Timed(word.text, starts[lo], ends[hi - 1], score, word.span))
    heard = spans.end[target.stars] > spans.start[target.stars]
    stars = np.array([(starts[k], ends[k]) for k in target.stars[heard]]).reshape(-1, 2)
    holders = [holder(target.omitted, word.span[0]) for word in words]
    lost = tuple(None if k is None else given_up[k] for k in holders)
    return Alignment(
        transcript=found.transcript,
        words=tuple(_widened(words, lost, stars, energy, duration)),
        tokens=tuple(tokens),
        token_ids=np.concatenate([np.array(labels.ids, np.int32) for labels in target.words]),
        token_ranges=tuple(ranges),
        stars=stars,
        lost=lost,
        best=best,
        blank=aligner.blank,
        frame=frame,
        offset=offset,
        energy=energy,
        duration=duration,
    )


def _first_words(found: BestPath, frame: float) -> tuple[np.ndarray, np.ndarray]:
    """Of the words that follow a stretch without tokens: start times as the model gives them (K,),
    and whether they begin with a sonorant (K,)."""
    starts, sonorant, reached = [], [], -np.inf
    spans, target = found.spans, found.target
    words = found.transcript.words
    for word, labels, (lo, hi) in zip(words, target.words, target.places, strict=True):
        if not labels.ids:
            continue
        start, end = spans.start[lo] * frame, spans.end[hi - 1] * frame
        if start - reached >= _FIRST_WORD_GAP:
            starts.append(start)
            sonorant.append(word.romanized[:1] in _SONORANTS)
        reached = end
    return np.array(starts), np.array(sonorant, bool)


def _widened(
    words: list[Timed],
    lost: Sequence[GivenUp | None],
    stars: np.ndarray,
    energy: Energy,
    duration: float,
) -> list[Timed]:
    """Word ends moved from the last peak to where the speech falls quiet or the next word starts.

    Untranscribed audio behind a word is not given to it. Words that were given up stand together
    where such audio begins, else in the quiet between their neighbours.
    """
    following = [*(word.start for word in words[1:]), duration]
    for k in reversed(range(len(words) - 1)):
        if lost[k + 1]:
            following[k] = following[k + 1]
    widened: list[Timed] = []
    for word, given_up, after in zip(words, lost, following, strict=True):
        k = np.searchsorted(stars[:, 0], word.start)
        star = float(stars[k, 0]) if k < len(stars) else duration
        if given_up:
            before = widened[-1].end if widened else 0.0
            moment = star if star < after else energy.quietest(before, after)
            moment = min(max(before, moment), after)
            widened.append(replace(word, start=moment, end=moment))
        else:
            limit = min(after, word.end + _MAX_WIDENING, star)
            end = energy.falls(word.end, limit) if limit > word.end else word.end
            widened.append(replace(word, end=end))
    return widened
