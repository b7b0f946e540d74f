"""Waveforms and labels to the tensors of one batch; the log-mel is made on the fly.

Nothing is cached: log-mel takes ten times the disk of FLAC.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn.functional import pad
from torch.nn.utils.rnn import pad_sequence
from transformers import WhisperFeatureExtractor

from khmer_whisper.labels import IGNORED, Labels

SILENCE = -10.0  # log10 of the power, the lowest that Whisper distinguishes


@dataclass(frozen=True, slots=True)
class Example:
    """A training example: samples (n,) float32 at 16 kHz, and their labels."""

    samples: np.ndarray
    labels: Labels


def log_mel(waveforms: torch.Tensor, extractor: WhisperFeatureExtractor) -> torch.Tensor:
    """Whisper's log-mel spectrogram (batch, mels, frames) of waveforms (batch, samples).

    The frames cover the model's whole window; those after the samples, as `stack` pads them, are
    filled with silence and not computed. Runs on the device of `waveforms`; the extractor itself
    would go back to numpy after every batch. Each waveform is scaled by its own maximum (Radford
    et al. 2022, section 2.2).
    """
    window = torch.hann_window(extractor.n_fft, device=waveforms.device)
    spectrum = torch.stft(
        waveforms, extractor.n_fft, extractor.hop_length, window=window, return_complex=True
    )
    power = spectrum[..., :-1].abs().square().contiguous()
    filters = torch.as_tensor(extractor.mel_filters, dtype=torch.float32, device=power.device)
    decades = (filters.T @ power).clamp(min=10**SILENCE).log10()
    decades = pad(decades, (0, extractor.nb_max_frames - decades.shape[-1]), value=SILENCE)
    decades = torch.maximum(decades, decades.amax(dim=(1, 2), keepdim=True) - 8.0)
    return (decades + 4.0) / 4.0


def stack(waveforms: Sequence[np.ndarray], extractor: WhisperFeatureExtractor) -> torch.Tensor:
    """Waveforms padded with silence to one length: (batch, samples) float32.

    The length is a multiple of the hop, at most the model's window. The longest waveform is
    followed by half an FFT of silence, so that no later frame of the window overlaps with it.
    Raises ValueError for a waveform longer than the window: nothing is cut off.
    """
    longest = max(len(waveform) for waveform in waveforms)
    if longest > extractor.n_samples:
        raise ValueError(f"{longest} samples do not fit a window of {extractor.n_samples}")
    hop = extractor.hop_length
    length = min(-(-(longest + extractor.n_fft // 2) // hop) * hop, extractor.n_samples)
    return torch.stack([pad(torch.from_numpy(w), (0, length - len(w))) for w in waveforms])


class Collator:
    """Examples to `input_features`, `attention_mask`, `decoder_input_ids` and `labels`.

    `decoder_input_ids` (batch, length) are padded with `pad_id`; `labels` of the same shape with
    IGNORED, by position: the end token, which is also Whisper's pad, is learned.
    `attention_mask` (batch, frames) tells SpecAugment where the speech is; Whisper's attention
    does not use it.

    With `on_device` the batch holds `waveforms` instead of features, for `log_mel` on the GPU.
    """

    def __init__(
        self, extractor: WhisperFeatureExtractor, pad_id: int, on_device: bool = False
    ) -> None:
        self.extractor = extractor
        self.pad_id = pad_id
        self.on_device = on_device

    def __call__(self, examples: Sequence[Example]) -> dict[str, torch.Tensor]:
        waveforms = stack([example.samples for example in examples], self.extractor)
        if self.on_device:
            batch = {"waveforms": waveforms}
        else:
            batch = {"input_features": log_mel(waveforms, self.extractor)}
        lengths = [-(-len(e.samples) // self.extractor.hop_length) for e in examples]
        frames = torch.arange(self.extractor.nb_max_frames)
        return batch | {
            "attention_mask": (frames < torch.tensor(lengths)[:, None]).long(),
            "decoder_input_ids": _padded([e.labels.inputs for e in examples], self.pad_id),
            "labels": _padded([e.labels.labels for e in examples], IGNORED),
        }


def _padded(rows: list[list[int]], value: int) -> torch.Tensor:
    return pad_sequence([torch.tensor(r) for r in rows], batch_first=True, padding_value=value)
