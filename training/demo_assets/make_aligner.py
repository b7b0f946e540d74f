"""Train the demo's aligner: a small CTC model over the letters of romanized Khmer.

By the code of `khmer-whisper train-aligner`; only its speech is made on the way, without end.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
import transformers
from rapidfuzz.distance import Levenshtein

from khmer_aligned.aligners.ctc import CtcAligner
from khmer_aligned.alignment.viterbi import collapse
from khmer_aligned.schema import SAMPLE_RATE
from khmer_whisper.callbacks import Progress
from khmer_whisper.ctc.config import SCRATCH_RATE, CtcConfig
from khmer_whisper.ctc.examples import Collator, Example, Spelling, Words, make_example, mask, spell
from khmer_whisper.ctc.loss import BLANK
from khmer_whisper.ctc.model import Sizes, from_scratch, save
from khmer_whisper.ctc.trainer import CtcTrainer, finish

from .corpus import VARIANTS, Reading, stream

LETTERS = ["-", *"abcdefghijklmnopqrstuvwxyz'"]  # the blank first
LANGUAGES = ["id", "ms", "sw", "it", "es", "hr", "fi", "ro", "eo"]
SIZES = Sizes(hidden=96, layers=3, dropout=0.0)  # 0.7 M parameters; no sentence comes twice
BATCH_SIZE = 8
LONG = 0.1  # share of examples of several sentences
LONG_SECONDS = 30  # at most
STEPS = 600
HELD_OUT = 50  # readings


class Readings(torch.utils.data.IterableDataset):
    """Examples of random sentences, without end."""

    def __init__(self, aligner: CtcAligner, seed: int) -> None:
        self.aligner = aligner
        self.seed = seed

    def __iter__(self) -> Iterator[Example]:
        generator = np.random.default_rng(self.seed)
        for reading in readings(self.seed):
            example = make_example(self.aligner, reading.samples, spell_reading(reading))
            mask(example.features, generator)
            yield example


def readings(seed: int) -> Iterator[Reading]:
    """Random sentences in random voices; some are several, one after the other."""
    chance = random.Random(seed)
    single = (reading for _, reading in stream(seed, LANGUAGES, VARIANTS, max_bytes=300))
    while True:
        reading = next(single)
        limit = chance.uniform(12, LONG_SECONDS) if chance.random() < LONG else 0
        while len(reading.samples) / SAMPLE_RATE < limit - 8:
            reading = concatenate(reading, next(single))
        yield reading


def concatenate(first: Reading, second: Reading) -> Reading:
    """Two readings, one after the other."""
    shift = len(first.samples) / SAMPLE_RATE
    return Reading(
        np.concatenate([first.samples, second.samples]),
        first.words + second.words,
        first.times + [(a + shift, b + shift) for a, b in second.times],
    )


def spell_reading(reading: Reading) -> Spelling:
    """The letters of a reading."""
    words = Words([word.romanized for word in reading.words], np.array(reading.times))
    return spell(words, {letter: i for i, letter in enumerate(LETTERS) if i != BLANK})


def letter_error_rate(aligner: CtcAligner, seed: int) -> float:
    """Of greedy decoding, on readings that were not learned."""
    held_out = [reading for reading, _ in zip(readings(seed), range(HELD_OUT), strict=False)]
    errors = total = 0
    for reading, emission in zip(
        held_out, aligner.emissions([reading.samples for reading in held_out]), strict=True
    ):
        tokens = spell_reading(reading).ids
        greedy = collapse(emission.argmax(axis=1), BLANK)
        errors += Levenshtein.distance(tokens.tolist(), greedy.tolist())
        total += len(tokens)
    return errors / total


def make_aligner(folder: Path, seed: int = 1) -> None:
    """Train it and write it to `folder`, in half precision."""
    transformers.set_seed(seed)
    aligner = from_scratch(LETTERS, SIZES)
    config = CtcConfig(
        dataset="random sentences",
        max_steps=STEPS,
        batch_size=BATCH_SIZE,
        learning_rate=SCRATCH_RATE,
        seed=seed,
        workers=1,
    )
    progress = Progress(seconds_per_step=5.0 * BATCH_SIZE)
    with tempfile.TemporaryDirectory() as checkpoints:
        trainer = CtcTrainer(
            aligner,
            config,
            Readings(aligner, seed),
            Collator(aligner, targets=True, tolerance=config.tolerance),
            Path(checkpoints),
            callbacks=[progress],
        )
        trainer.train()
    progress.close()
    finish(aligner)
    print(f"letter error rate {letter_error_rate(aligner, seed + 1):.3f}")
    aligner.model.half()
    save(aligner, folder)
