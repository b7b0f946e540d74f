"""A clip to a training example: timestamps, previous text, neighbours, augmentation."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import pairwise

import numpy as np
import soxr

from khmer_aligned.schema import SAMPLE_RATE
from khmer_aligned.text import Transcript
from khmer_aligned.text.transcript import Break
from khmer_whisper.config import Config
from khmer_whisper.examples.collate import Example
from khmer_whisper.examples.rows import Row, waveform
from khmer_whisper.labels import Labeller, Phrase
from khmer_whisper.model import Whisper

PHRASE_PAUSE = 0.2  # seconds of silence at a space of the text that end a phrase
TEMPOS = (0.9, 1.0, 1.1)
NOISE_DB = (10, 40)  # below the level of the speech
GAIN_DB = (-6, 6)


class ExampleMaker:
    """Makes examples of one language. Random draws come from the generator that is passed in."""

    def __init__(self, whisper: Whisper, config: Config, language: str) -> None:
        self.labeller = Labeller(whisper.tokenizer, language)
        self.max_labels = whisper.max_labels
        self.max_samples = whisper.extractor.n_samples
        self.config = config

    def make(
        self,
        row: Row,
        generator: np.random.Generator,
        following: Iterable[Row] = (),
        before: Callable[[], Row | None] = lambda: None,
    ) -> Example:
        """Make the example of a clip; `following` and `before` are its neighbours, if any."""
        config = self.config
        joined, timed, prompted, augmented = generator.random(4) < (
            config.join,
            config.timestamps,
            config.previous_text,
            config.augment,
        )
        rows = self._with_following(row, following) if joined else [row]
        samples, phrases = _concatenate(rows, config.text, in_phrases=bool(timed))
        if augmented:
            samples, tempo = augment(samples, generator, self.max_samples)
            phrases = [Phrase(p.text, p.start / tempo, p.end / tempo) for p in phrases]
        text = _text(phrases)
        previous = self._previous(before(), text, len(phrases)) if prompted else []
        if timed and self._count(text) + _timestamp_labels(len(phrases)) <= self.max_labels:
            return Example(samples, self.labeller.timed(phrases, previous))
        return Example(samples, self.labeller.plain(text, previous))

    def _with_following(self, row: Row, following: Iterable[Row]) -> list[Row]:
        """The clip and as many that follow it in its recording as the model's limits allow."""
        rows = [row]
        for neighbour in following:
            samples, phrases = _concatenate([*rows, neighbour], self.config.text)
            if len(samples) > self.max_samples or self._count(_text(phrases)) > self.max_labels:
                break
            rows.append(neighbour)
        return rows

    def _previous(self, before: Row | None, text: str, phrases: int) -> list[int]:
        """The labels of the clip before, cut at their beginning to the room in the decoder.

        At most half the decoder is a prompt, as in Whisper's own decoding.
        """
        if before is None:
            return []
        ids = self.labeller.encode(before[self.config.text])
        # Room for timestamps and <|startofprev|> is kept, too.
        free = self.max_labels - self._count(text) - 2 * phrases - 1
        room = min(self.max_labels // 2 - 1, free)
        return ids[-room:] if room > 0 else []

    def _count(self, text: str) -> int:
        return len(self.labeller.plain(text))


def _timestamp_labels(phrases: int) -> int:
    """How many labels timestamps add: two for each phrase, less the "no timestamps" label."""
    return 2 * phrases - 1


def split_phrases(row: Row, column: str) -> list[Phrase]:
    """Split the text of a clip into the phrases of its speaker, like Whisper's segments.

    A phrase ends with a sentence, or at a space of the text where the speaker pauses. The text
    stays one phrase where the clip's words are not those of its default reading.
    """
    words = row["words"]
    transcript = Transcript.from_text(row["text"])
    if not words or [word.text for word in transcript.words] != [w["text"] for w in words]:
        return [_whole(row, column)]
    ends = [
        k
        for k, (word, after) in enumerate(pairwise(words))
        if (strength := transcript.words[k].break_after) >= Break.SENTENCE
        or (strength >= Break.SPACE and after["start"] - word["end"] >= PHRASE_PAUSE)
    ]
    slice_of = transcript.written if column == "text" else transcript.spoken_text
    phrases = [
        Phrase(slice_of(i, j), words[i]["start"], words[j - 1]["end"])
        for i, j in pairwise([0, *(k + 1 for k in ends), len(words)])
    ]
    return phrases if _text(phrases) == row[column] else [_whole(row, column)]


def _whole(row: Row, column: str) -> Phrase:
    words = row["words"] or [{"start": 0.0, "end": row["duration"]}]
    return Phrase(row[column], words[0]["start"], words[-1]["end"])


def _concatenate(
    rows: list[Row], column: str, in_phrases: bool = False
) -> tuple[np.ndarray, list[Phrase]]:
    """Samples (n,) and phrases of clips of one recording, with silence for the pauses between."""
    parts: list[np.ndarray] = []
    phrases: list[Phrase] = []
    for i, row in enumerate(rows):
        if i:
            pause = row["start"] - rows[i - 1]["end"]
            parts.append(np.zeros(max(0, round(pause * SAMPLE_RATE)), np.float32))
        offset = sum(map(len, parts)) / SAMPLE_RATE
        for phrase in split_phrases(row, column) if in_phrases else [_whole(row, column)]:
            phrases.append(Phrase(phrase.text, offset + phrase.start, offset + phrase.end))
        parts.append(waveform(row))
    return np.concatenate(parts), phrases


def _text(phrases: list[Phrase]) -> str:
    return " ".join(phrase.text for phrase in phrases)


def augment(
    samples: np.ndarray, generator: np.random.Generator, max_samples: int
) -> tuple[np.ndarray, float]:
    """Change the speed (TEMPOS), add noise (NOISE_DB) and scale the loudness (GAIN_DB).

    Returns the samples (n,) float32 and the factor of speed, which is 1 where the clip would
    outgrow `max_samples`. The pitch changes with the speed, by resampling (Ko et al. 2015, "Audio
    augmentation for speech recognition").
    """
    tempo = float(generator.choice(TEMPOS))
    if len(samples) / tempo > max_samples - 1:
        tempo = 1.0
    if tempo != 1.0:
        samples = soxr.resample(samples, SAMPLE_RATE * tempo, SAMPLE_RATE)
    level = float(np.sqrt(np.mean(np.square(samples))))
    noise = generator.standard_normal(len(samples), dtype=np.float32)
    samples = samples + noise * np.float32(level * 10 ** (-generator.uniform(*NOISE_DB) / 20))
    gain = 10 ** (generator.uniform(*GAIN_DB) / 20)
    return (samples * np.float32(gain)).astype(np.float32), tempo
