"""A clip to a training example: timestamps, what was said before, neighbours, augmentation."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import Any

import numpy as np
import soxr

from khmer_aligned.schema import SAMPLE_RATE
from khmer_aligned.text import Transcript
from khmer_aligned.text.transcript import Break
from khmer_whisper.config import Config
from khmer_whisper.examples.collate import Example
from khmer_whisper.examples.data import waveform
from khmer_whisper.labels import Labeller, Stretch
from khmer_whisper.model import Whisper

PHRASE_PAUSE = 0.2  # seconds at a space of the text: the speaker has ended a phrase

Row = dict[str, Any]


class Maker:
    """Makes examples of one language; what is drawn for one is drawn from the generator given."""

    def __init__(self, whisper: Whisper, config: Config, language: str) -> None:
        self.labeller = Labeller(whisper.tokenizer, language)
        self.max_tokens = whisper.max_tokens
        self.max_samples = whisper.extractor.n_samples
        self.config = config

    def example(
        self,
        row: Row,
        draw: np.random.Generator,
        following: Iterable[Row] = (),
        before: Callable[[], Row | None] = lambda: None,
    ) -> Example:
        """The example of a clip; `following` and `before` are the clips around it, if any."""
        config = self.config
        joined, timed, prompted, changed = draw.random(4) < (
            config.join,
            config.timestamps,
            config.previous_text,
            config.augment,
        )
        rows = self._joined(row, following) if joined else [row]
        samples, stretches = _laid_out(rows, config.text, phrased=bool(timed))
        if changed:
            samples, tempo = augmented(samples, draw, self.max_samples)
            stretches = [Stretch(s.text, s.start / tempo, s.end / tempo) for s in stretches]
        text = _text(stretches)
        previous = self._previous(before(), text, len(stretches)) if prompted else []
        if timed and self._length(text) + 2 * len(stretches) - 1 <= self.max_tokens:
            return Example(samples, self.labeller.timed(stretches, previous))
        return Example(samples, self.labeller.plain(text, previous))

    def _joined(self, row: Row, following: Iterable[Row]) -> list[Row]:
        """The clip and as many that follow it in its recording as the model's limits allow."""
        rows = [row]
        for other in following:
            samples, stretches = _laid_out([*rows, other], self.config.text)
            if len(samples) > self.max_samples or self._length(_text(stretches)) > self.max_tokens:
                break
            rows.append(other)
        return rows

    def _previous(self, before: Row | None, text: str, stretches: int) -> list[int]:
        """The end of the clip before, as much as half the decoder and the labels leave room for."""
        if before is None:
            return []
        ids = self.labeller.text_ids(before[self.config.text])
        free = self.max_tokens - self._length(text) - 2 * stretches - 1
        room = min(self.max_tokens // 2 - 1, free)
        return ids[-room:] if room > 0 else []

    def _length(self, text: str) -> int:
        return len(self.labeller.plain(text))


def phrases(row: Row, column: str) -> list[Stretch]:
    """The text of a clip in the phrases that its speaker made of it, as Whisper's segments are.

    A phrase ends with a sentence, or at a space of the text where the speaker pauses. Where the
    clip's words are not those that its text is read as by default, it stays one stretch.
    """
    words = row["words"]
    transcript = Transcript.from_text(row["text"])
    if not words or [word.text for word in transcript.words] != [w["text"] for w in words]:
        return [_whole(row, column)]
    ends = [
        k
        for k, (this, after) in enumerate(pairwise(words))
        if (strength := transcript.words[k].break_after) >= Break.SENTENCE
        or (strength >= Break.SPACE and after["start"] - this["end"] >= PHRASE_PAUSE)
    ]
    slice_of = transcript.written if column == "text" else transcript.spoken_text
    found = [
        Stretch(slice_of(i, j), words[i]["start"], words[j - 1]["end"])
        for i, j in pairwise([0, *(k + 1 for k in ends), len(words)])
    ]
    return found if _text(found) == row[column] else [_whole(row, column)]


def _whole(row: Row, column: str) -> Stretch:
    words = row["words"] or [{"start": 0.0, "end": row["duration"]}]
    return Stretch(row[column], words[0]["start"], words[-1]["end"])


def _laid_out(
    rows: list[Row], column: str, phrased: bool = False
) -> tuple[np.ndarray, list[Stretch]]:
    """Clips of one recording, the pauses between them filled with silence."""
    parts: list[np.ndarray] = []
    stretches: list[Stretch] = []
    for i, row in enumerate(rows):
        if i:
            pause = row["start"] - rows[i - 1]["end"]
            parts.append(np.zeros(max(0, round(pause * SAMPLE_RATE)), np.float32))
        offset = sum(map(len, parts)) / SAMPLE_RATE
        for stretch in phrases(row, column) if phrased else [_whole(row, column)]:
            stretches.append(Stretch(stretch.text, offset + stretch.start, offset + stretch.end))
        parts.append(waveform(row))
    return np.concatenate(parts), stretches


def _text(stretches: list[Stretch]) -> str:
    return " ".join(stretch.text for stretch in stretches)


def augmented(
    samples: np.ndarray, draw: np.random.Generator, longest: int
) -> tuple[np.ndarray, float]:
    """Other speed (0.9-1.1), noise (10-40 dB below the speech), other loudness (+-6 dB).

    Returns the samples and the factor of speed; a clip that would outgrow `longest` keeps its
    own. The speed is changed together with the pitch, by resampling (Ko et al. 2015, "Audio
    augmentation for speech recognition").
    """
    tempo = float(draw.choice([0.9, 1.0, 1.1]))
    if len(samples) / tempo > longest - 1:
        tempo = 1.0
    if tempo != 1.0:
        samples = soxr.resample(samples, SAMPLE_RATE * tempo, SAMPLE_RATE)
    level = float(np.sqrt(np.mean(np.square(samples))))
    noise = draw.standard_normal(len(samples), dtype=np.float32)
    samples = samples + noise * np.float32(level * 10 ** (-draw.uniform(10, 40) / 20))
    gain = 10 ** (draw.uniform(-6, 6) / 20)
    return (samples * np.float32(gain)).astype(np.float32), tempo
