"""Recordings and transcripts to words and tokens with times and scores.

Transcript -> tokens, with a star wherever untranscribed audio may stand; waveform -> emission; CTC
forced alignment -> frames, over every reading of the numbers and without unspoken phrases. Only
then is the aligner's lag subtracted, and word ends move to where the speech falls quiet: so the
paths of recordings can tell the lag first.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np

from khmer_aligned.aligners.base import Aligner, frame_seconds
from khmer_aligned.alignment import viterbi
from khmer_aligned.alignment.acoustics import Acoustics
from khmer_aligned.alignment.captioned import keep_to_captions
from khmer_aligned.alignment.energy import Energy, measure_energy
from khmer_aligned.alignment.lag import Edges, Lag, path_edges
from khmer_aligned.alignment.optional import drop_optional
from khmer_aligned.alignment.phrases import Frames
from khmer_aligned.alignment.readings import BestPath, find_best_path
from khmer_aligned.alignment.target import Target, make_target, span_index
from khmer_aligned.alignment.thresholds import DEFAULT, Thresholds
from khmer_aligned.alignment.unspoken import Fit, Unspoken, drop_unspoken
from khmer_aligned.audio import find_peak
from khmer_aligned.errors import Failed, UserError
from khmer_aligned.schema import SAMPLE_RATE, Cue, Problem
from khmer_aligned.text import Span, Transcript

_MIN_SECONDS = 0.1
_MIN_PEAK = 0.001  # -60 dB
_MAX_WIDENING = 0.4  # seconds by which a word's end may move behind its last token


@dataclass(frozen=True, slots=True)
class Timed:
    """A token or a word: seconds in the recording, score 0-1, characters of the raw transcript."""

    text: str
    start: float
    end: float
    score: float
    span: Span


@dataclass(frozen=True, slots=True)
class LocatedTranscript:
    """A transcript's path through its recording, in the aligner's own time: no lag is subtracted.

    unspoken: the phrases that were left out; fit: how well the others fit their audio; edges: what
    the recording tells of the lag
    """

    path: BestPath
    unspoken: tuple[Unspoken, ...]
    fit: Fit
    acoustics: Acoustics
    edges: Edges


@dataclass(frozen=True, slots=True)
class Alignment:
    """A transcript on its recording.

    transcript: in the readings that were spoken
    words: one for each of `transcript.words`; one without tokens (a symbol, an emoji) has score 0
        and, where nothing is spoken in its place, no length
    tokens: those of all words, in order
    token_ids: int32, as `tokens`
    token_ranges: of each word, its tokens as [first, last)
    unspoken: of each word, the unspoken phrase that it is in; it then has score 0 and no length
    fit: how well the other phrases fit their audio
    stars: seconds (S, 2) of audio between words that the transcript does not hold
    lag: what was subtracted from every time, and where it is from
    edges: what this recording tells of the lag
    """

    transcript: Transcript
    words: tuple[Timed, ...]
    tokens: tuple[Timed, ...]
    token_ids: np.ndarray
    token_ranges: tuple[tuple[int, int], ...]
    unspoken: tuple[Unspoken | None, ...]
    fit: Fit
    stars: np.ndarray
    acoustics: Acoustics
    lag: Lag
    edges: Edges


def align(
    waveforms: Sequence[np.ndarray],
    transcripts: Sequence[Transcript],
    aligner: Aligner,
    *,
    lag: float,
    thresholds: Thresholds = DEFAULT,
    cues: Sequence[Sequence[Cue]] | None = None,
) -> list[Alignment | Failed]:
    """Align each waveform (n,) at 16 kHz with its transcript.

    lag: seconds that the aligner's tokens come late; cues: of each transcript, the rough times of
    its parts. One that cannot be aligned gives `Failed`, so that it costs none of the others.
    """
    given = Lag(lag, "given")
    located = locate(waveforms, transcripts, aligner, thresholds, cues)
    return [item if isinstance(item, Failed) else set_times(item, given) for item in located]


def locate(
    waveforms: Sequence[np.ndarray],
    transcripts: Sequence[Transcript],
    aligner: Aligner,
    thresholds: Thresholds = DEFAULT,
    cues: Sequence[Sequence[Cue]] | None = None,
) -> list[LocatedTranscript | Failed]:
    """The path of each transcript through its waveform (n,) at 16 kHz, for `set_times`."""
    results: dict[int, LocatedTranscript | Failed] = {}
    targets: dict[int, Target] = {}
    for i, (waveform, transcript) in enumerate(zip(waveforms, transcripts, strict=True)):
        if failed := why_unusable(waveform):
            results[i] = failed
            continue
        try:
            targets[i] = make_target(transcript, aligner)
        except UserError as error:
            results[i] = Failed.of(error)
    emissions = aligner.emissions([waveforms[i] for i in targets])

    def locate_one(i: int, emission: np.ndarray) -> LocatedTranscript | Failed:
        frames = Frames.of(emission, aligner)
        try:
            path = _find_path(targets[i], cues[i] if cues else (), frames, aligner)
            return _locate_one(waveforms[i], path, frames, aligner, thresholds)
        except UserError as error:
            return Failed.of(error)

    with ThreadPoolExecutor(viterbi.count_cores()) as pool:  # the paths release the GIL
        results.update(zip(targets, pool.map(locate_one, targets, emissions), strict=True))
    return [results[i] for i in range(len(waveforms))]


def why_unusable(waveform: np.ndarray) -> Failed | None:
    """Why a waveform (n,) cannot be aligned with any transcript; None if it can."""
    if len(waveform) < _MIN_SECONDS * SAMPLE_RATE:
        milliseconds = f"{len(waveform) / SAMPLE_RATE * 1000:.0f} ms"
        return Failed(f"{milliseconds} of audio are too short", Problem.TOO_SHORT)
    peak = find_peak(waveform)
    if not np.isfinite(peak):
        return Failed("the audio holds NaN or infinite samples", Problem.UNREADABLE_AUDIO)
    if peak < _MIN_PEAK:
        silent = f"the audio is silent: nothing in it is over {_MIN_PEAK} of full scale"
        return Failed(silent, Problem.SILENT)
    return None


def _find_path(target: Target, cues: Sequence[Cue], frames: Frames, aligner: Aligner) -> BestPath:
    """The best path of a target, without what is not read aloud of it; raises UserError where none
    is."""
    if target.transcript.optional:
        target = drop_optional(target.transcript, frames.emission, aligner)
    path = find_best_path(target, frames.emission, aligner)
    return keep_to_captions(path, cues, frames, aligner) if cues else path


def _locate_one(
    waveform: np.ndarray,
    path: BestPath,
    frames: Frames,
    aligner: Aligner,
    thresholds: Thresholds,
) -> LocatedTranscript:
    """What was spoken of a transcript in a waveform (n,), given the path of all of it."""
    path, unspoken, fit = drop_unspoken(path, frames, aligner, thresholds)
    energy = measure_energy(waveform, thresholds)
    acoustics = Acoustics(
        aligner=aligner.name,
        greedy=frames.greedy,
        blank=aligner.blank,
        frame_seconds=frame_seconds(aligner),
        lag=0.0,
        energy=energy,
        duration=len(waveform) / SAMPLE_RATE,
        waveform=waveform,
    )
    edges = (
        path_edges(path, energy, frame_seconds(aligner)) if aligner.lag is None else Edges.none()
    )
    return LocatedTranscript(path, unspoken, fit, acoustics, edges)


def set_times(located: LocatedTranscript, lag: Lag) -> Alignment:
    """Turn the frames of a path into the times of words and tokens, `lag` earlier."""
    acoustics = replace(located.acoustics, lag=lag.seconds)
    target, spans, unspoken = located.path.target, located.path.spans, located.unspoken
    frame, duration = acoustics.frame_seconds, acoustics.duration
    starts = np.clip(spans.start * frame - lag.seconds, 0, duration).tolist()
    ends = np.clip(spans.end * frame - lag.seconds, 0, duration).tolist()

    tokens: list[Timed] = []
    words: list[Timed] = []
    token_ranges = []
    transcript = target.transcript
    for word, spelled, (lo, hi) in zip(transcript.words, target.words, target.ranges, strict=True):
        # A word without tokens has the range of its star, and gives no token.
        timed = [
            Timed(text, starts[lo + k], ends[lo + k], float(spans.score[lo + k]), span)
            for k, (text, span) in enumerate(zip(spelled.texts, spelled.spans, strict=True))
        ]
        token_ranges.append((len(tokens), len(tokens) + len(timed)))
        tokens += timed
        score = float(spans.score[lo:hi].mean()) if spelled.ids else 0.0
        words.append(Timed(word.text, starts[lo], ends[hi - 1], score, word.span))
    taken = spans.end[target.stars] > spans.start[target.stars]
    stars = np.array([(starts[k], ends[k]) for k in target.stars[taken]]).reshape(-1, 2)
    phrases = [span_index(target.omitted, word.span[0]) for word in words]
    unspoken_of = tuple(None if k is None else unspoken[k] for k in phrases)
    return Alignment(
        transcript=transcript,
        words=tuple(_set_ends(words, unspoken_of, stars, acoustics)),
        tokens=tuple(tokens),
        token_ids=np.concatenate([np.array(word.ids, np.int32) for word in target.words]),
        token_ranges=tuple(token_ranges),
        unspoken=unspoken_of,
        fit=located.fit,
        stars=stars,
        acoustics=acoustics,
        lag=lag,
        edges=located.edges,
    )


def _set_ends(
    words: list[Timed],
    unspoken: Sequence[Unspoken | None],
    stars: np.ndarray,
    acoustics: Acoustics,
) -> list[Timed]:
    """The words with their ends moved to where the speech falls quiet, and unspoken words placed
    between their neighbours."""
    duration = acoustics.duration
    next_starts = [*(word.start for word in words[1:]), duration]  # of spoken words
    for k in reversed(range(len(words) - 1)):
        if unspoken[k + 1]:
            next_starts[k] = next_starts[k + 1]
    moved: list[Timed] = []
    for word, phrase, next_start in zip(words, unspoken, next_starts, strict=True):
        k = int(np.searchsorted(stars[:, 0], word.start))
        star = float(stars[k, 0]) if k < len(stars) else duration
        if phrase:
            last_end = moved[-1].end if moved else 0.0
            moment = _unspoken_moment(last_end, next_start, star, acoustics.energy)
            moved.append(replace(word, start=moment, end=moment))
        else:
            moved.append(replace(word, end=_spoken_end(word, next_start, star, acoustics)))
    return moved


def _spoken_end(word: Timed, next_start: float, star: float, acoustics: Acoustics) -> float:
    """Where the speech falls quiet behind a word: before the next word, other speech, and the
    untranscribed audio that begins at `star`."""
    latest = min(next_start, word.end + _MAX_WIDENING, star)
    latest = acoustics.next_speech(word.end, latest)
    if latest <= word.end:
        return word.end
    return acoustics.energy.word_end(word.start, word.end, latest, next_start)


def _unspoken_moment(last_end: float, next_start: float, star: float, energy: Energy) -> float:
    """When an unspoken word would have been: where untranscribed audio begins between its
    neighbours, else in the quiet there."""
    moment = star if star < next_start else energy.quietest_moment(last_end, next_start)
    return min(max(last_end, moment), next_start)
