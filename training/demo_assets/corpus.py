"""Synthetic Khmer speech with exact word times: a given text, or an endless random stream."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from khmer_aligned.schema import SAMPLE_RATE
from khmer_aligned.text import Break, SpokenWord, Transcript

from .sentences import lexicon, random_sentence
from .synthesize import Espeak, Voice

VARIANTS = [*(f"m{i}" for i in range(1, 9)), *(f"f{i}" for i in range(1, 6))]
TAIL = 0.03  # seconds of sound after the last word of a phrase


@dataclass(frozen=True, slots=True)
class Reading:
    """A text read aloud."""

    samples: np.ndarray  # mono float32 at 16 kHz
    words: tuple[SpokenWord, ...]
    times: list[tuple[float, float]]  # start and end of each word, in seconds

    @property
    def letters(self) -> str:
        """The letters that an aligner over romanized Khmer finds in it."""
        return "".join(word.romanized for word in self.words)


def read(espeak: Espeak, text: str, voice: Voice, chance: random.Random) -> Reading:
    """Read Khmer text with espeak-ng, with a pause at each space, a longer one after ។."""
    words = Transcript.from_text(text).words
    pieces: list[np.ndarray] = []
    times: list[tuple[float, float]] = []
    position = 0  # samples
    for phrase in _phrases(words):
        speech = espeak.speak([word.romanized for word in phrase], voice)
        spoken = speech.samples[: round((speech.times[-1][1] + TAIL) * SAMPLE_RATE)]
        start = position / SAMPLE_RATE
        times += [(start + a, start + b) for a, b in speech.times]
        long = phrase[-1].break_after >= Break.SENTENCE
        pause = chance.uniform(0.5, 0.8) if long else chance.uniform(0.25, 0.4)
        pieces += [spoken, np.zeros(round(pause * SAMPLE_RATE), np.float32)]
        position += len(spoken) + len(pieces[-1])
    return Reading(np.concatenate(pieces[:-1]), words, times)


def _phrases(words: Sequence[SpokenWord]) -> Iterator[list[SpokenWord]]:
    phrase: list[SpokenWord] = []
    for word in words:
        if word.is_star:
            raise ValueError(f"espeak-ng cannot read {word.text!r}: it has no letters")
        phrase.append(word)
        if word.break_after >= Break.SPACE:
            yield phrase
            phrase = []


def random_voice(chance: random.Random, languages: Sequence[str], variants: Sequence[str]) -> Voice:
    """A random language, timbre, speed and pitch."""
    return Voice(
        language=chance.choice(languages),
        variant=chance.choice(variants),
        rate=chance.randint(120, 200),
        pitch=chance.randint(20, 80),
        spread=chance.randint(20, 80),
    )


def disturb(reading: Reading, chance: random.Random, silence: float = 0.4) -> Reading:
    """Change the gain, add up to `silence` seconds at both ends, and noise 15 to 50 dB below."""
    noise = np.random.default_rng(chance.getrandbits(32))
    before, after = (int(chance.uniform(0, silence) * SAMPLE_RATE) for _ in range(2))
    speech = np.pad(reading.samples, (before, after)) * chance.uniform(0.2, 1.0)
    level = np.sqrt(np.mean(speech**2)) * 10 ** (-chance.uniform(15, 50) / 20)
    samples = (speech + noise.standard_normal(len(speech)) * level).astype(np.float32)
    shift = before / SAMPLE_RATE
    return Reading(samples, reading.words, [(a + shift, b + shift) for a, b in reading.times])


def stream(
    seed: int,
    languages: Sequence[str],
    variants: Sequence[str],
    max_bytes: int,
    max_phrases: int = 4,
) -> Iterator[tuple[str, Reading]]:
    """Random sentences of at most `max_bytes` in UTF-8, each in a random voice."""
    chance = random.Random(seed)
    words = lexicon()
    espeak = Espeak()
    while True:
        text = random_sentence(words, chance, max_bytes, max_phrases)
        reading = read(espeak, text, random_voice(chance, languages, variants), chance)
        yield text, disturb(reading, chance)
