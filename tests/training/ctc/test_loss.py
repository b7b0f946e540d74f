"""CTC's loss with priors and limits, against every path counted one by one."""

import itertools

import pytest
import torch

from khmer_whisper.ctc.loss import (
    IGNORED,
    Batch,
    ctc_loss,
    target_loss,
    update_prior,
    weights,
)

FRAMES, SIZE = 5, 3
TOKENS = [1, 2]


def batch_of(allowed: torch.Tensor | None = None, targets: torch.Tensor | None = None) -> Batch:
    return Batch(torch.tensor([FRAMES]), torch.tensor([TOKENS]), targets, allowed)


def by_hand(scores: torch.Tensor) -> torch.Tensor:
    """The same loss, per token, summed over all paths."""
    totals = []
    for path in itertools.product(range(SIZE), repeat=FRAMES):
        merged = [token for token, _ in itertools.groupby(path) if token]
        if merged == TOKENS:
            totals.append(scores[0, range(FRAMES), path].sum())
    return -torch.stack(totals).logsumexp(0) / len(TOKENS)


@pytest.fixture
def log_probs() -> torch.Tensor:
    torch.manual_seed(0)
    return torch.randn(1, FRAMES, SIZE).log_softmax(-1)


def test_without_anything_it_is_ctcs(log_probs):
    assert ctc_loss(log_probs, batch_of(), None, 0.0).item() == pytest.approx(
        by_hand(log_probs).item(), rel=1e-5
    )


def test_with_priors_loss_and_gradient_are_those_of_all_paths(log_probs):
    prior = torch.tensor([0.7, 0.2, 0.1]).log()
    logits = [log_probs.clone().requires_grad_() for _ in range(2)]
    loss = ctc_loss(logits[0].log_softmax(-1), batch_of(), prior, 0.3)
    expected = by_hand(logits[1].log_softmax(-1) - 0.3 * prior)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    loss.backward()
    expected.backward()
    torch.testing.assert_close(logits[0].grad, logits[1].grad, atol=1e-5, rtol=1e-4)


def test_with_limits_paths_elsewhere_do_not_count(log_probs):
    allowed = torch.ones(1, FRAMES, SIZE, dtype=torch.bool)
    allowed[0, :3, 2] = False  # the second token only in the last two frames
    logits = [log_probs.clone().requires_grad_() for _ in range(2)]
    loss = ctc_loss(logits[0].log_softmax(-1), batch_of(allowed), None, 0.0)
    expected = by_hand(logits[1].log_softmax(-1).masked_fill(~allowed, -torch.inf))
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    loss.backward()
    expected.backward()
    torch.testing.assert_close(logits[0].grad, logits[1].grad, atol=1e-5, rtol=1e-4)


def test_tokens_that_do_not_fit_into_the_audio_teach_nothing():
    logits = torch.randn(1, 1, SIZE, requires_grad=True)
    batch = Batch(torch.tensor([1]), torch.tensor([TOKENS]), None, None)
    loss = ctc_loss(logits.log_softmax(-1), batch, None, 0.0)
    loss.backward()
    assert loss.item() == 0
    assert not logits.grad.any()


def test_frames_without_a_target_are_left_out(log_probs):
    targets = torch.tensor([[1, IGNORED, 2, 0, IGNORED]])
    expected = -(log_probs[0, 0, 1] + log_probs[0, 2, 2] + log_probs[0, 3, 0]) / 3
    torch.testing.assert_close(target_loss(log_probs, batch_of(targets=targets)), expected)
    assert target_loss(log_probs, batch_of(targets=torch.full((1, 5), IGNORED))) == 0


def test_targets_outweigh_ctc_at_first_and_give_way_to_it():
    first, last = weights(0.0, 1.0), weights(1.0, 1.0)
    assert first[1] > 3 * first[0] and last[0] > 3 * last[1] > 0
    assert weights(0.5, 0.0) == (1.0, 0.0)


def test_the_running_prior_is_a_distribution_that_follows_the_frames(log_probs):
    prior = torch.full((SIZE,), 1 / SIZE)
    certain = torch.full((1, FRAMES, SIZE), -100.0)
    certain[..., 0] = 0.0
    certain[0, 3:] = torch.tensor([-100.0, 0.0, -100.0])  # behind the audio: not counted
    for _ in range(400):
        update_prior(prior, certain, torch.tensor([3]))
    assert prior.sum().item() == pytest.approx(1, abs=1e-4)
    assert prior[0] > 0.95
