"""The loss, exact to the token, without the logits of a whole batch.

transformers averages Whisper's loss within each micro-batch and then adds the averages: with
gradient accumulation, loss and gradients grow with the number of micro-batches, and short ones
weigh too much. Here each label weighs the same, however the batch is divided.
"""

from __future__ import annotations

import torch
from torch.nn.functional import linear
from transformers import WhisperForConditionalGeneration

from khmer_whisper.labels import IGNORED


class LossHead(torch.nn.Module):
    """The output layer of a Whisper in training: hidden states to the loss, no logits between.

    The vocabulary is the widest layer by far, and its logits, their softmax and its gradient the
    largest tensors of a step. Here they are made for a few labels at a time, and for padding never
    (Hsu et al. 2024, "Liger Kernel", section 3.2, whose code needs a GPU).

    `labels` (batch, length), IGNORED where nothing is learned, are those of the next forward pass.
    Label i belongs to hidden state i, nothing is shifted. What the model then returns as `logits`
    is a scalar, the cross entropy summed over the labels in float32. In evaluation it returns its
    logits as ever. The weight is the model's own, and keeps its name in checkpoints.
    """

    def __init__(self, model: WhisperForConditionalGeneration) -> None:
        super().__init__()
        self.labels: torch.Tensor | None = None
        self.weight = model.proj_out.weight
        self._replaced = (model, model.proj_out)  # a tuple: these are no submodules of it
        model.proj_out = self

    def remove(self) -> None:
        """Give the model its own output layer back."""
        model, layer = self._replaced
        model.proj_out = layer

    @torch.compiler.disable  # how many labels are learned differs in every batch
    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        if not self.training:
            return linear(hidden, self.weight)
        learned = self.labels != IGNORED
        return _SummedCrossEntropy.apply(hidden[learned], self.weight, self.labels[learned])


class _SummedCrossEntropy(torch.autograd.Function):
    """Of `hidden` (n, width) times `weight` (vocabulary, width) against `labels` (n,).

    The gradients are made in the forward pass, while a part's softmax is at hand.
    """

    @staticmethod
    def forward(ctx, hidden, weight, labels):
        device = hidden.device.type
        narrow = torch.is_autocast_enabled(device)
        # As many labels at a time as the layer is wide: a part is as large as the weight.
        size = weight.shape[1]
        total = hidden.new_zeros((), dtype=torch.float32)
        of_hidden = torch.empty_like(hidden)
        of_weight = torch.zeros_like(weight) if ctx.needs_input_grad[1] else None
        with torch.autocast(device, enabled=False):
            table = weight.to(torch.get_autocast_dtype(device)) if narrow else weight
            parts = hidden.to(table.dtype).split(size), labels[:, None].split(size)
            for rows, told, into in zip(*parts, of_hidden.split(size), strict=True):
                scores = (rows @ table.T).float()
                highest = scores.amax(1, keepdim=True)
                total += highest.sum() - scores.gather(1, told).sum()
                sums = scores.sub_(highest).exp_().sum(1, keepdim=True)
                total += sums.log().sum()
                # The softmax less one at the label: the gradient of the scores.
                scores.div_(sums).scatter_add_(1, told, -torch.ones_like(sums))
                scores = scores.to(table.dtype)
                into.copy_(scores @ table)
                if of_weight is not None:
                    of_weight += scores.T @ rows
        ctx.save_for_backward(of_hidden, of_weight)
        return total

    @staticmethod
    def backward(ctx, scale):
        of_hidden, of_weight = ctx.saved_tensors
        return of_hidden * scale, None if of_weight is None else of_weight * scale, None


def token_loss(
    outputs, labels: torch.Tensor, num_items_in_batch: torch.Tensor | int | None = None
) -> torch.Tensor:
    """The sum that a `LossHead` gave as `outputs.logits`, by the labels of the optimizer step.

    The Trainer counts `num_items_in_batch` over all micro-batches and processes; without it the
    batch stands alone. Has the signature of the Trainer's `compute_loss_func`.
    """
    if num_items_in_batch is None:
        num_items_in_batch = (labels != IGNORED).sum()
    return outputs.logits / num_items_in_batch
