"""Word times moved to where the sound changes.

A CTC model hears seconds around each frame, so it may put a letter anywhere near its place, and
has a habit for each: on real Khmer, with its lag taken off, words in រ began 30 ms early and words
in ទ 20 ms late. What learns its times learns its habits. A network that hears a tenth of a second
can only learn what is to be heard there: it learns the letters of the frames by the times that are
known, the best path of each clip through its letters gives new times, and it learns those, a few
times over (embedded Viterbi training of a network and a hidden Markov model: Bourlard and Morgan
1994, "Connectionist Speech Recognition").
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torchaudio
from datasets import Dataset
from torch import nn
from torch.nn import functional
from tqdm import tqdm

from khmer_aligned.schema import SAMPLE_RATE
from khmer_whisper.ctc.examples import words_of
from khmer_whisper.ctc.hmm import PAUSE, Chain, chain_of, count_sounds, find_path, sounds_of
from khmer_whisper.examples.rows import Row, waveform

_HOP = 160  # samples from frame to frame
_FRAME = _HOP / SAMPLE_RATE  # seconds
_WINDOW = 400  # samples that a frame hears
_BANDS = 40
# Frames heard on each side: a tenth of a second in all. Of 5,046 labelled words 90 % were within
# 35 ms with 4, within 40 with 2 or 6, on times half a frame early.
_CONTEXT = 4
_HIDDEN = 256
_ROUNDS = 5  # after the second of which the distances from the labels stayed as they were
_BATCHES, _BATCH, _RATE = 500, 2048, 1e-3  # of frames, in a round
# Seconds of clips that are learned from, and that are needed. Of the labelled words 90 % had been
# within 48 ms; they were within 40 after 60, 20 or 10 minutes of other clips, 50 after 5 or 2.
_LEARNED, NEEDED = 3600, 600


@dataclass(frozen=True, slots=True)
class Heard:
    """A clip: log_mel (T + 2 * _CONTEXT, _BANDS) float32, of mean 0 and deviation 1 in each band;
    its states; times (W, 2) in seconds, NaN where they are not trusted."""

    log_mel: np.ndarray
    chain: Chain
    times: np.ndarray

    @property
    def frames(self) -> int:
        return len(self.log_mel) - 2 * _CONTEXT


class Refiner:
    """A network over what is heard around a frame, and what it has learned of a dataset's clips.

    Starts move by at most `within` seconds.
    """

    def __init__(self, sounds: Mapping[str, int], within: float, seed: int) -> None:
        self.sounds = sounds
        self.within = within
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        size = count_sounds(sounds)
        self.log_prior = np.zeros(size, np.float32)
        self.generator = torch.Generator().manual_seed(seed)
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            self.network = nn.Sequential(
                nn.Linear((2 * _CONTEXT + 1) * _BANDS, _HIDDEN),
                nn.ReLU(),
                nn.Linear(_HIDDEN, _HIDDEN),
                nn.ReLU(),
                nn.Linear(_HIDDEN, size),
            ).to(self.device)
        self._optimizer = torch.optim.Adam(self.network.parameters(), lr=_RATE)
        self._mel = torchaudio.transforms.MelSpectrogram(
            SAMPLE_RATE,
            n_fft=_WINDOW,
            hop_length=_HOP,
            n_mels=_BANDS,
            f_min=60,
            f_max=7600,
            pad_mode="constant",
        )

    def hear(self, row: Row, times: np.ndarray) -> Heard:
        """The clip of a row whose words have times. Frame i is around sample _HOP * (i + 1/2)."""
        samples = waveform(row)[_HOP // 2 :]
        samples = np.pad(samples, (0, max(0, _WINDOW - len(samples))))
        log_mel = torch.log(self._mel(torch.from_numpy(samples)).T + 1e-6).numpy()
        log_mel = (log_mel - log_mel.mean(0)) / (log_mel.std(0) + 1e-3)
        padded = np.pad(log_mel, ((_CONTEXT, _CONTEXT), (0, 0)), mode="edge")
        texts = [word["text"] for word in row["words"]]
        return Heard(padded, chain_of(texts, self.sounds), times)

    def learn(self, clips: Sequence[Heard]) -> None:
        """Learn the letters of all frames of the clips, and where they are, in turn."""
        frames = torch.from_numpy(np.concatenate([clip.log_mel for clip in clips])).to(self.device)
        ends = np.cumsum([len(clip.log_mel) for clip in clips]) - _CONTEXT
        centres = torch.from_numpy(
            np.concatenate(
                [np.arange(end - c.frames, end) for end, c in zip(ends, clips, strict=True)]
            )
        )
        targets = [_spread(clip) for clip in clips]
        with tqdm(total=_ROUNDS, desc="learning where words begin", unit="round", delay=2) as bar:
            for round_ in range(_ROUNDS):
                if round_:
                    paths = [self._path(clip) for clip in clips]
                    targets = [
                        before if path is None else clip.chain.sounds[path]
                        for clip, path, before in zip(clips, paths, targets, strict=True)
                    ]
                self._fit(frames, centres, np.concatenate(targets))
                bar.update()

    def _fit(self, frames: torch.Tensor, centres: torch.Tensor, targets: np.ndarray) -> None:
        counts = np.bincount(targets, minlength=len(self.log_prior))
        self.log_prior = np.log((counts + 1) / counts.sum()).astype(np.float32)
        expected = torch.from_numpy(targets)
        around = torch.arange(-_CONTEXT, _CONTEXT + 1, device=self.device)
        for _ in range(_BATCHES):
            drawn = torch.randint(len(centres), (_BATCH,), generator=self.generator)
            heard = frames[centres[drawn].to(self.device)[:, None] + around].flatten(1)
            loss = functional.cross_entropy(self.network(heard), expected[drawn].to(self.device))
            self._optimizer.zero_grad()
            loss.backward()
            self._optimizer.step()

    @torch.inference_mode()
    def _path(self, clip: Heard) -> np.ndarray | None:
        """The state of each frame; posteriors over priors stand for likelihoods."""
        heard = torch.from_numpy(clip.log_mel).to(self.device).unfold(0, 2 * _CONTEXT + 1, 1)
        scores = self.network(heard.transpose(1, 2).flatten(1)).log_softmax(-1).cpu().numpy()
        starts = clip.times[:, 0]
        known = ~np.isnan(starts)
        earliest = np.where(known, (starts - self.within) / _FRAME, 0)
        latest = np.where(known, (starts + self.within) / _FRAME, np.inf)
        return find_path(scores - self.log_prior, clip.chain, earliest, latest)

    def move(self, clip: Heard) -> np.ndarray | None:
        """The moved times (W, 2), NaN where they were; None where the letters find no room."""
        path = self._path(clip)
        if path is None:
            return None
        words = clip.chain.words[path]
        moved = np.full_like(clip.times, np.nan)
        for k in np.flatnonzero(~np.isnan(clip.times[:, 0])):
            frames = np.flatnonzero(words == k)
            moved[k] = frames[0] * _FRAME, (frames[-1] + 1) * _FRAME
        return moved


def _spread(clip: Heard) -> np.ndarray:
    """The sound of each frame (T,), the letters of a word evenly over its time."""
    chain = clip.chain
    sounds = np.full(clip.frames, PAUSE, np.int64)
    bounds = np.round(clip.times.T / _FRAME).astype(np.int64)
    starts, ends = np.clip(bounds, 0, clip.frames)
    following = np.append(starts[1:], clip.frames)
    for k, (start, end) in enumerate(zip(starts, np.minimum(ends, following), strict=True)):
        own = chain.sounds[chain.words == k]
        count = len(sounds[start:end])
        sounds[start:end] = own[np.arange(count) * len(own) // max(1, count)]
    return sounds


def learn(rows: Dataset, within: float, seed: int) -> Refiner | None:
    """Learn from clips drawn from `rows` all of whose words have times; None where they are few."""
    drawn, seconds = [], 0.0
    for i in np.random.default_rng(seed).permutation(len(rows)).tolist():
        if seconds > _LEARNED:
            break
        row = rows[i]
        if row["words"] and not np.isnan(times := words_of(row).times).any():
            drawn.append((row, times))
            seconds += row["duration"]
    if seconds < NEEDED:
        return None
    sounds = sounds_of({word["text"] for row, _ in drawn for word in row["words"]})
    refiner = Refiner(sounds, within, seed)
    refiner.learn([refiner.hear(row, times) for row, times in drawn])
    return refiner
