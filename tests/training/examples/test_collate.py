"""From examples to the tensors of a batch."""

import numpy as np
import pytest
import torch

from khmer_whisper.examples.collate import Collator, log_mel, stack
from khmer_whisper.labels import IGNORED


@pytest.mark.parametrize("n", (1, 160, 161, 16_001, 31_800, 31_801, 32_000))
def test_log_mel_is_whispers(tiny, n):
    draw = np.random.default_rng(n)
    waveforms = [draw.normal(0, 0.1, size).astype(np.float32) for size in (n, n // 3 + 1)]
    waveforms.append(np.zeros(n, np.float32))
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
