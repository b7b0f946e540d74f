"""A CTC head on the encoder of a Whisper: the model that transcribes also times.

The encoder gives 50 frames a second over a window of 30 s. Its last layer serves the decoder, and
timing lives in the layers before: the head reads a learned mixture of all of them (as in SUPERB,
Yang et al. 2021), through two convolutions.
"""

from __future__ import annotations

import torch
from torch import nn
from transformers import WhisperConfig
from transformers.modeling_outputs import CausalLMOutput
from transformers.models.whisper.modeling_whisper import WhisperEncoder, WhisperPreTrainedModel

_WIDTH, _KERNEL = 256, 5


class WhisperForCTC(WhisperPreTrainedModel):
    """The encoder and a CTC head.

    config: that of a Whisper, `vocab_size` tokens with the blank at `pad_token_id`. The class is
    not registered with `AutoModelForCTC`: `pipeline` would then load every Whisper as one.
    """

    config_class = WhisperConfig
    main_input_name = "input_features"

    def __init__(self, config: WhisperConfig) -> None:
        super().__init__(config)
        self.encoder = WhisperEncoder(config)
        self.mixture = nn.Parameter(torch.zeros(config.encoder_layers + 1))
        self.project = nn.Linear(config.d_model, _WIDTH)
        self.convolutions = nn.ModuleList(
            nn.Conv1d(_WIDTH, _WIDTH, _KERNEL, padding="same") for _ in range(2)
        )
        self.lm_head = nn.Linear(_WIDTH, config.vocab_size)
        self.post_init()

    @property
    def stride(self) -> int:
        """Steps of log-mel to a frame."""
        return self.encoder.conv1.stride[0] * self.encoder.conv2.stride[0]

    @property
    def window(self) -> int:
        """Steps of log-mel that the encoder reads, no fewer and no more."""
        return self.config.max_source_positions * self.stride

    def forward(
        self, input_features: torch.Tensor, attention_mask: torch.Tensor | None = None
    ) -> CausalLMOutput:
        """input_features (B, N, mels), time before frequency, N the whole window -> logits
        (B, T, V). The mask is not looked at: silence behind the speech is what a Whisper knows."""
        output = self.encoder(input_features.transpose(1, 2), output_hidden_states=True)
        layers = torch.stack(output.hidden_states)
        weights = self.mixture.softmax(0).to(layers.dtype)
        hidden = self.project(torch.einsum("l,lbtd->btd", weights, layers)).transpose(1, 2)
        for convolution in self.convolutions:
            hidden = hidden + nn.functional.gelu(convolution(hidden))
        return CausalLMOutput(logits=self.lm_head(hidden.transpose(1, 2)))
