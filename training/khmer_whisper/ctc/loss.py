"""CTC's loss, with what keeps its tokens where they are spoken.

A CTC model is free to be late, and its blank wins the frames around each token. Three things
against that, each of them optional:

- Label priors (Huang et al. 2024, "Less Peaky and More Accurate CTC Forced Alignment by Label
  Priors", arXiv 2406.02560): a share of the log of each token's running frequency is taken off its
  log-probability inside the loss, so that the blank, the most frequent, has less of a head start.
- Limited delay (after Senior et al. 2015, "Acoustic modelling with CD-CTC-sMBR LSTM RNNs"): paths
  fill the words' times, and begin no word late.
- Frame targets: the token of each frame by an alignment made before, with cross entropy. They
  outweigh CTC at first and give way to it: CTC alone sharpens what they blur.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.nn import functional

IGNORED = -100  # a frame without a target; cross entropy's own convention
BLANK = 0
_IMPOSSIBLE = -1e4  # log-probability of a token at a frame where its path may not be
_PRIOR_DECAY = 0.99  # a step: the frequency is that of the last hundred or so
_FIRST_CTC, _LAST_TARGETS = 0.2, 0.3  # weights at the two ends of the schedule
_RAMP = (0.2, 0.7)  # shares of the training between which one gives way to the other


@dataclass(frozen=True)
class Batch:
    """What a batch is learned against.

    lengths: frames (B,). tokens: (B, L), padded with IGNORED. targets: (B, T) or None, the token
    of each frame. allowed: (B, T, V) or None, where CTC's paths may be.
    """

    lengths: torch.Tensor
    tokens: torch.Tensor
    targets: torch.Tensor | None
    allowed: torch.Tensor | None


def ctc_loss(
    log_probs: torch.Tensor, batch: Batch, log_prior: torch.Tensor | None, priors: float
) -> torch.Tensor:
    """CTC's loss per token, of log_probs (B, T, V) float32.

    Priors and limits leave scores that are no distribution. torch's gradient is right for
    distributions only, so they are normalized, and each frame's norm is added again: the norm is
    part of every path.
    """
    scores = log_probs
    if log_prior is not None:
        scores = scores - priors * log_prior
    if batch.allowed is not None:
        scores = scores.masked_fill(~batch.allowed, _IMPOSSIBLE)
    norm = scores.logsumexp(-1, keepdim=True)
    counts = (batch.tokens != IGNORED).sum(-1)
    losses = functional.ctc_loss(
        (scores - norm).transpose(0, 1),
        batch.tokens.clamp(min=0),
        batch.lengths,
        counts,
        blank=BLANK,
        reduction="none",
        zero_infinity=True,
    )
    frames = torch.arange(scores.shape[1], device=scores.device) < batch.lengths[:, None]
    norms = (norm.squeeze(-1) * frames).sum(-1)
    return (losses - norms * (losses != 0)).sum() / counts.sum().clamp(min=1)


def target_loss(log_probs: torch.Tensor, batch: Batch) -> torch.Tensor:
    """Cross entropy per frame that has a target."""
    if batch.targets is None or not (batch.targets != IGNORED).any():
        return log_probs.sum() * 0
    return functional.nll_loss(log_probs.transpose(1, 2), batch.targets, ignore_index=IGNORED)


def weights(progress: float, targets: float) -> tuple[float, float]:
    """Weights of CTC's loss and of the frame targets after a share `progress` of the training."""
    if targets == 0:
        return 1.0, 0.0
    start, end = _RAMP
    done = min(1.0, max(0.0, (progress - start) / (end - start)))
    return _FIRST_CTC + (1 - _FIRST_CTC) * done, targets * (1 - (1 - _LAST_TARGETS) * done)


def update_prior(prior: torch.Tensor, log_probs: torch.Tensor, lengths: torch.Tensor) -> None:
    """Move the tokens' running frequency (V,) towards that of a batch, in place."""
    frames = torch.arange(log_probs.shape[1], device=log_probs.device) < lengths[:, None]
    prior.lerp_(log_probs.detach()[frames].exp().mean(0), 1 - _PRIOR_DECAY)
