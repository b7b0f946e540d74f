"""The loss, exact to the token.

transformers averages Whisper's loss within each micro-batch and then adds the averages: with
gradient accumulation, loss and gradients grow with the number of micro-batches, and short ones
weigh too much. Here each label weighs the same, however the batch is divided.
"""

from __future__ import annotations

import torch
from torch.nn.functional import cross_entropy

from khmer_whisper.labels import IGNORED


def token_loss(
    outputs, labels: torch.Tensor, num_items_in_batch: torch.Tensor | int | None = None
) -> torch.Tensor:
    """Cross entropy summed over the labels, divided by the labels of the whole optimizer step.

    `outputs.logits` has shape (batch, length, vocabulary), `labels` (batch, length) with IGNORED
    where nothing is learned; label i belongs to logit i, nothing is shifted. The Trainer counts
    `num_items_in_batch` over all micro-batches and processes; without it the batch stands alone.
    The sum is taken in float32. Has the signature of the Trainer's `compute_loss_func`.
    """
    total = cross_entropy(
        outputs.logits.float().flatten(0, 1),
        labels.flatten(),
        ignore_index=IGNORED,
        reduction="sum",
    )
    if num_items_in_batch is None:
        num_items_in_batch = (labels != IGNORED).sum()
    return total / num_items_in_batch
