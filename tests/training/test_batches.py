"""From waveforms and labels to tensors, and from tensors to a loss that adds up."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from khmer_whisper.collate import Collator, Example, log_mel, stack
from khmer_whisper.labels import IGNORED
from khmer_whisper.loss import LearnedLogits, token_loss

from .conftest import sound


@pytest.fixture
def examples(tiny) -> list[Example]:
    return [
        Example(sound(words, seed=i), tiny.labeller.plain(" ".join(words)))
        for i, words in enumerate([["ទឹក"], ["ឆ្កែ", "ល្អ"], ["ធំ", "ធំ"]])
    ]


def test_log_mel_is_whispers(tiny, examples):
    waveforms = [example.samples for example in examples]
    ours = log_mel(stack(waveforms, tiny.extractor), tiny.extractor)
    theirs = tiny.extractor(waveforms, sampling_rate=16_000, return_tensors="pt").input_features
    assert ours.shape == (3, 40, 200)
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=0)


def test_nothing_is_cut_to_the_window(tiny):
    with pytest.raises(ValueError, match="do not fit"):
        stack([np.zeros(tiny.extractor.n_samples + 1, np.float32)], tiny.extractor)


def test_padding_is_masked_and_the_end_token_is_not(tiny, examples):
    end = tiny.labeller.end
    batch = Collator(tiny.extractor, pad_id=end)(examples)
    assert batch["labels"].shape == batch["decoder_input_ids"].shape
    for row, example in enumerate(examples):
        learned = batch["labels"][row][batch["labels"][row] != IGNORED].tolist()
        assert learned == example.labels.labels
        # The recipe masks every pad; Whisper's pad is its end token, and decoding never stops.
        assert learned[-1] == end == tiny.tokenizer.pad_token_id
        inputs = batch["decoder_input_ids"][row]
        assert inputs[: len(example.labels)].tolist() == example.labels.inputs
        assert (inputs[len(example.labels) :] == end).all()
        assert batch["attention_mask"][row].sum() == -(-len(example.samples) // 160)


def test_loss_does_not_depend_on_how_the_batch_is_divided(tiny, examples):
    collate = Collator(tiny.extractor, pad_id=tiny.labeller.end)

    def loss_and_gradient(parts: list[list[Example]]) -> tuple[float, torch.Tensor]:
        batches = [collate(part) for part in parts]
        items = sum((batch["labels"] != IGNORED).sum() for batch in batches)
        tiny.model.zero_grad()
        total = 0.0
        for batch in batches:
            labels = batch.pop("labels")
            loss = token_loss(tiny.model(**batch), labels, items)
            loss.backward()
            total += loss.item()
        return total, torch.cat(
            [p.grad.flatten() for p in tiny.model.parameters() if p.grad is not None]
        )

    whole, gradient = loss_and_gradient([examples])
    for parts in ([[e] for e in examples], [examples[:1], examples[1:]]):
        loss, other = loss_and_gradient(parts)
        assert loss == pytest.approx(whole, rel=1e-5)
        torch.testing.assert_close(other, gradient, atol=1e-6, rtol=1e-4)


def test_logits_of_learned_labels_alone_give_the_same_loss_and_gradient(tiny, examples):
    batch = Collator(tiny.extractor, pad_id=tiny.labeller.end)(examples)
    labels = batch.pop("labels")
    found = []
    tiny.model.train()
    for select in (False, True):
        chosen = LearnedLogits(tiny.model) if select else None
        if chosen:
            chosen.learned = labels != IGNORED
        tiny.model.zero_grad()
        outputs = tiny.model(**batch)
        loss = token_loss(outputs, labels)
        loss.backward()
        gradient = torch.cat([p.grad.flatten() for p in tiny.model.parameters() if p.requires_grad])
        found.append((outputs.logits.shape, loss.item(), gradient))
    tiny.model.eval()
    assert tiny.model(**batch).logits.shape == found[0][0]  # to decode, the model is as it was
    chosen.remove()
    assert found[1][0] == (int((labels != IGNORED).sum()), tiny.model.config.vocab_size)
    assert found[1][1] == pytest.approx(found[0][1], rel=1e-5)
    torch.testing.assert_close(found[1][2], found[0][2], atol=1e-6, rtol=1e-4)


def test_loss_is_the_mean_over_labels():
    logits = torch.zeros(2, 3, 5)  # every token equally likely
    labels = torch.tensor([[1, 2, IGNORED], [3, IGNORED, IGNORED]])
    outputs = SimpleNamespace(logits=logits)
    assert token_loss(outputs, labels).item() == pytest.approx(np.log(5))
    assert token_loss(outputs, labels, num_items_in_batch=6).item() == pytest.approx(np.log(5) / 2)
