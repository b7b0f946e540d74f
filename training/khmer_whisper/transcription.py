"""Audio of any length to text with times, and to subtitles."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pysubs2
from tqdm import tqdm

from khmer_aligned import audio
from khmer_aligned.errors import UserError
from khmer_aligned.schema import SAMPLE_RATE
from khmer_whisper.decode import recognize
from khmer_whisper.model import Whisper

TOKENS_PER_SECOND = 36  # of read Khmer, 99th percentile, for Whisper's tokenizer and for bytes
SHORTEST = 0.1  # seconds in which something can be said
HOP = SAMPLE_RATE // 100
SMOOTHING = 20  # hops: a pause is a fifth of a second
SILENCE_DB = 50  # below the loudest part of the file
NOTHING_DB = -70  # below full scale: no recording of speech is as quiet


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch between two pauses and what was said in it; seconds from the file's start."""

    start: float
    end: float
    text: str


@dataclass(frozen=True, slots=True)
class Transcription:
    """A whole file."""

    audio: str  # the file's name
    duration: float  # seconds
    segments: list[Segment]

    @property
    def text(self) -> str:
        return " ".join(segment.text for segment in self.segments)

    def render(self, form: str) -> str:
        """As txt (a line for each segment), json, or subtitles: srt, vtt."""
        if form == "txt":
            return "".join(segment.text + "\n" for segment in self.segments)
        if form == "json":
            return json.dumps(asdict(self), ensure_ascii=False, indent=2) + "\n"
        subtitles = pysubs2.SSAFile()
        subtitles.events = [
            pysubs2.SSAEvent(round(s.start * 1000), round(s.end * 1000), s.text)
            for s in self.segments
        ]
        return subtitles.to_string(form)


def transcribe(
    whisper: Whisper, path: Path, batch_size: int = 8, quiet: bool = False
) -> Transcription:
    """Transcribe one file; memory grows with its length by the waveform only.

    The file is cut at its pauses into stretches as long as the clips that the model has learned
    from: asked for more, a model tuned on short clips leaves words out. Stretches without sound
    are left out, where a Whisper would make words up. Raises UserError for an unreadable file.
    """
    samples = audio.load(path, name=str(path))
    if len(samples) < SHORTEST * SAMPLE_RATE:
        raise UserError(f"{path}: {1000 * len(samples) / SAMPLE_RATE:.0f} ms hold no word")
    spans = stretches(samples, longest_stretch(whisper))
    segments: list[Segment] = []
    with tqdm(
        total=round(len(samples) / SAMPLE_RATE), desc=path.name, unit="s", delay=2, disable=quiet
    ) as progress:
        for first in range(0, len(spans), batch_size):
            batch = spans[first : first + batch_size]
            heard = recognize(whisper, [samples[start:end] for start, end in batch])
            for (start, end), recognized in zip(batch, heard, strict=True):
                if recognized.text:
                    segments.append(
                        Segment(
                            round(start / SAMPLE_RATE, 3),
                            round(end / SAMPLE_RATE, 3),
                            recognized.text,
                        )
                    )
            progress.update(round(batch[-1][1] / SAMPLE_RATE) - progress.n)
    return Transcription(path.name, len(samples) / SAMPLE_RATE, segments)


def longest_stretch(whisper: Whisper) -> float:
    """Seconds that the model can be trusted with: its training clips', else its decoder's."""
    learned = getattr(whisper.model.config, "clip_seconds", None)
    return min(learned or whisper.max_tokens / TOKENS_PER_SECOND, whisper.seconds)


def stretches(samples: np.ndarray, longest: float) -> list[tuple[int, int]]:
    """Sample spans of at most `longest` seconds that cover all sound, cut where it is quietest.

    Each cut lies in the later half of what is allowed, so that no stretch is a mere word. Silence
    at a stretch's ends is taken off, and a silent stretch is not returned.
    """
    levels = _levels(samples)
    floor = max(levels.max() - SILENCE_DB, NOTHING_DB)
    limit = max(2, int(longest * SAMPLE_RATE) // HOP)
    spans = []
    start = 0
    while start < len(levels):
        end = min(start + limit, len(levels))
        if end < len(levels):
            later = start + limit // 2
            end = later + int(np.argmin(levels[later:end])) + 1
        loud = np.flatnonzero(levels[start:end] > floor)
        if len(loud):
            first = max(start, start + int(loud[0]) - SMOOTHING)
            last = min(end, start + int(loud[-1]) + 1 + SMOOTHING)
            spans.append((first * HOP, min(last * HOP, len(samples))))
        start = end
    return spans


def _levels(samples: np.ndarray) -> np.ndarray:
    """Decibels of each hop (n,), smoothed over a fifth of a second."""
    hops = max(1, -(-len(samples) // HOP))
    padded = np.zeros(hops * HOP, np.float32)
    padded[: len(samples)] = samples
    power = np.square(padded.reshape(hops, HOP)).mean(axis=1)
    smooth = np.convolve(power, np.ones(SMOOTHING) / SMOOTHING, mode="same")[:hops]
    return 10 * np.log10(smooth + 1e-10)
