"""Training samples per second, memory and disk used: the public recipe and ours, in one run.

    uv run python tests/benchmarks/bench_training.py DATASET MODEL [--clips 200] [--rounds 2]

DATASET is a built folder or a Hub id, MODEL any Whisper. The recipe is what the fine-tuning guides
and transformers' own example do: log-mel by `map` into the cache, float32 for the whole window,
and a collator that pads what it reads from there. Both train the same model on the same clips with
the same number of loader workers; each measurement is a process of its own, they take turns, and
the best round counts. A model that is trained on a CPU hides the loaders: give a small one.
"""

from __future__ import annotations

import argparse
import io
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

BATCH = 8
SOURCES = [str(Path(__file__).parents[2] / name) for name in ("builders", "training")]


def recipe(rows, whisper, folder: Path, workers: int) -> tuple[float, float, int]:
    """Seconds to prepare, seconds to train, bytes on disk."""
    import soundfile
    from transformers import Seq2SeqTrainer, Seq2SeqTrainingArguments

    extractor, tokenizer = whisper.extractor, whisper.tokenizer

    def prepare(row: dict) -> dict:
        samples, rate = soundfile.read(io.BytesIO(row["audio"]["bytes"]), dtype="float32")
        features = extractor(samples, sampling_rate=rate).input_features[0]
        return {"input_features": features, "labels": tokenizer(row["text"]).input_ids}

    def collate(examples: list[dict]):
        inputs = [{"input_features": example["input_features"]} for example in examples]
        batch = extractor.pad(inputs, return_tensors="pt")
        labels = tokenizer.pad(
            [{"input_ids": example["labels"]} for example in examples], return_tensors="pt"
        )
        masked = labels["input_ids"].masked_fill(labels.attention_mask.ne(1), -100)
        if (masked[:, 0] == whisper.model.config.decoder_start_token_id).all():
            masked = masked[:, 1:]
        batch["labels"] = masked
        return batch

    started = time.perf_counter()
    cache = folder / "features.arrow"
    features = rows.map(prepare, remove_columns=rows.column_names, cache_file_name=str(cache))
    prepared = time.perf_counter() - started
    trainer = Seq2SeqTrainer(
        model=whisper.model,
        args=Seq2SeqTrainingArguments(
            output_dir=str(folder / "out"),
            per_device_train_batch_size=BATCH,
            num_train_epochs=1,
            dataloader_num_workers=workers,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
        ),
        train_dataset=features,
        data_collator=collate,
        processing_class=extractor,
    )
    started = time.perf_counter()
    trainer.train()
    return prepared, time.perf_counter() - started, cache.stat().st_size


def ours(rows, whisper, folder: Path, workers: int) -> tuple[float, float, int]:
    """The same; nothing is prepared and nothing cached."""
    import numpy as np

    from khmer_whisper.config import Config
    from khmer_whisper.examples.fitting import Fitting
    from khmer_whisper.examples.mix import Clips, Part
    from khmer_whisper.trainer import WhisperTrainer

    config = Config(dataset="rows", batch_size=BATCH, epochs=1, workers=workers)
    started = time.perf_counter()
    fitting = Fitting(rows, [], np.array(rows["duration"]))
    clips = Clips([Part("rows", fitting)], whisper, config)
    trainer = WhisperTrainer(whisper, config, clips, None, folder / "checkpoints")
    trainer.args.save_strategy = "no"
    prepared = time.perf_counter() - started
    started = time.perf_counter()
    trainer.train()
    return prepared, time.perf_counter() - started, 0


def measure(name: str, dataset: str, model: str, clips: int, workers: int) -> dict:
    sys.path[:0] = SOURCES
    import torch
    import transformers

    from khmer_whisper import model as models
    from khmer_whisper.examples import data
    from khmer_whisper.examples.fitting import select_fitting

    transformers.utils.logging.set_verbosity_error()
    if workers:
        torch.set_num_threads(1)
    whisper = models.load(model)
    fitting = select_fitting(data.load(dataset), "train", whisper, "text")
    rows = fitting.rows.select(range(min(clips, len(fitting))))
    audio = sum(len(row["bytes"]) for row in rows["audio"])
    folder = Path(tempfile.mkdtemp())
    try:
        run = {"recipe": recipe, "ours": ours}[name]
        prepared, trained, disk = run(rows, whisper, folder, workers)
    finally:
        shutil.rmtree(folder)
    return {
        "samples": len(rows),
        "prepared": prepared,
        "trained": trained,
        "disk": disk,
        "audio": audio,
        "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dataset")
    parser.add_argument("model")
    parser.add_argument("--clips", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--only", choices=("recipe", "ours"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.only:
        print(json.dumps(measure(args.only, args.dataset, args.model, args.clips, args.workers)))
        return
    measured: dict[str, list[dict]] = {"recipe": [], "ours": []}
    for _ in range(args.rounds):
        for name, rounds in measured.items():
            command = [sys.executable, __file__, *sys.argv[1:], "--only", name]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            rounds.append(json.loads(done.stdout.splitlines()[-1]))
    titles = ("prepared", 12), ("samples/s", 12), ("first epoch", 14), ("memory", 11)
    print(" " * 8 + "".join(f"{t:>{n}}" for t, n in (*titles, ("disk / audio", 14))))
    for name, rounds in measured.items():
        best = min(rounds, key=lambda r: r["trained"])
        prepared = min(r["prepared"] for r in rounds)
        speed = best["samples"] / best["trained"]
        first = best["samples"] / (best["trained"] + prepared)
        print(
            f"{name:8}{prepared:>10.1f} s{speed:>12.1f}{first:>12.1f}/s"
            f"{best['memory']:>8.1f} GB{best['disk'] / best['audio']:>14.1f}"
        )


if __name__ == "__main__":
    main()
