"""Training at whisper-small's size in bfloat16: the public recipe's loop and ours, in one run."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from datasets import Dataset
from gpu_common import CheckError, Figure, Setup, forget_memory, noise, peak_memory, synchronize
from transformers import (
    PrinterCallback,
    Seq2SeqTrainer,
    Seq2SeqTrainingArguments,
    TrainerCallback,
    WhisperConfig,
    WhisperFeatureExtractor,
    WhisperForConditionalGeneration,
    WhisperTokenizer,
)

from khmer_aligned import audio
from khmer_aligned.hub.resolve import resolve
from khmer_whisper.config import LANGUAGE, Config
from khmer_whisper.demo.run import RECORDINGS
from khmer_whisper.examples.fitting import Fitting
from khmer_whisper.examples.mix import Clips, Part
from khmer_whisper.labels import TASK, Labeller
from khmer_whisper.model import Whisper, computes_in_bfloat16, generation_config
from khmer_whisper.trainer import WhisperTrainer

VOCABULARY = 51_865
CLIP_SECONDS = 15.0
DISTINCT = 16  # clips; they repeat
LABELS = 400  # tokens: 15 s of read Khmer, of the 448 that the decoder holds
WORKERS = 8


class _Watch(TrainerCallback):
    """Seconds from the end of step `first` to the end of the training."""

    def __init__(self, first: int, device: torch.device) -> None:
        self.first, self.device = first, device
        self.began = self.seconds = 0.0

    def on_step_end(self, args, state, control, **kwargs) -> None:
        if state.global_step == self.first:
            synchronize(self.device)
            self.began = time.perf_counter()

    def on_train_end(self, args, state, control, **kwargs) -> None:
        synchronize(self.device)
        self.seconds = time.perf_counter() - self.began


def training(setup: Setup) -> Iterator[Figure]:
    """Clips of 15 s with 400 labels; after the first steps, so that loaders have started."""
    batches, steps, first = ((2,), 3, 1) if setup.toy else ((16, 64), 40, 10)
    for batch in batches:
        for name, run in (("recipe", _recipe), ("ours", _ours)):
            whisper = small_whisper(setup)
            forget_memory(setup.device)
            watch = _Watch(first, setup.device)
            try:
                loss = run(setup, whisper, batch, steps, watch)
            except torch.OutOfMemoryError as error:
                if name == "ours":
                    raise
                yield Figure(f"{name}, batches of {batch}: out of memory", 0, str(error)[:60])
                continue
            finally:
                del whisper
            if not np.isfinite(loss):
                raise CheckError(f"{name}, batches of {batch}: the loss is {loss}")
            speed = batch * (steps - first) / watch.seconds
            yield Figure(f"{name}, batches of {batch}", speed, "samples/s")
            yield Figure("  peak GPU memory", peak_memory(setup.device), "GB")
            yield Figure("  loss", loss, "nats")


def small_whisper(setup: Setup) -> Whisper:
    """whisper-small's shape with random weights."""
    shape = {
        "d_model": 768,
        "encoder_layers": 12,
        "decoder_layers": 12,
        "encoder_attention_heads": 12,
        "decoder_attention_heads": 12,
        "encoder_ffn_dim": 3072,
        "decoder_ffn_dim": 3072,
    }
    if setup.toy:
        shape = {key: 1 if "layers" in key else 64 for key in shape}
        shape |= {"encoder_attention_heads": 4, "decoder_attention_heads": 4}
    tokenizer = WhisperTokenizer.from_pretrained(setup.tokenizer)
    tokenizer.set_prefix_tokens(language=LANGUAGE, task=TASK, predict_timestamps=False)
    labeller = Labeller(tokenizer)
    config = WhisperConfig(
        vocab_size=VOCABULARY,
        decoder_start_token_id=labeller.start,
        bos_token_id=labeller.end,
        eos_token_id=labeller.end,
        pad_token_id=labeller.end,
        suppress_tokens=None,
        begin_suppress_tokens=None,
        **shape,
    )
    torch.manual_seed(0)
    with torch.device(setup.device):
        model = WhisperForConditionalGeneration(config)
    model.generation_config = generation_config(model, labeller)
    source = resolve(str(setup.tokenizer), "model")
    return Whisper(model, tokenizer, WhisperFeatureExtractor(), labeller, source)


