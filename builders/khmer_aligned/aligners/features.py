"""A waveform to what a model reads: log-mel features or samples, normalized over the recording.

Aligning and training read audio through this one function, so a model hears in a recording what
it has heard in training. Log-mel features are made block by block: the extractors themselves hold
all spectra of a recording at once, 8 GB for three hours. Of a recording of hours not even the
features are held: a first pass measures what they are normalized by, and windows are computed as
they are read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np
import torch
from transformers import (
    SeamlessM4TFeatureExtractor,
    Wav2Vec2FeatureExtractor,
    WhisperFeatureExtractor,
)

from khmer_aligned.schema import SAMPLE_RATE

_BLOCK_SECONDS = 60
_LONG_SECONDS = 2 * 3600  # of audio from which features are computed twice instead of held
_SAMPLES = 1 << 16  # of a waveform that are normalized at once
_KALDI_LENGTH, _KALDI_HOP, _KALDI_FFT = 400, 160, 512  # samples
_KALDI_PREEMPHASIS, _KALDI_FLOOR = 0.97, 2.0**-23
_WHISPER_FLOOR, _WHISPER_RANGE = 1e-10, 8.0  # power; decades under the loudest


class Extractor(Protocol):
    """A feature extractor of `transformers`, for a sequence of samples."""

    sampling_rate: int
    model_input_names: list[str]

    def __call__(
        self, raw_speech: np.ndarray, /, *, sampling_rate: int, return_tensors: str
    ) -> Mapping[str, np.ndarray]: ...


class ModelInput(Protocol):
    """The steps (N, ...) float32 that a model reads: an array, or what computes a slice of one."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    def __len__(self) -> int: ...

    def __getitem__(self, steps: slice, /) -> np.ndarray: ...


@dataclass(frozen=True, slots=True, eq=False)
class Streamed:
    """A model input of a long recording. compute: steps [first, last) -> (last - first, ...)."""

    compute: Callable[[int, int], np.ndarray]
    shape: tuple[int, ...]

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, steps: slice, /) -> np.ndarray:
        first, last, _ = steps.indices(len(self))
        return self.compute(first, last)


def prepare(extractor: Extractor, waveform: np.ndarray) -> ModelInput:
    """The model input (N, ...) float32 of a waveform (n,) at 16 kHz, normalized over all of it.

    A Whisper reads whole windows only: what is shorter is followed by silence up to one window.
    """
    long = len(waveform) > _LONG_SECONDS * SAMPLE_RATE
    if isinstance(extractor, SeamlessM4TFeatureExtractor):
        log_mel = _KaldiLogMel(extractor, waveform)
        return log_mel.streamed() if long else log_mel.whole()
    if isinstance(extractor, WhisperFeatureExtractor):
        return _whisper_log_mel(extractor, waveform, long)
    if long and isinstance(extractor, Wav2Vec2FeatureExtractor):
        return normalize_samples(waveform, 1e-7) if extractor.do_normalize else waveform
    # One call per recording: extractors normalize over whatever they are given.
    features = extractor(waveform, sampling_rate=SAMPLE_RATE, return_tensors="np")
    return features[extractor.model_input_names[0]][0]


