"""A loss that adds up, however the batch is divided."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from khmer_whisper.examples.collate import Collator, Example
from khmer_whisper.labels import IGNORED
from khmer_whisper.loss import LossHead, mean_loss


@pytest.fixture
def head(tiny):
    head = LossHead(tiny.model)
    yield head
    head.remove()
    tiny.model.eval()


def gradients(model: torch.nn.Module) -> torch.Tensor:
    return torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])


def test_loss_does_not_depend_on_how_the_batch_is_divided(tiny, head, examples):
    collate = Collator(tiny.extractor, pad_id=tiny.labeller.end)

    def loss_and_gradient(parts: list[list[Example]]) -> tuple[float, torch.Tensor]:
        batches = [collate(part) for part in parts]
        items = sum((batch["labels"] != IGNORED).sum() for batch in batches)
        tiny.model.zero_grad()
        total = 0.0
        for batch in batches:
            head.labels = batch.pop("labels")
            loss = mean_loss(tiny.model(**batch), head.labels, items)
            loss.backward()
            total += loss.item()
        return total, gradients(tiny.model)

    whole, gradient = loss_and_gradient([examples])
    for parts in ([[e] for e in examples], [examples[:1], examples[1:]]):
        loss, other = loss_and_gradient(parts)
        assert loss == pytest.approx(whole, rel=1e-5)
        torch.testing.assert_close(other, gradient, atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize("autocast", (False, True), ids=("float32", "bfloat16"))
def test_loss_is_that_of_the_models_own_logits(tiny, head, examples, autocast):
    # More labels than the layer is wide: they are taken in several parts.
    batch = Collator(tiny.extractor, pad_id=tiny.labeller.end)(examples * 3)
    labels = batch.pop("labels")
    assert (labels != IGNORED).sum() > 2 * tiny.model.config.d_model

    def loss_and_gradient(ours: bool) -> tuple[float, torch.Tensor]:
        tiny.model.train(ours)  # it has no dropout
        tiny.model.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            outputs = tiny.model(**batch)
        if ours:
            head.labels = labels
            loss = mean_loss(outputs, labels)
        else:
            loss = cross_entropy(outputs.logits.float().flatten(0, 1), labels.flatten())
        (3 * loss).backward()
        return loss.item(), gradients(tiny.model)

    head.labels = labels
    loss, gradient = loss_and_gradient(ours=True)
    whole, expected = loss_and_gradient(ours=False)
    assert loss == pytest.approx(whole, rel=1e-2 if autocast else 1e-5)
    far = (gradient - expected).norm() / expected.norm()
    assert far < (2e-2 if autocast else 1e-5)


def test_a_frozen_table_gets_no_gradient_and_its_model_the_same(tiny, head, examples):
    batch = Collator(tiny.extractor, pad_id=tiny.labeller.end)(examples)
    head.labels = batch.pop("labels")
    tiny.model.train()
    norm = tiny.model.model.decoder.layer_norm.weight
    gradients_ = []
    for learns in (True, False):
        head.weight.requires_grad_(learns)
        tiny.model.zero_grad()
        mean_loss(tiny.model(**batch), head.labels).backward()
        gradients_.append(norm.grad.clone())
    assert head.weight.grad is None
    head.weight.requires_grad_()
    torch.testing.assert_close(*gradients_)


def test_the_head_is_put_in_for_training_only(tiny):
    layer, names = tiny.model.proj_out, set(tiny.model.state_dict())
    head = LossHead(tiny.model)
    assert set(tiny.model.state_dict()) == names
    assert tiny.model.proj_out.weight is tiny.model.model.decoder.embed_tokens.weight
    hidden = torch.randn(1, 2, tiny.model.config.d_model)
    torch.testing.assert_close(head.eval()(hidden), layer(hidden))
    head.remove()
    assert tiny.model.proj_out is layer


def test_loss_is_the_mean_over_labels(tiny, head):
    labels = head.labels = torch.tensor([[1, 2, IGNORED], [3, IGNORED, IGNORED]])
    every_token_equally_likely = torch.zeros(2, 3, tiny.model.config.d_model)
    outputs = SimpleNamespace(logits=head.train()(every_token_equally_likely))
    mean = np.log(tiny.model.config.vocab_size)
    assert mean_loss(outputs, labels).item() == pytest.approx(mean)
    assert mean_loss(outputs, labels, num_items_in_batch=6).item() == pytest.approx(mean / 2)
