"""Train the demo's aligner: a small CTC model over the letters of romanized Khmer."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import jiwer
import numpy as np
import torch
from tqdm import tqdm
from transformers import (
    SeamlessM4TFeatureExtractor,
    Wav2Vec2BertConfig,
    Wav2Vec2BertForCTC,
    Wav2Vec2BertProcessor,
    Wav2Vec2CTCTokenizer,
)

from khmer_aligned.schema import SAMPLE_RATE

from .corpus import VARIANTS, Reading, stream

BLANK = "-"
LETTERS = [BLANK, *"abcdefghijklmnopqrstuvwxyz'"]
LANGUAGES = ["id", "ms", "sw", "it", "es", "hr", "fi", "ro", "eo"]
STRIDE = 2  # frames of 10 ms in each of 20 ms
FRAME_SECONDS = 0.02
BATCH_SECONDS = 40
LONG = 0.1  # share of batches with recordings of several sentences
LONG_SECONDS = 30  # at most
LEARNING_RATE = 2e-3
GUIDANCE = 1.0  # weight of the frames' cross entropy beside CTC's loss
STEPS = 600
SAVE_EVERY = 100


def model() -> Wav2Vec2BertForCTC:
    """0.7 M parameters. No dropout: no sentence comes twice."""
    return Wav2Vec2BertForCTC(
        Wav2Vec2BertConfig(
            vocab_size=len(LETTERS),
            hidden_size=96,
            output_hidden_size=96,
            num_hidden_layers=3,
            num_attention_heads=4,
            intermediate_size=384,
            feature_projection_input_dim=80 * STRIDE,
            position_embeddings_type="rotary",
            conv_depthwise_kernel_size=15,
            ctc_loss_reduction="mean",
            ctc_zero_infinity=True,
            pad_token_id=0,
            bos_token_id=None,
            eos_token_id=None,
            layerdrop=0.0,
            hidden_dropout=0.0,
            attention_dropout=0.0,
            activation_dropout=0.0,
            conformer_conv_dropout=0.0,
            feat_proj_dropout=0.0,
            final_dropout=0.0,
            mask_time_prob=0.03,
            mask_time_length=5,
        )
    )


def extractor() -> SeamlessM4TFeatureExtractor:
    return SeamlessM4TFeatureExtractor(feature_size=80, num_mel_bins=80, stride=STRIDE)


class Batches(torch.utils.data.IterableDataset):
    """Batches of about BATCH_SECONDS.

    input_features (B, T, 160), attention_mask (B, T), labels (B, L) padded with -100, guide (B, T).
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def __iter__(self) -> Iterator[dict[str, torch.Tensor]]:
        chance = random.Random(self.seed)
        readings = (r for _, r in stream(self.seed, LANGUAGES, VARIANTS, max_bytes=300))
        features = extractor()
        while True:
            long = chance.random() < LONG
            recordings, seconds = [], 0.0
            while seconds < BATCH_SECONDS:
                recording = next(readings)
                limit = chance.uniform(12, LONG_SECONDS) if long else 0
                while len(recording.samples) / SAMPLE_RATE < limit - 8:
                    recording = concatenate(recording, next(readings))
                recordings.append(recording)
                seconds += len(recording.samples) / SAMPLE_RATE
            batch = features(
                [recording.samples for recording in recordings],
                sampling_rate=SAMPLE_RATE,
                return_tensors="pt",
            )
            frames = batch["input_features"].shape[1]
            yield {
                "input_features": batch["input_features"],
                "attention_mask": batch["attention_mask"],
                "labels": torch.nn.utils.rnn.pad_sequence(
                    [torch.tensor([LETTERS.index(c) for c in r.letters]) for r in recordings],
                    batch_first=True,
                    padding_value=-100,
                ),
                "guide": torch.stack([guide(r, frames) for r in recordings]),
            }


