"""Whether the CUDA paths are right: what bench_gpu.py compares with float32 on the CPU."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import numpy as np
import torch
from gpu_common import (
    CheckError,
    Figure,
    Setup,
    check,
    finish_command,
    forget_memory,
    load_aligner,
    noise,
    start_command,
)
from gpu_speed import mms_model
from rapidfuzz.distance import Levenshtein

from khmer_aligned import audio
from khmer_aligned.aligners.base import frame_seconds
from khmer_aligned.aligners.mms import MmsAligner
from khmer_aligned.alignment import viterbi
from khmer_aligned.alignment.align import align
from khmer_aligned.dataset.build import build
from khmer_aligned.errors import Failed
from khmer_aligned.text import Transcript
from khmer_whisper import decode
from khmer_whisper import model as models
from khmer_whisper.checkpoints import last_checkpoint
from khmer_whisper.demo.run import ALIGNER, MAX_LABELS, RECORDINGS, WHISPER
from khmer_whisper.examples import data
from khmer_whisper.examples.rows import waveform

CPU = torch.device("cpu")
TRAINING_SECONDS = 300  # until one that hangs is ended


def words(setup: Setup) -> Iterator[Figure]:
    """Word times of the demo's recordings, and of the source's, on the device and on the CPU."""
    given = {"demo": (RECORDINGS, ALIGNER), "source": (setup.source, setup.aligner)}
    if given["source"] == given["demo"]:
        del given["source"]
    for name, (folder, model) in given.items():
        files = sorted(folder.glob("*.ogg"))[:8]
        waveforms = [audio.load(file, name=file.name) for file in files]
        raw = [file.with_suffix(".txt").read_text(encoding="utf-8") for file in files]
        transcripts = [Transcript.from_text(text) for text in raw]
        aligners = [load_aligner(model, device) for device in (CPU, setup.device)]
        results = [align(waveforms, transcripts, aligner, lag=0.0) for aligner in aligners]
        failed = [result for one in results for result in one if isinstance(result, Failed)]
        check(not failed, f"{name}: not aligned: {failed[:1]}")
        times = [np.array([(w.start, w.end) for a in one for w in a.words]) for one in results]
        apart = np.abs(times[0] - times[1]).max(1) / frame_seconds(aligners[0])
        yield Figure(f"{name}: words", len(apart), "words")
        yield Figure("  same times within a frame", 100 * float((apart <= 1.001).mean()), "%")
        yield Figure("  furthest apart", float(apart.max()), "frames")
        check((apart <= 1.001).mean() >= 0.98, f"{name}: word times differ from the CPU's")


def agreement(setup: Setup) -> Iterator[Figure]:
    """Emissions in bfloat16 against float32: a trained model on speech, MMS_FA's shape on noise."""
    files = sorted(setup.source.glob("*.ogg"))[:8]
    waveforms = [audio.load(file, name=file.name) for file in files]
    exact, narrow = (
        load_aligner(setup.aligner, device).emissions(waveforms) for device in (CPU, setup.device)
    )
    blank = load_aligner(setup.aligner, CPU).blank
    yield from _compared("trained model", exact, narrow, blank)
    model = mms_model(setup)
    waveforms = [noise(20 if setup.toy else 300, seed=5)]
    exact = MmsAligner(setup.device, model=_Float32(model)).emissions(waveforms)
    narrow = MmsAligner(setup.device, model=model).emissions(waveforms)
    yield from _compared("MMS_FA's shape", exact, narrow, 0)


