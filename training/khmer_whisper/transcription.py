"""Audio of any length to text with times, and to subtitles."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from tqdm import tqdm

from khmer_aligned import audio as audio_files
from khmer_aligned.errors import Failed, UserError
from khmer_aligned.schema import SAMPLE_RATE
from khmer_aligned.subtitles import Cue, render_subtitles
from khmer_whisper.decode import recognize
from khmer_whisper.model import Whisper

Form = Literal["txt", "json", "srt", "vtt"]

LABELS_PER_SECOND = 36  # of read Khmer, 99th percentile, for Whisper's tokenizer and for bytes
SHORTEST = 0.1  # seconds; nothing shorter holds a word
HOP = SAMPLE_RATE // 100
SMOOTHING = 20  # hops: a pause is a fifth of a second
SILENCE_DB = -50  # relative to the loudest part of the file
NO_SPEECH_DB = -70  # relative to full scale: no recording of speech is as quiet


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch between two pauses and its text; seconds from the start of the audio."""

    start: float
    end: float
    text: str


@dataclass(frozen=True, slots=True)
class Transcription:
    """The transcription of a whole file or waveform."""

    audio: str  # the file's name; empty for a waveform
    duration: float  # seconds
    segments: list[Segment]

    @property
    def text(self) -> str:
        return " ".join(segment.text for segment in self.segments)

    def render(self, form: Form) -> str:
        """Write it as txt (a line for each segment), json, or subtitles: srt, vtt."""
        if form == "txt":
            return "".join(segment.text + "\n" for segment in self.segments)
        if form == "json":
            return json.dumps(asdict(self), ensure_ascii=False, indent=2) + "\n"
        cues = [Cue(segment.start, segment.end, segment.text) for segment in self.segments]
        return render_subtitles(cues, form)


def transcribe(
    whisper: Whisper, audio: str | Path | np.ndarray, batch_size: int = 8, quiet: bool = False
) -> Transcription:
    """Transcribe a file, or a waveform (n,): mono float32 at 16 kHz.

    The audio is cut at its pauses into stretches as long as the clips that the model was tuned on:
    on longer ones it would leave words out. Silent stretches are skipped, for which a Whisper
    would invent words. Memory grows with the length of the waveform only. Shows a progress bar
    unless `quiet`. Raises UserError for a file that cannot be read or is too short.
    """
    if isinstance(audio, np.ndarray):
        name, samples = "", audio.astype(np.float32, copy=False)
    else:
        name, samples = Path(audio).name, audio_files.load(Path(audio), name=str(audio))
    if len(samples) < SHORTEST * SAMPLE_RATE:
        milliseconds = 1000 * len(samples) / SAMPLE_RATE
        raise UserError(f"{audio if name else 'audio'}: {milliseconds:.0f} ms hold no word")
    spans = find_stretches(samples, longest_stretch(whisper))
    segments: list[Segment] = []
    with tqdm(
        total=round(len(samples) / SAMPLE_RATE), desc=name, unit="s", delay=2, disable=quiet
    ) as progress:
        for first in range(0, len(spans), batch_size):
            batch = spans[first : first + batch_size]
            results = recognize(whisper, [samples[start:end] for start, end in batch])
            segments += [
                Segment(round(start / SAMPLE_RATE, 3), round(end / SAMPLE_RATE, 3), result.text)
                for (start, end), result in zip(batch, results, strict=True)
                if result.text
            ]
            progress.update(round(batch[-1][1] / SAMPLE_RATE) - progress.n)
    return Transcription(name, len(samples) / SAMPLE_RATE, segments)


def transcribe_files(
    whisper: Whisper, files: Sequence[Path], batch_size: int
) -> Iterator[Transcription | Failed]:
    """Transcribe files one after the other; a file that cannot be read costs none of the others."""
    for file in files:
        try:
            yield transcribe(whisper, file, batch_size)
        except UserError as error:
            yield Failed(str(error))


def longest_stretch(whisper: Whisper) -> float:
    """Seconds that the model transcribes reliably: the length of its training clips, or what its
    decoder holds, at most its window."""
    seconds = whisper.clip_seconds or whisper.max_labels / LABELS_PER_SECOND
    return min(seconds, whisper.seconds)


def find_stretches(samples: np.ndarray, longest: float) -> list[tuple[int, int]]:
    """Sample spans of at most `longest` seconds that cover all sound, cut where it is quietest.

    Each cut lies in the second half of the allowed length, so that no stretch is a single word.
    Silence at the ends of a stretch is trimmed, and a silent stretch is dropped.
    """
    levels = _levels(samples)
    floor = max(levels.max() + SILENCE_DB, NO_SPEECH_DB)
    limit = max(2, int(longest * SAMPLE_RATE) // HOP)
    spans = []
    start = 0
    while start < len(levels):
        end = min(start + limit, len(levels))
        if end < len(levels):
            middle = start + limit // 2
            end = middle + int(np.argmin(levels[middle:end])) + 1
        loud = np.flatnonzero(levels[start:end] > floor)
        if len(loud):
            first = max(start, start + int(loud[0]) - SMOOTHING)
            last = min(end, start + int(loud[-1]) + 1 + SMOOTHING)
            spans.append((first * HOP, min(last * HOP, len(samples))))
        start = end
    return spans


def _levels(samples: np.ndarray) -> np.ndarray:
    """The level of each hop in decibels (n,), smoothed over a fifth of a second."""
    hops = max(1, -(-len(samples) // HOP))
    padded = np.zeros(hops * HOP, np.float32)
    padded[: len(samples)] = samples
    power = np.square(padded.reshape(hops, HOP)).mean(axis=1)
    smooth = np.convolve(power, np.ones(SMOOTHING) / SMOOTHING, mode="same")[:hops]
    return 10 * np.log10(smooth + 1e-10)
