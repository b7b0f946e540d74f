"""The loss of an optimizer step, exact to the label, without the logits of a whole batch.

transformers averages Whisper's loss within each micro-batch and adds the averages: with gradient
accumulation loss and gradients grow with the number of micro-batches, and labels of short ones
weigh more. Here each label weighs the same, however the batch is divided.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from torch.nn.functional import linear
from transformers import WhisperForConditionalGeneration
from transformers.modeling_outputs import Seq2SeqLMOutput

from khmer_whisper.labels import IGNORED


class LossHead(torch.nn.Module):
    """Takes the place of a Whisper's output layer in training: hidden states to a loss.

    The vocabulary is the widest layer by far; its logits, their softmax and its gradient are the
    largest tensors of a step. Here they exist for a few labels at a time, and never for padding
    (Hsu et al. 2024, "Liger Kernel", section 3.2, whose code needs a GPU).

    Two things here are not as one would write them, since WhisperForConditionalGeneration.forward
    passes hidden states alone to its output layer, and returns what that gives as `logits`:

    - `labels` (batch, length), IGNORED where nothing is learned, are set from outside before each
      forward pass. Label i belongs to hidden state i; nothing is shifted.
    - In training the model's `logits` are a scalar, the cross entropy summed over the labels in
      float32, which `mean_loss` divides. In evaluation they are logits.

    The weight is the model's own and keeps its name in checkpoints.
    """

    def __init__(self, model: WhisperForConditionalGeneration) -> None:
        super().__init__()
        self.labels: torch.Tensor | None = None
        self.weight = model.proj_out.weight
        self._replaced = (model, model.proj_out)  # a tuple, so that they do not become submodules
        model._modules["proj_out"] = self

    def remove(self) -> None:
        """Put the model's output layer back."""
        model, layer = self._replaced
        model.proj_out = layer

    @torch.compiler.disable  # the number of labels differs in every batch
    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """hidden (batch, length, width) to a scalar; in evaluation (batch, length, vocabulary)."""
        if not self.training:
            return linear(hidden, self.weight)
        if self.labels is None:
            raise RuntimeError("LossHead.labels must be set before a forward pass")
        learned = self.labels != IGNORED
        return _SummedCrossEntropy.apply(hidden[learned], self.weight, self.labels[learned])


class _SummedCrossEntropy(torch.autograd.Function):
    """Cross entropy of hidden (n, width) @ weight.T (width, vocabulary) with labels (n,), summed.

    The gradients are computed in the forward pass, while the softmax of a chunk is in memory.
    """

    @staticmethod
    def forward(
        ctx: Any, hidden: torch.Tensor, weight: torch.Tensor, labels: torch.Tensor
    ) -> torch.Tensor:
        device = hidden.device.type
        autocast = torch.is_autocast_enabled(device)
        chunk = weight.shape[1]  # labels at a time: the logits of a chunk are as large as `weight`
        total = hidden.new_zeros((), dtype=torch.float32)
        hidden_gradient = torch.empty_like(hidden)
        weight_gradient = torch.zeros_like(weight) if ctx.needs_input_grad[1] else None
        with torch.autocast(device, enabled=False):
            table = weight.to(torch.get_autocast_dtype(device)) if autocast else weight
            for states, targets, gradient in zip(
                hidden.to(table.dtype).split(chunk),
                labels[:, None].split(chunk),
                hidden_gradient.split(chunk),
                strict=True,
            ):
                logits = (states @ table.T).float()
                highest = logits.amax(1, keepdim=True)
                total += highest.sum() - logits.gather(1, targets).sum()
                exponentials = logits.sub_(highest).exp_()
                sums = exponentials.sum(1, keepdim=True)
                total += sums.log().sum()
                # The gradient of the logits is the softmax, less one at the label.
                softmax = exponentials.div_(sums)
                softmax.scatter_add_(1, targets, -torch.ones_like(sums))
                logits_gradient = softmax.to(table.dtype)
                gradient.copy_(logits_gradient @ table)
                if weight_gradient is not None:
                    weight_gradient += logits_gradient.T @ states
        ctx.save_for_backward(hidden_gradient, weight_gradient)
        return total

    @staticmethod
    def backward(ctx: Any, scale: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None, None]:
        hidden_gradient, weight_gradient = ctx.saved_tensors
        if weight_gradient is not None:
            weight_gradient = weight_gradient * scale
        return hidden_gradient * scale, weight_gradient, None


def mean_loss(
    outputs: Seq2SeqLMOutput,
    labels: torch.Tensor,
    num_items_in_batch: torch.Tensor | int | None = None,
) -> torch.Tensor:
    """The loss that a `LossHead` summed, over the number of labels: the Trainer's loss function.

    The Trainer counts `num_items_in_batch` over all micro-batches and processes of a step. Without
    it the labels of this batch count.
    """
    if num_items_in_batch is None:
        num_items_in_batch = (labels != IGNORED).sum()
    summed = cast(torch.Tensor, outputs.logits)  # a scalar, see LossHead
    return summed / num_items_in_batch
