"""What each head of the decoder attends to, label by label, for a text that is given to it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from khmer_whisper.decode import encode, evaluating
from khmer_whisper.model import Whisper

HOP_SECONDS = 0.01  # of the log-mel


@dataclass(frozen=True, slots=True)
class Attention:
    """The decoder's reading of one clip.

    layers: for each decoder layer the weights (H, L + 1, F) of its heads over the F frames that
    hold audio, in the row of each of the L labels those with which it is predicted, and last those
    of the end token; log_probs (L,) of the labels; frame_seconds: from one frame to the next
    """

    layers: list[torch.Tensor]
    log_probs: torch.Tensor
    frame_seconds: float


def attend(
    whisper: Whisper, waveform: np.ndarray, labels: Sequence[int], prompt: Sequence[int]
) -> Attention:
    """Let the decoder read `labels` behind `prompt` on a waveform (n,) within its window.

    The weights are computed from the inputs of each layer's cross-attention, so that any
    implementation of attention may run the model.
    """
    model = whisper.model
    frames, seconds = count_frames(whisper, len(waveform))
    layers: list[torch.Tensor] = []

    def keep(module: Any, arguments: tuple, options: dict[str, Any]) -> None:
        hidden = arguments[0] if arguments else options["hidden_states"]
        states = options["key_value_states"]
        rows = hidden[:, len(prompt) - 1 :]
        layers.append(_weights(module, rows, states)[..., :frames])

    with torch.no_grad(), evaluating(model), ExitStack() as hooks:
        for layer in model.model.decoder.layers:
            handle = layer.encoder_attn.register_forward_pre_hook(keep, with_kwargs=True)
            hooks.callback(handle.remove)
        encoded = encode(whisper, [waveform])
        inputs = torch.tensor([[*prompt, *labels]], device=whisper.device)
        hidden = model.model.decoder(
            input_ids=inputs, encoder_hidden_states=encoded, use_cache=False
        ).last_hidden_state[0, len(prompt) - 1 : -1]
        scores = model.proj_out(hidden).float().log_softmax(-1)
    chosen = torch.tensor(labels, device=scores.device, dtype=torch.long)[:, None]
    return Attention(layers, scores.gather(1, chosen)[:, 0].cpu(), seconds)


def count_frames(whisper: Whisper, samples: int) -> tuple[int, float]:
    """How many of the encoder's frames hold audio, and seconds from one to the next."""
    encoder = whisper.model.model.encoder
    stride = encoder.conv1.stride[0] * encoder.conv2.stride[0]
    hops = -(-samples // whisper.extractor.hop_length)
    return max(1, -(-hops // stride)), stride * HOP_SECONDS


def _weights(module: Any, hidden: torch.Tensor, states: torch.Tensor) -> torch.Tensor:
    """The attention (H, N, F) of inputs (1, N, D) over the encoder's states (1, F, D)."""

    def split(values: torch.Tensor) -> torch.Tensor:
        return values[0].unflatten(-1, (module.num_heads, module.head_dim)).transpose(0, 1)

    queries = split(module.q_proj(hidden)) * module.scaling
    return (queries @ split(module.k_proj(states)).transpose(1, 2)).float().softmax(-1)
