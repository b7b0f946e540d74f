"""Train the demo's Whisper from random weights: small, over bytes, and far from perfect.

An encoder-decoder takes long to learn where to attend. Two losses, used in training only, shorten
that: CTC on the encoder (Watanabe et al. 2017, "Hybrid CTC/attention architecture
for end-to-end speech recognition"), and attention that is guided to where each character is
spoken (after Tachibana et al. 2018, "Efficiently trainable text-to-speech system based on deep
convolutional networks with guided attention"; ours are the known times, not a diagonal).
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import jiwer
import numpy as np
import torch
from torch.nn.utils.rnn import pad_sequence
from tqdm import tqdm
from transformers import (
    WhisperConfig,
    WhisperFeatureExtractor,
    WhisperForConditionalGeneration,
    WhisperProcessor,
)

from khmer_aligned.schema import SAMPLE_RATE
from khmer_whisper.demo.tokenizer import byte_tokenizer
from khmer_whisper.labels import IGNORED, Labeller
from khmer_whisper.model import generation_config

from .corpus import VARIANTS, Reading, stream
from .make_aligner import LETTERS

LANGUAGES = ["id", "ms", "sw", "fi"]  # not the accent of the recordings: there is much to learn
WINDOW = 6  # seconds, where Whisper has 30: a fifth of the work for each clip
FRAME_SECONDS = 0.02
GUIDED_HEADS = 2  # of each decoder layer
MARGIN = 0.12  # seconds around a character that guided attention may cover
CTC_WEIGHT = 0.5
GUIDE_WEIGHT = 1.0
BATCH_SIZE = 16
SAVE_EVERY = 250


@dataclass(frozen=True, slots=True)
class Stage:
    """A part of the training. Short windows come first: most is learned there, at half the work."""

    window: int  # seconds
    max_bytes: int
    max_phrases: int
    steps: int
    learning_rate: float  # at its highest


STAGES = [Stage(3, 70, 1, 1200, 2e-3), Stage(WINDOW, 130, 3, 1200, 1e-3)]


def model(window: int) -> WhisperForConditionalGeneration:
    """1.7 M parameters. No dropout: no sentence comes twice."""
    tokenizer = byte_tokenizer()
    end, start = tokenizer.convert_tokens_to_ids(["<|endoftext|>", "<|startoftranscript|>"])
    config = WhisperConfig(
        vocab_size=len(tokenizer),
        num_mel_bins=80,
        d_model=128,
        encoder_layers=4,
        encoder_attention_heads=4,
        encoder_ffn_dim=512,
        decoder_layers=2,
        decoder_attention_heads=4,
        decoder_ffn_dim=512,
        max_source_positions=round(window / FRAME_SECONDS),
        max_target_positions=256,
        dropout=0.0,
        pad_token_id=end,
        bos_token_id=end,
        eos_token_id=end,
        decoder_start_token_id=start,
        suppress_tokens=None,
        begin_suppress_tokens=None,
    )
    # Only eager attention hands out its weights.
    return WhisperForConditionalGeneration._from_config(config, attn_implementation="eager")


def extractor(window: int) -> WhisperFeatureExtractor:
    return WhisperFeatureExtractor(feature_size=80, chunk_length=window)


class Batches(torch.utils.data.IterableDataset):
    """Batches of BATCH_SIZE sentences that fit the stage's window.

    input_features (B, 80, frames); decoder_input_ids and labels (B, L); letters (B, N), padded
    with IGNORED; guide (B, L, 2), the frames [from, to) of each label, 0, 0 for one without any.
    """

    def __init__(self, stage: Stage, seed: int) -> None:
        self.stage = stage
        self.seed = seed

    def __iter__(self) -> Iterator[dict[str, torch.Tensor]]:
        stage = self.stage
        labeller = Labeller(byte_tokenizer())
        features = extractor(stage.window)
        examples = (
            (text, reading)
            for text, reading in stream(
                self.seed, LANGUAGES, VARIANTS, stage.max_bytes, stage.max_phrases
            )
            if len(reading.samples) <= stage.window * SAMPLE_RATE
        )
        while True:
            batch = [next(examples) for _ in range(BATCH_SIZE)]
            labels = [labeller.plain(text) for text, _ in batch]
            yield {
                "input_features": features(
                    [reading.samples for _, reading in batch],
                    sampling_rate=SAMPLE_RATE,
                    return_tensors="pt",
                ).input_features,
                "decoder_input_ids": _padded([x.inputs for x in labels], labeller.end),
                "labels": _padded([x.labels for x in labels], IGNORED),
                "letters": _padded(
                    [[LETTERS.index(c) for c in reading.letters] for _, reading in batch], IGNORED
                ),
                "guide": _padded([guide(text, reading) for text, reading in batch], 0),
            }


def _padded(rows: list[list], value: int) -> torch.Tensor:
    return pad_sequence([torch.tensor(row) for row in rows], batch_first=True, padding_value=value)


def guide(text: str, reading: Reading) -> list[tuple[int, int]]:
    """Encoder frames [from, to) of each label of a sentence: prefix, bytes, end.

    The characters of a word are spread evenly over its time; a character that is not spoken has
    the place of the one before it.
    """
    first = np.full(len(text), np.inf)
    last = np.full(len(text), -np.inf)
    for word, (start, end) in zip(reading.words, reading.times, strict=True):
        edges = np.linspace(start, end, len(word.char_spans) + 1)
        for (a, b), left, right in zip(word.char_spans, edges, edges[1:], strict=False):
            first[a:b] = np.minimum(first[a:b], left)
            last[a:b] = np.maximum(last[a:b], right)
    places = [(0, 0)] * 3  # language, task, no timestamps
    before = 0.0
    for character, a, b in zip(text, first, last, strict=True):
        if a > b:
            a = b = before
        before = b
        frames = int(max(0, a - MARGIN) / FRAME_SECONDS), int((b + MARGIN) / FRAME_SECONDS) + 1
        places += [frames] * len(character.encode())
    return [*places, (0, 0)]


def losses(
    whisper: WhisperForConditionalGeneration, ctc: torch.nn.Linear, batch: dict[str, torch.Tensor]
) -> dict[str, torch.Tensor]:
    """The cross entropy of the labels, CTC of the letters, and attention outside of the guide."""
    output = whisper(
        input_features=batch["input_features"],
        decoder_input_ids=batch["decoder_input_ids"],
        output_attentions=True,
    )
    letter_scores = ctc(output.encoder_last_hidden_state).log_softmax(-1)
    lengths = (batch["letters"] >= 0).sum(1)
    frames = torch.full_like(lengths, letter_scores.shape[1])
    start, end = batch["guide"].unbind(-1)  # (B, L)
    frame = torch.arange(letter_scores.shape[1])
    inside = (frame >= start[..., None]) & (frame < end[..., None])  # (B, L, S)
    placed = inside.any(-1)
    mass = torch.stack(
        [
            (layer[:, :GUIDED_HEADS] * inside[:, None]).sum(-1).mean(1)[placed]
            for layer in output.cross_attentions
        ]
    )
    return {
        "labels": torch.nn.functional.cross_entropy(
            output.logits.flatten(0, 1), batch["labels"].flatten(), ignore_index=IGNORED
        ),
        "letters": torch.nn.functional.ctc_loss(
            letter_scores.transpose(0, 1), batch["letters"].clamp(min=0), frames, lengths,
            zero_infinity=True,
        ),
        "attention": -(mass + 1e-4).log().mean(),
    }  # fmt: skip


def character_error_rate(
    whisper: WhisperForConditionalGeneration, batch: dict[str, torch.Tensor]
) -> float:
    """The character error rate of what the model generates for a batch, as written."""
    labeller = Labeller(byte_tokenizer())
    whisper.generation_config = generation_config(whisper, labeller)
    with torch.inference_mode():
        ids = whisper.generate(batch["input_features"], max_length=140)
    return jiwer.cer(
        [labeller.decode(row) for row in batch["labels"].tolist()],
        [labeller.decode(row) for row in ids.tolist()],
    )


def save(whisper: WhisperForConditionalGeneration, window: int, folder: Path) -> None:
    """Write a folder for `WhisperForConditionalGeneration.from_pretrained`; fp16."""
    tokenizer = byte_tokenizer()
    half = WhisperForConditionalGeneration(whisper.config)
    half.load_state_dict(whisper.state_dict())
    half.generation_config = generation_config(whisper, Labeller(tokenizer))
    half.half().save_pretrained(folder)
    WhisperProcessor(extractor(window), tokenizer).save_pretrained(folder)


def make_whisper(folder: Path, seed: int = 2) -> None:
    """Train the Whisper and write it to `folder`."""
    torch.manual_seed(seed)
    random.seed(seed)
    ctc = torch.nn.Linear(128, len(LETTERS))
    weights: dict[str, torch.Tensor] = {}
    for number, stage in enumerate(STAGES):
        whisper = model(stage.window)
        if weights:  # the encoder's positions are fixed sinusoids, of any length
            weights.pop("model.encoder.embed_positions.weight")
            whisper.load_state_dict(weights, strict=False)
        train_stage(whisper, ctc, stage, seed + 2 * number, folder)
        weights = whisper.state_dict()


def train_stage(
    whisper: WhisperForConditionalGeneration,
    ctc: torch.nn.Linear,
    stage: Stage,
    seed: int,
    folder: Path,
) -> None:
    """Train for the steps of a stage, and save every SAVE_EVERY of them."""
    peak = stage.learning_rate
    parameters = [p for p in (*whisper.parameters(), *ctc.parameters()) if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, peak, betas=(0.9, 0.98), weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, peak, total_steps=stage.steps, pct_start=0.1
    )
    loader = torch.utils.data.DataLoader(Batches(stage, seed), batch_size=None, num_workers=1)
    batches = iter(loader)
    held_out = next(iter(Batches(stage, seed + 1)))
    for step in tqdm(range(1, stage.steps + 1), desc=f"whisper, {stage.window} s", unit="batch"):
        parts = losses(whisper.train(), ctc, next(batches))
        loss = parts["labels"] + CTC_WEIGHT * parts["letters"]
        (loss + GUIDE_WEIGHT * parts["attention"]).backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        if step % SAVE_EVERY == 0 or step == stage.steps:
            rate = character_error_rate(whisper.eval(), held_out)
            figures = ", ".join(f"{name} {value.item():.3f}" for name, value in parts.items())
            tqdm.write(f"{stage.window} s, step {step}: {figures}, CER {rate:.3f}")
            save(whisper, stage.window, folder)
