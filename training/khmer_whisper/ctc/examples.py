"""Clips to what a CTC model learns: features, tokens, and the token of each frame."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from datasets import Dataset
from torch.nn.utils.rnn import pad_sequence

from khmer_aligned.aligners.ctc import CtcAligner
from khmer_aligned.schema import SAMPLE_RATE
from khmer_aligned.text import Transcript
from khmer_whisper.ctc.config import CtcConfig
from khmer_whisper.ctc.loss import BLANK, IGNORED
from khmer_whisper.examples.make import augment
from khmer_whisper.examples.rows import Row, waveform

TRUSTED = 0.2  # a word that scored less gives no frame targets
_BRIDGED = 0.08  # seconds between two tokens that the first of them is held for
# Clips are shorter than the windows of a recording: some are joined, so that windows are learned.
_JOINED, _JOINED_SECONDS = 0.2, (6.0, 30.0)  # share of steps; how long their examples get
# SpecAugment (Park et al. 2019) on log-mel: masks, steps of one at most, bands of one at most.
_MASKS, _MASKED_STEPS, _MASKED_BANDS = 2, 10, 12


@dataclass(frozen=True, slots=True)
class Words:
    """The words of an utterance, and their times: seconds (W, 2), NaN where they are not known."""

    texts: Sequence[str]
    times: np.ndarray


class Spelling(NamedTuple):
    """The tokens of an utterance: ids (L,), times (L, 2) in seconds, NaN where they are not known,
    and of each token the index of its word (L,)."""

    ids: np.ndarray
    times: np.ndarray
    words: np.ndarray


@dataclass(frozen=True, slots=True)
class Example:
    """features (N, ...) float32, what is spoken, and the frames of the audio."""

    features: np.ndarray
    spelling: Spelling
    frames: int


def words_of(row: Row, times: np.ndarray | None = None) -> Words:
    """A clip's words with the dataset's times, or without where it has none; `times` (W, 2) in
    their place."""
    if row["words"]:
        texts = [w["text"] for w in row["words"]]
        if times is not None:
            return Words(texts, times)
        known = [
            (w["start"], w["end"]) if w["score"] >= TRUSTED else (np.nan, np.nan)
            for w in row["words"]
        ]
        return Words(texts, np.array(known))
    texts = [word.text for word in Transcript.from_text(row["text"]).words]
    return Words(texts, np.full((len(texts), 2), np.nan))


def spell(words: Words, ids: Mapping[str, int]) -> Spelling:
    """The tokens of the words, evenly over each word's time."""
    tokens: list[int] = []
    times = [np.zeros((0, 2))]
    indices: list[int] = []
    for k, (text, (start, end)) in enumerate(zip(words.texts, words.times, strict=True)):
        spelled = [i for i in (ids.get(c, ids.get(c.lower())) for c in text) if i is not None]
        bounds = np.linspace(start, end, len(spelled) + 1)
        tokens += spelled
        times.append(np.stack([bounds[:-1], bounds[1:]], axis=1))
        indices += [k] * len(spelled)
    return Spelling(np.array(tokens, np.int64), np.concatenate(times), np.array(indices, np.int64))


def frame_targets(spelling: Spelling, frames: int, frame_seconds: float) -> np.ndarray:
    """The token of each frame (frames,): held until the next one, blanks in pauses.

    Frames of tokens without times are IGNORED, and so are those between them.
    """
    tokens, times, _ = spelling
    targets = np.full(frames, BLANK, np.int64)
    if len(tokens) == 0:
        return targets
    ends = times[:, 1].copy()
    following = np.append(times[1:, 0], np.nan)
    near = following - ends < _BRIDGED
    ends[near] = following[near]
    known = ~np.isnan(times[:, 0])
    bounds = np.stack([times[:, 0], ends], axis=1) / frame_seconds
    reached = 0
    for k, token in enumerate(tokens):
        if not known[k]:
            later = np.flatnonzero(known[k:])
            stop = round(bounds[k + later[0], 0]) if len(later) else frames
            targets[reached : max(reached, stop)] = IGNORED
            continue
        start, end = (round(bound) for bound in bounds[k])
        targets[start:end] = token
        if k and token == tokens[k - 1] and end - start > 1 and targets[start - 1] == token:
            targets[start] = BLANK  # the same token twice takes a blank between
        reached = max(reached, end)
    return targets