def normalize_samples(waveform: np.ndarray, least_variance: float) -> Streamed:
    """A waveform (n,) with zero mean and unit variance; it is not copied."""
    mean = np.float32(waveform.mean(dtype=np.float64))
    blocks = (b - mean for b in np.array_split(waveform, len(waveform) // _SAMPLES + 1))
    squares = sum(float(np.dot(block, block)) for block in blocks)
    scale = np.float32(np.sqrt(squares / len(waveform) + least_variance))
    return Streamed(lambda first, last: (waveform[first:last] - mean) / scale, waveform.shape)


class _KaldiLogMel:
    """Kaldi's log-mel, `stride` frames in a row (N, bins * stride), each bin normalized."""

    def __init__(self, extractor: SeamlessM4TFeatureExtractor, waveform: np.ndarray) -> None:
        self._waveform = waveform
        self._bins, self._stride = extractor.num_mel_bins, extractor.stride
        self._padding = extractor.padding_value
        self._filters = torch.from_numpy(extractor.mel_filters)
        self._window = torch.from_numpy(extractor.window)
        self._count = max(0, (len(waveform) - _KALDI_LENGTH) // _KALDI_HOP + 1)
        # The extractor pads to an even number of frames.
        self._steps = (self._count + -self._count % max(2, self._stride)) // self._stride

    def whole(self) -> np.ndarray:
        features = np.full((self._steps * self._stride, self._bins), self._padding, np.float32)
        spoken = features[: self._count]
        for first, block in self._blocks():
            spoken[first : first + len(block)] = block
        if self._count:
            spoken -= spoken.mean(axis=0, dtype=np.float64)
            squares = np.einsum("ij,ij->j", spoken, spoken, dtype=np.float64)
            spoken /= np.sqrt(squares / max(1, self._count - 1) + 1e-7)
        return features.reshape(-1, self._bins * self._stride)

    def streamed(self) -> Streamed:
        total, squares = np.zeros((2, self._bins))
        for _, block in self._blocks():
            total += block.sum(axis=0, dtype=np.float64)
            squares += np.einsum("ij,ij->j", block, block, dtype=np.float64)
        mean = total / self._count
        scale = np.sqrt((squares - total * mean) / (self._count - 1) + 1e-7)
        return Streamed(
            partial(self._compute, mean=mean, scale=scale), (self._steps, self._bins * self._stride)
        )

    def _compute(self, first: int, last: int, mean: np.ndarray, scale: np.ndarray) -> np.ndarray:
        start = first * self._stride
        features = np.full(((last - first) * self._stride, self._bins), self._padding, np.float32)
        for at, block in self._blocks(start, min(last * self._stride, self._count)):
            block -= mean
            block /= scale
            features[at - start : at - start + len(block)] = block
        return features.reshape(-1, self._bins * self._stride)

    def _blocks(self, first: int = 0, last: int | None = None) -> Iterator[tuple[int, np.ndarray]]:
        """The log-mel (F, bins) of frames [first, last), by default of all, block by block."""
        last = self._count if last is None else last
        for at, frames in _frames(self._waveform, first, last, _KALDI_LENGTH, _KALDI_HOP):
            frames = frames * 2**15  # Kaldi reads 16-bit integers
            frames = frames - frames.mean(dim=1, keepdim=True)
            frames[:, 1:] -= _KALDI_PREEMPHASIS * frames[:, :-1].clone()
            frames[:, 0] *= 1 - _KALDI_PREEMPHASIS
            power = torch.fft.rfft(frames * self._window, n=_KALDI_FFT).abs().square()
            log_mel = (power @ self._filters).clamp(min=_KALDI_FLOOR).log()
            yield at, log_mel.numpy().astype(np.float32)


def _whisper_log_mel(
    extractor: WhisperFeatureExtractor, waveform: np.ndarray, long: bool
) -> ModelInput:
    """Whisper's log-mel (N, mels), scaled by its maximum (Radford et al. 2022, section 2.2)."""
    length, hop = extractor.n_fft, extractor.hop_length
    if len(waveform) < extractor.n_samples:
        waveform = np.pad(waveform, (0, extractor.n_samples - len(waveform)))
    shape = (len(waveform) // hop, extractor.feature_size)
    filters = torch.from_numpy(extractor.mel_filters).double()
    window = torch.hann_window(length, dtype=torch.float64)

    def decades(first: int, last: int) -> Iterator[tuple[int, np.ndarray]]:
        for at, frames in _frames(waveform, first, last, length, hop, margin=length // 2):
            power = torch.fft.rfft(frames * window).abs().square()
            log_mel = (power @ filters).clamp(min=_WHISPER_FLOOR).log10()
            yield at, log_mel.numpy().astype(np.float32)

    def compute(first: int, last: int) -> np.ndarray:
        features = np.empty((last - first, shape[1]), np.float32)
        for at, block in decades(first, last):
            features[at - first : at - first + len(block)] = block
        return features

    def scale(features: np.ndarray, highest: np.float32) -> np.ndarray:
        np.maximum(features, highest - _WHISPER_RANGE, out=features)
        features += 4.0
        features /= 4.0
        return features

    if not long:
        whole = compute(0, shape[0])
        return scale(whole, whole.max())
    highest = max(block.max() for _, block in decades(0, shape[0]))
    return Streamed(lambda first, last: scale(compute(first, last), highest), shape)


def _frames(
    waveform: np.ndarray, first: int, last: int, length: int, hop: int, margin: int = 0
) -> Iterator[tuple[int, torch.Tensor]]:
    """Frames [first, last) of `length` samples, a block (F, length) float64 at a time, each with
    the number of its first frame. margin: samples by which the waveform goes on, reflected, at
    both ends."""
    step = _BLOCK_SECONDS * SAMPLE_RATE // hop
    for at in range(first, last, step):
        begin, end = at * hop - margin, (min(at + step, last) - 1) * hop + length - margin
        samples = waveform[max(begin, 0) : end]
        if begin < 0 or end > len(waveform):
            samples = np.pad(samples, (max(-begin, 0), max(end - len(waveform), 0)), "reflect")
        yield at, torch.from_numpy(samples).double().unfold(0, length, hop)