def halving(setup: Setup) -> Iterator[Figure]:
    """Too little memory for the first batch: smaller ones have to give the same emissions."""
    model = mms_model(setup)
    aligner = MmsAligner(setup.device, model=model)
    if setup.device.type == "cuda":
        waveforms = [noise(1500, seed=6), *(noise(5 + i, seed=7 + i) for i in range(8))]
        forget_memory(setup.device)
        before = torch.cuda.memory_allocated(setup.device)
        whole = aligner.emissions(waveforms)
        need = torch.cuda.max_memory_allocated(setup.device) - before
        yield Figure("memory that the batches need", need / 1e9, "GB")
        failed = torch.cuda.memory_stats(setup.device)["num_ooms"]
        with _memory_limited(setup.device, before + 0.35 * need):
            halved = aligner.emissions(waveforms)
        failures = torch.cuda.memory_stats(setup.device)["num_ooms"] - failed
    else:
        waveforms = [noise(5 + i / 8, seed=7 + i) for i in range(8)]
        whole = aligner.emissions(waveforms)
        small = _OnlySmallBatches(model)
        halved = MmsAligner(setup.device, model=small).emissions(waveforms)
        failures = small.failures
    yield Figure("batches that ran out of memory", failures, "batches")
    check(failures > 0, "nothing ran out of memory: the check says nothing")
    yield from _compared("halved", whole, halved, 0)
    same = np.mean(
        [(a.argmax(1) == b.argmax(1)).mean() for a, b in zip(whole, halved, strict=True)]
    )
    check(same >= 0.98, "smaller batches give other emissions")


def decoding(setup: Setup) -> Iterator[Figure]:
    """Texts of the demo's Whisper in bfloat16 on the device, and in float32 on the CPU."""
    rows = data.load(str(_demo_dataset(setup))).get("train")
    check(rows is not None, "the demo's dataset has no train split")
    waveforms = [
        waveform(row) for row in rows.select(range(min(4 if setup.toy else 32, len(rows))))
    ]
    texts = []
    for device in (CPU, setup.device):
        whisper = models.load(str(WHISPER))
        whisper.model.to(device).eval()
        began = time.perf_counter()
        texts.append([result.text for result in decode.recognize(whisper, waveforms)])
        yield Figure(f"{len(waveforms)} clips on {device.type}", time.perf_counter() - began, "s")
    exact, narrow = texts
    same = sum(a == b for a, b in zip(exact, narrow, strict=True))
    edits = sum(Levenshtein.distance(a, b) for a, b in zip(exact, narrow, strict=True))
    share = edits / max(1, sum(map(len, exact)))
    yield Figure("same texts", 100 * same / len(exact), "%")
    yield Figure("characters that differ", 100 * share, "%")
    check(share <= 0.1, "the texts differ from those in float32 on the CPU")


def resuming(setup: Setup) -> Iterator[Figure]:
    """A training that is killed at its first checkpoint, resumed, and one that never was."""
    dataset = _demo_dataset(setup)
    began = time.perf_counter()
    started = {name: _start_training(setup, dataset, name) for name in ("whole", "killed")}
    process, log = started["killed"]
    checkpoints = setup.folder / "killed" / "checkpoints"
    while (reached := last_checkpoint(checkpoints)) is None and process.poll() is None:
        if time.perf_counter() - began > TRAINING_SECONDS:
            break
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    if reached is None:
        finish_command(started["whole"][0], started["whole"][1], TRAINING_SECONDS)
        raise CheckError(f"no checkpoint: {log.read_text(encoding='utf-8')[-1500:]}")
    check(not (setup.folder / "killed" / "config.json").exists(), "it ended before it was killed")
    yield Figure(
        "killed with a checkpoint of step", int(reached.name.split("-")[1]), f"of {_steps(setup)}"
    )
    resumed, log = _start_training(setup, dataset, "killed")
    finish_command(resumed, log, TRAINING_SECONDS)
    finish_command(started["whole"][0], started["whole"][1], TRAINING_SECONDS)
    yield Figure("two trainings, a kill and a resumption", time.perf_counter() - began, "s")
    weights = [
        models.load(str(setup.folder / name)).model.state_dict() for name in ("whole", "killed")
    ]
    base = models.load(str(WHISPER)).model.state_dict()
    apart = max(float((weights[0][k] - weights[1][k]).abs().max()) for k in base)
    moved = max(float((weights[0][k] - base[k]).abs().max()) for k in base)
    yield Figure("weights moved by the training at most", 1e6 * moved, "millionths")
    yield Figure("  apart after the resumption at most", 1e6 * apart, "millionths")
    check(apart <= 0.2 * moved, "the resumed training ends elsewhere")


