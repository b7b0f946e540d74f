"""A waveform to what a model reads: log-mel features or samples, normalized over the recording.

Aligning and training read audio through this one function, so a model hears in a recording what
it has heard in training. Log-mel features are made block by block: the extractors themselves hold
all spectra of a recording at once, 8 GB for three hours.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol

import numpy as np
import torch
from transformers import (
    SeamlessM4TFeatureExtractor,
    WhisperFeatureExtractor,
)

from khmer_aligned.schema import SAMPLE_RATE

_BLOCK_SECONDS = 60
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


def prepare(extractor: Extractor, waveform: np.ndarray) -> np.ndarray:
    """The model input (N, ...) float32 of a waveform (n,) at 16 kHz, normalized over all of it.

    A Whisper reads whole windows only: what is shorter is followed by silence up to one window.
    """
    if isinstance(extractor, SeamlessM4TFeatureExtractor):
        return _kaldi_log_mel(extractor, waveform)
    if isinstance(extractor, WhisperFeatureExtractor):
        return _whisper_log_mel(extractor, waveform)
    # One call per recording: extractors normalize over whatever they are given.
    features = extractor(waveform, sampling_rate=SAMPLE_RATE, return_tensors="np")
    return features[extractor.model_input_names[0]][0]


def _kaldi_log_mel(extractor: SeamlessM4TFeatureExtractor, waveform: np.ndarray) -> np.ndarray:
    """Kaldi's log-mel, `stride` frames in a row (N, bins * stride), each bin normalized."""
    bins, stride = extractor.num_mel_bins, extractor.stride
    filters = torch.from_numpy(extractor.mel_filters)
    window = torch.from_numpy(extractor.window)
    count = max(0, (len(waveform) - _KALDI_LENGTH) // _KALDI_HOP + 1)
    padded = count + -count % max(2, stride)  # the extractor pads to an even number of frames
    features = np.full((padded, bins), extractor.padding_value, np.float32)
    for first, frames in _frames(waveform, count, _KALDI_LENGTH, _KALDI_HOP):
        frames = frames * 2**15  # Kaldi reads 16-bit integers
        frames = frames - frames.mean(dim=1, keepdim=True)
        frames[:, 1:] -= _KALDI_PREEMPHASIS * frames[:, :-1].clone()
        frames[:, 0] *= 1 - _KALDI_PREEMPHASIS
        power = torch.fft.rfft(frames * window, n=_KALDI_FFT).abs().square()
        log_mel = (power @ filters).clamp(min=_KALDI_FLOOR).log()
        features[first : first + len(log_mel)] = log_mel.numpy()
    spoken = features[:count]
    if count:
        spoken -= spoken.mean(axis=0, dtype=np.float64)
        squares = np.einsum("ij,ij->j", spoken, spoken, dtype=np.float64)
        spoken /= np.sqrt(squares / max(1, count - 1) + 1e-7)
    return features[: padded // stride * stride].reshape(-1, bins * stride)


def _whisper_log_mel(extractor: WhisperFeatureExtractor, waveform: np.ndarray) -> np.ndarray:
    """Whisper's log-mel (N, mels), scaled by its maximum (Radford et al. 2022, section 2.2)."""
    length, hop = extractor.n_fft, extractor.hop_length
    waveform = np.pad(waveform, (0, max(0, extractor.n_samples - len(waveform))))
    count = len(waveform) // hop
    filters = torch.from_numpy(extractor.mel_filters).double()
    window = torch.hann_window(length, dtype=torch.float64)
    features = np.empty((count, extractor.feature_size), np.float32)
    for first, frames in _frames(np.pad(waveform, length // 2, "reflect"), count, length, hop):
        power = torch.fft.rfft(frames * window).abs().square()
        decades = (power @ filters).clamp(min=_WHISPER_FLOOR).log10()
        features[first : first + len(decades)] = decades.numpy()
    np.maximum(features, features.max() - _WHISPER_RANGE, out=features)
    features += 4.0
    features /= 4.0
    return features


def _frames(
    waveform: np.ndarray, count: int, length: int, hop: int
) -> Iterator[tuple[int, torch.Tensor]]:
    """The first `count` frames of `length` samples, a block (F, length) float64 at a time, each
    with the number of its first frame."""
    step = _BLOCK_SECONDS * SAMPLE_RATE // hop
    for first in range(0, count, step):
        last = min(first + step, count) - 1
        block = torch.from_numpy(waveform[first * hop : last * hop + length]).double()
        yield first, block.unfold(0, length, hop)