def concatenate(first: Reading, second: Reading) -> Reading:
    """Two readings, one after the other."""
    shift = len(first.samples) / SAMPLE_RATE
    return Reading(
        np.concatenate([first.samples, second.samples]),
        first.words + second.words,
        first.times + [(a + shift, b + shift) for a, b in second.times],
    )


def guide(reading: Reading, frames: int) -> torch.Tensor:
    """The letter of each frame (frames,), the letters of a word spread evenly over its time."""
    path = torch.zeros(frames, dtype=torch.long)
    for word, (start, end) in zip(reading.words, reading.times, strict=True):
        ids = [LETTERS.index(c) for c in word.romanized]
        bounds = np.round(np.linspace(start, end, len(ids) + 1) / FRAME_SECONDS).astype(int)
        for i, (a, b) in enumerate(pairwise(bounds)):
            path[a:b] = ids[i]
            if i and ids[i] == ids[i - 1] and b - a > 1:
                path[a] = 0  # between two equal letters CTC needs a blank
    return path


def compute_loss(aligner: Wav2Vec2BertForCTC, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    """The CTC loss and the cross entropy of each frame with the guide.

    With the guide the model learns in minutes, and its letters stay where they are spoken.
    """
    mask = batch["attention_mask"]
    output = aligner(batch["input_features"], attention_mask=mask, labels=batch["labels"])
    logits = output.logits[mask.bool()]
    return output.loss + GUIDANCE * torch.nn.functional.cross_entropy(
        logits, batch["guide"][mask.bool()]
    )


def letter_error_rate(aligner: Wav2Vec2BertForCTC, batch: dict) -> float:
    """The letter error rate of greedy decoding."""
    with torch.inference_mode():
        best = aligner(batch["input_features"], attention_mask=batch["attention_mask"])
    references, hypotheses = [], []
    for path, mask, ids in zip(
        best.logits.argmax(-1), batch["attention_mask"], batch["labels"], strict=True
    ):
        path = torch.unique_consecutive(path[mask.bool()])
        hypotheses.append("".join(LETTERS[i] for i in path if i))
        references.append("".join(LETTERS[i] for i in ids if i >= 0))
    return jiwer.cer(references, hypotheses)


def save(aligner: Wav2Vec2BertForCTC, folder: Path) -> None:
    """Write a folder for `AutoModelForCTC.from_pretrained` and `AutoProcessor`; fp16."""
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = {letter: i for i, letter in enumerate(LETTERS)}
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    tokenizer = Wav2Vec2CTCTokenizer(
        str(folder / "vocab.json"),
        bos_token=None,
        eos_token=None,
        unk_token=BLANK,
        pad_token=BLANK,
        word_delimiter_token=BLANK,
    )
    Wav2Vec2BertProcessor(extractor(), tokenizer).save_pretrained(folder)
    half = Wav2Vec2BertForCTC(aligner.config)
    half.load_state_dict(aligner.state_dict())
    half.half().save_pretrained(folder)


def make_aligner(folder: Path, seed: int = 1) -> None:
    """Train the aligner and write it to `folder`."""
    torch.manual_seed(seed)
    aligner = model().train()
    optimizer = torch.optim.AdamW(aligner.parameters(), LEARNING_RATE, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, LEARNING_RATE, total_steps=STEPS, pct_start=0.1
    )
    batches = iter(torch.utils.data.DataLoader(Batches(seed), batch_size=None, num_workers=1))
    held_out = next(iter(Batches(seed + 1)))
    for step in tqdm(range(1, STEPS + 1), desc="aligner", unit="batch"):
        loss = compute_loss(aligner, next(batches))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(aligner.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        if step % SAVE_EVERY == 0 or step == STEPS:
            rate = letter_error_rate(aligner.eval(), held_out)
            tqdm.write(f"step {step}: loss {loss.item():.3f}, letter error rate {rate:.3f}")
            save(aligner, folder)
            aligner.train()