@cache
def _demo_dataset(setup: Setup) -> Path:
    """The demo's dataset, built on the device."""
    out = setup.folder / "demo"
    build(RECORDINGS, out, aligner=str(ALIGNER), tokenizer=str(WHISPER), max_labels=MAX_LABELS)
    return out


def _steps(setup: Setup) -> int:
    return 2 if setup.toy else 24


def _start_training(setup: Setup, dataset: Path, name: str):
    log = setup.folder / f"{name}.log"
    options = {
        "model": WHISPER,
        "max-steps": _steps(setup),
        "evaluate-every": _steps(setup) // 4 or 1,
        "batch-size": 4,
        "learning-rate": 1e-4,
        "workers": 0,
    }
    given = [part for key, value in options.items() for part in (f"--{key}", value)]
    out = setup.folder / name
    return start_command("khmer_whisper.cli", "train", dataset, out, *given, log=log), log


def _compared(
    name: str, exact: list[np.ndarray], other: list[np.ndarray], blank: int
) -> Iterator[Figure]:
    """Greedy tokens, log-probabilities, and the starts of the greedy tokens on the best path."""
    a, b = np.concatenate(exact), np.concatenate(other)
    apart = np.abs(a - b)
    yield Figure(f"{name}: frames", len(a), "frames")
    yield Figure("  same greedy token", 100 * float((a.argmax(1) == b.argmax(1)).mean()), "%")
    yield Figure("  log-probabilities apart, mean", float(apart.mean()), "nats")
    yield Figure("  log-probabilities apart, most", float(apart.max()), "nats")
    moved: list[np.ndarray] = []
    for one, two in zip(exact, other, strict=True):
        tokens = viterbi.collapse(one.argmax(1), blank)
        starts = [viterbi.merge(viterbi.align(e, tokens, blank), tokens).start for e in (one, two)]
        moved.append(np.abs(starts[0] - starts[1]))
    frames = np.concatenate(moved)
    if len(frames) == 0:
        raise CheckError(f"{name}: the greedy tokens are all blank")
    yield Figure("  greedy tokens", len(frames), "tokens")
    yield Figure("  same start on the best path", 100 * float((frames == 0).mean()), "%")
    yield Figure("  within a frame", 100 * float((frames <= 1).mean()), "%")
    yield Figure("  furthest apart", float(frames.max()), "frames")


class _Float32(torch.nn.Module):
    """A model in full float32, whatever autocast is around it."""

    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, inputs: torch.Tensor, lengths: torch.Tensor | None):
        before = torch.backends.cudnn.allow_tf32
        torch.backends.cudnn.allow_tf32 = False
        try:
            with torch.autocast(inputs.device.type, enabled=False):
                return self.model(inputs, lengths)
        finally:
            torch.backends.cudnn.allow_tf32 = before


class _OnlySmallBatches(torch.nn.Module):
    """A model that claims to be out of memory for more than two windows at a time."""

    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__()
        self.model = model
        self.failures = 0

    def forward(self, inputs: torch.Tensor, lengths: torch.Tensor | None):
        if len(inputs) > 2:
            self.failures += 1
            raise torch.OutOfMemoryError("more than two windows")
        return self.model(inputs, lengths)


@contextmanager
def _memory_limited(device: torch.device, limit: float) -> Iterator[None]:
    """This process may hold `limit` bytes of the GPU's memory."""
    forget_memory(device)
    total = torch.cuda.get_device_properties(device).total_memory
    torch.cuda.set_per_process_memory_fraction(limit / total, device)
    try:
        yield
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0, device)