def allowed_paths(
    spelling: Spelling, frames: int, frame_seconds: float, size: int, tolerance: float
) -> np.ndarray:
    """Where paths may be, bool (frames, size): the tokens of a word in its time, which they fill.

    A word may begin earlier by `tolerance` seconds, but not later, since CTC is late by itself; it
    may end earlier or later, but not in the next word. The blank stands only between words, and in
    a word that repeats a token. Tokens without a time may be anywhere.
    """
    allowed = np.zeros((frames, size), bool)
    allowed[:, BLANK] = True
    following = float("inf")
    for word in np.unique(spelling.words)[::-1]:
        tokens, times = (part[spelling.words == word] for part in spelling[:2])
        start, end = times[0, 0], times[-1, 1]
        if np.isnan(start):
            allowed[:, tokens] = True
            continue
        latest = min(end + tolerance, following)
        allowed[_frames(start - tolerance, latest, frame_seconds), tokens[:, None]] = True
        if (tokens[1:] != tokens[:-1]).all():
            # Neighbouring words that share a letter need a blank between them.
            latest = end - max(tolerance, frame_seconds)
            allowed[_frames(start, latest, frame_seconds), BLANK] = False
        following = start
    return allowed


def _frames(start: float, end: float, frame_seconds: float) -> slice:
    return slice(max(0, round(start / frame_seconds)), max(0, round(end / frame_seconds)))


class Key(NamedTuple):
    """One example: a clip, and the seconds to which others are joined behind it."""

    epoch: int
    clip: int
    seconds: float = 0.0


class Steps(torch.utils.data.Sampler):
    """The keys of `count` clips, shuffled by the seed and `epoch`, which is set before each pass.

    The examples of a step of `size` are joined or alone together: padded to one of 30 s, clips of
    3 s would take ten times as long.
    """

    def __init__(self, count: int, size: int, seed: int) -> None:
        self.count = count
        self.size = size
        self.seed = seed
        self.epoch = 0

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[Key]:
        generator = np.random.default_rng([self.seed, self.epoch])
        clips = generator.permutation(self.count).tolist()
        for first in range(0, self.count, self.size):
            joined = generator.random() < _JOINED
            seconds = generator.uniform(*_JOINED_SECONDS) if joined else 0.0
            for clip in clips[first : first + self.size]:
                yield Key(self.epoch, clip, seconds)


class Utterances(torch.utils.data.Dataset):
    """Examples of clips by their `Key`, as `Steps` draws them.

    times: of each clip, (W, 2), in place of the dataset's. What is drawn for an example is drawn
    from the seed and its key alone.
    """

    def __init__(
        self,
        rows: Dataset,
        aligner: CtcAligner,
        config: CtcConfig,
        times: Sequence[np.ndarray] | None = None,
    ) -> None:
        self.rows = rows
        self.times = times
        self.aligner = aligner
        self.config = config
        self.ids = {token: i for i, token in enumerate(aligner.vocabulary) if i != BLANK}
        window, step = aligner.front_end.window, aligner.front_end.step
        self.longest = sys.maxsize if window is None else window * step  # samples

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, key: Key) -> Example:
        generator = np.random.default_rng([self.config.seed, key.epoch, key.clip])
        samples, words = self._join(key, generator)
        changed = generator.random() < self.config.augment
        if changed:
            samples, tempo = augment(samples, generator, min(self.longest, len(samples) * 2))
            words = Words(words.texts, words.times / tempo)
        example = make_example(self.aligner, samples, spell(words, self.ids))
        if changed and example.features.ndim == 2:
            mask(example.features, generator)
        return example

    def _join(self, key: Key, generator: np.random.Generator) -> tuple[np.ndarray, Words]:
        """The samples (n,) of a clip, alone or with others behind it, and all their words."""
        limit = min(self.longest, key.seconds * SAMPLE_RATE)
        clip, count = key.clip, 0
        parts: list[np.ndarray] = []
        texts: list[str] = []
        times: list[np.ndarray] = []
        while True:
            row = self.rows[clip]
            samples = waveform(row)
            words = words_of(row, self.times[clip] if self.times else None)
            if parts and count + len(samples) > limit:
                break
            parts.append(samples)
            texts += words.texts
            times.append(words.times + count / SAMPLE_RATE)
            count += len(samples)
            if count >= limit:
                break
            clip = int(generator.integers(len(self)))
        return np.concatenate(parts), Words(texts, np.concatenate(times))

    def sampler(self) -> Steps:
        """The keys in training order."""
        size = self.config.batch_size * self.config.accumulation
        return Steps(len(self), size, self.config.seed)


