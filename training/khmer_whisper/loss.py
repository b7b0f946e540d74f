"""The loss, exact to the token.

transformers averages Whisper's loss within each micro-batch and then adds the averages: with
gradient accumulation, loss and gradients grow with the number of micro-batches, and short ones
weigh too much. Here each label weighs the same, however the batch is divided.
"""

from __future__ import annotations

import torch
from torch.nn.functional import cross_entropy
from transformers import WhisperForConditionalGeneration

from khmer_whisper.labels import IGNORED


class LearnedLogits:
    """Lets a Whisper in training make logits only where a label is learned.

    The vocabulary is the widest layer by far, and of a padded batch a third or more is padding.
    `learned` is the mask (batch, length) of the next forward pass, whose logits then have the
    shape (labels, vocabulary), in the mask's order. In evaluation the model is as it was.
    """

    def __init__(self, model: WhisperForConditionalGeneration) -> None:
        self.learned: torch.Tensor | None = None
        self._hook = model.proj_out.register_forward_pre_hook(self._select)

    def remove(self) -> None:
        """Leave the model as it was."""
        self._hook.remove()

    def _select(self, layer: torch.nn.Module, inputs: tuple[torch.Tensor]):
        return (inputs[0][self.learned],) if layer.training else inputs


def token_loss(
    outputs, labels: torch.Tensor, num_items_in_batch: torch.Tensor | int | None = None
) -> torch.Tensor:
    """Cross entropy summed over the labels, divided by the labels of the whole optimizer step.

    `outputs.logits` has shape (batch, length, vocabulary), or (labels, vocabulary) as
    `LearnedLogits` makes them; `labels` (batch, length) is IGNORED where nothing is learned. Label
    i belongs to logit i, nothing is shifted. The Trainer counts `num_items_in_batch` over all
    micro-batches and processes; without it the batch stands alone. The sum is taken in float32.
    Has the signature of the Trainer's `compute_loss_func`.
    """
    learned = labels != IGNORED
    logits = outputs.logits if outputs.logits.dim() == 2 else outputs.logits[learned]
    total = cross_entropy(logits.float(), labels[learned], reduction="sum")
    return total / (learned.sum() if num_items_in_batch is None else num_items_in_batch)