def _ours(setup: Setup, whisper: Whisper, batch: int, steps: int, watch: _Watch) -> float:
    """The project's trainer, from encoded clips."""
    rows = _rows(whisper, batch * steps)
    workers = 0 if setup.toy else WORKERS
    config = Config(dataset="rows", batch_size=batch, max_steps=steps, workers=workers)
    seconds = np.full(len(rows), CLIP_SECONDS, np.float32)
    clips = Clips([Part("rows", Fitting(rows, [], seconds))], whisper, config)
    folder = setup.folder / f"ours-{batch}" / "checkpoints"
    trainer = WhisperTrainer(whisper, config, clips, None, folder)
    trainer.args.save_strategy = "no"
    trainer.add_callback(watch)
    try:
        return trainer.train().training_loss
    finally:
        trainer.progress.close()


def _recipe(setup: Setup, whisper: Whisper, batch: int, steps: int, watch: _Watch) -> float:
    """transformers' Seq2SeqTrainer and its default loss, from features that lie in memory.

    The guides read them from a cache on disk, which can only be slower.
    """
    rows = _rows(whisper, DISTINCT)
    features = [
        {
            "input_features": whisper.extractor(_samples(i), sampling_rate=16_000)[
                "input_features"
            ][0],
            "labels": whisper.tokenizer(rows[i]["text"]).input_ids,
        }
        for i in range(DISTINCT)
    ]

    def collate(examples: list[dict]) -> dict[str, torch.Tensor]:
        found = whisper.extractor.pad(
            [{"input_features": e["input_features"]} for e in examples], return_tensors="pt"
        )
        labels = whisper.tokenizer.pad(
            [{"input_ids": e["labels"]} for e in examples], return_tensors="pt"
        )
        masked = labels["input_ids"].masked_fill(labels.attention_mask.ne(1), -100)
        return {"input_features": found["input_features"], "labels": masked[:, 1:]}

    trainer = Seq2SeqTrainer(
        model=whisper.model,
        args=Seq2SeqTrainingArguments(
            output_dir=str(setup.folder / f"recipe-{batch}"),
            per_device_train_batch_size=batch,
            max_steps=steps,
            learning_rate=1e-5,
            bf16=computes_in_bfloat16(),
            use_cpu=setup.device.type == "cpu",
            dataloader_num_workers=0 if setup.toy else WORKERS,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
        ),
        train_dataset=[features[i % DISTINCT] for i in range(batch * steps)],
        data_collator=collate,
        callbacks=[watch],
    )
    trainer.pop_callback(PrinterCallback)
    return trainer.train().training_loss


def _samples(number: int) -> np.ndarray:
    return noise(CLIP_SECONDS, seed=100 + number)


def _rows(whisper: Whisper, count: int) -> Dataset:
    """Clips as a built dataset holds them: FLAC, and a text of about `LABELS` tokens."""
    files = sorted(Path(RECORDINGS).glob("*.txt"))
    words = " ".join(file.read_text(encoding="utf-8") for file in files).split()
    rows = []
    for number in range(DISTINCT):
        text = " ".join(words[number:] + words[:number])
        # A Khmer character is 2 to 3 tokens.
        while len(whisper.labeller.plain(text)) > LABELS:
            text = text[: min(len(text) - 1, max(1, len(text) * LABELS // 448))]
        rows.append(
            {
                "id": f"clip-{number}",
                "audio": {"bytes": audio.encode_flac(_samples(number)), "path": None},
                "text": text,
                "spoken": text,
                "words": [],
                "duration": CLIP_SECONDS,
                "recording": f"clip-{number}",
                "start": 0.0,
                "end": CLIP_SECONDS,
            }
        )
    return Dataset.from_list(rows).select([i % DISTINCT for i in range(count)])