def make_example(aligner: CtcAligner, samples: np.ndarray, spelling: Spelling) -> Example:
    """The example of a waveform (n,) and what is spoken in it."""
    features = aligner.front_end.prepare(samples)[:]
    frames = aligner.front_end.frames_of(samples, len(features))
    return Example(features, spelling, frames)


def mask(features: np.ndarray, generator: np.random.Generator) -> None:
    """Set stretches of steps, and of bands, of features (N, F) to their mean, in place."""
    steps, bands = features.shape
    mean = features.mean()
    for _ in range(_MASKS):
        width = int(generator.integers(0, min(_MASKED_STEPS, steps) + 1))
        start = int(generator.integers(0, steps - width + 1))
        features[start : start + width] = mean
        width = int(generator.integers(0, min(_MASKED_BANDS, bands) + 1))
        start = int(generator.integers(0, bands - width + 1))
        features[:, start : start + width] = mean


class Collator:
    """Examples to one batch: the model's input and its mask, and what it is learned against.

    `inputs`: {name of the model's input: (B, N, ...), attention_mask: (B, N) or absent}; lengths,
    tokens, targets and allowed as in `loss.Batch`.
    """

    def __init__(self, aligner: CtcAligner, *, targets: bool, tolerance: float) -> None:
        self.name = aligner.extractor.model_input_names[0]
        self.masks_padding = aligner.front_end.masks_padding
        self.frame_seconds = aligner.stride / SAMPLE_RATE
        self.size = len(aligner.vocabulary)
        self.targets = targets
        self.tolerance = tolerance

    def __call__(self, examples: Sequence[Example]) -> dict[str, torch.Tensor]:
        steps = torch.tensor([len(e.features) for e in examples])
        frames = max(e.frames for e in examples)
        batch = {
            self.name: _padded([e.features for e in examples], 0.0),
            "lengths": torch.tensor([e.frames for e in examples]),
            "tokens": _padded([e.spelling.ids for e in examples], IGNORED),
        }
        if self.masks_padding:
            batch["attention_mask"] = (torch.arange(int(steps.max())) < steps[:, None]).long()
        if self.targets:
            targets = [frame_targets(e.spelling, e.frames, self.frame_seconds) for e in examples]
            batch["targets"] = _padded(targets, IGNORED)
        if self.tolerance:
            allowed = np.ones((len(examples), frames, self.size), bool)
            for k, e in enumerate(examples):
                allowed[k, : e.frames] = allowed_paths(
                    e.spelling, e.frames, self.frame_seconds, self.size, self.tolerance
                )
            batch["allowed"] = torch.from_numpy(allowed)
        return batch


def _padded(rows: Sequence[np.ndarray], value: float) -> torch.Tensor:
    return pad_sequence([torch.from_numpy(r) for r in rows], batch_first=True, padding_value=value)
