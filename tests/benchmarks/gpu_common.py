"""What the parts of bench_gpu.py share: figures, a stop-watch, memory, and noise for audio."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from khmer_aligned.aligners import ctc
from khmer_aligned.hub.resolve import resolve
from khmer_aligned.schema import SAMPLE_RATE

SOURCES = [str(Path(__file__).parents[2] / name) for name in ("builders", "training")]


@dataclass(frozen=True)
class Setup:
    """Where and on what the parts run; `toy` sizes are for a CPU and show only that they run."""

    device: torch.device
    toy: bool
    source: Path  # a folder of recordings with transcripts
    copies: int  # of each recording of the source, for the build
    aligner: Path  # a CTC model trained on such speech
    tokenizer: Path  # of a Whisper
    folder: Path  # scratch


class Figure(NamedTuple):
    name: str
    value: float
    unit: str

    def __str__(self) -> str:
        digits = 0 if self.unit.startswith("x ") else 4 if 0 < abs(self.value) < 0.1 else 2
        return f"  {self.name:<62}{self.value:>14,.{digits}f} {self.unit}"


class CheckError(Exception):
    """A result that is not what it has to be."""


def check(right: bool, message: str) -> None:
    if not right:
        raise CheckError(message)


def load_aligner(folder: Path, device: torch.device) -> ctc.CtcAligner:
    """The aligner in a folder, on a device that is not always this process's own."""
    return ctc.load(resolve(str(folder), "model"), str(folder), device)


def synchronize(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def best_seconds(device: torch.device, run: Callable[[], object], rounds: int = 2) -> float:
    """Seconds of the fastest of some calls, everything they queued on the device included."""
    found = []
    for _ in range(rounds):
        synchronize(device)
        began = time.perf_counter()
        run()
        synchronize(device)
        found.append(time.perf_counter() - began)
    return min(found)


def forget_memory(device: torch.device) -> None:
    """Give unused memory back, and measure the peak from here."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)


def peak_memory(device: torch.device) -> float:
    """GB that tensors took at most since `forget_memory`; 0 on a CPU, where nobody counts."""
    return torch.cuda.max_memory_allocated(device) / 1e9 if device.type == "cuda" else 0.0


@cache
def peak_flops(device: torch.device) -> float:
    """FLOP/s of a large bfloat16 matrix product: what a model can reach at best."""
    size = 8192 if device.type == "cuda" else 256
    a, b = (torch.randn(size, size, device=device, dtype=torch.bfloat16) for _ in range(2))
    for _ in range(3):
        a @ b
    products = 20
    seconds = best_seconds(device, lambda: [a @ b for _ in range(products)])
    return 2.0 * size**3 * products / seconds


@cache
def noise(seconds: float, seed: int) -> np.ndarray:
    """A waveform (n,) of noise in syllables, four or so a second, each of its own pitch."""
    rng = np.random.default_rng(seed)
    count = round(seconds * SAMPLE_RATE)
    block = SAMPLE_RATE // 4
    levels = np.repeat(rng.uniform(0.0, 0.3, -(-count // block)).astype(np.float32), block)[:count]
    pitches = np.repeat(rng.uniform(80, 3000, -(-count // block)), block)[:count]
    phase = np.cumsum(pitches * (2 * np.pi / SAMPLE_RATE))
    tone = np.sin(phase, dtype=np.float64).astype(np.float32)
    return levels * (tone + 0.3 * rng.standard_normal(count, np.float32))


def start_command(module: str, *arguments: object, log: Path) -> subprocess.Popen:
    """Start a command of this project, offline; what it prints goes to `log`."""
    path = os.pathsep.join([*SOURCES, *filter(None, [os.environ.get("PYTHONPATH")])])
    with log.open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-m", module, *map(str, arguments)],
            env={**os.environ, "PYTHONPATH": path, "HF_HUB_OFFLINE": "1"},
            stdout=output,
            stderr=subprocess.STDOUT,
        )


def finish_command(process: subprocess.Popen, log: Path, seconds: float) -> None:
    """Wait for a command to succeed. Raises CheckError with the end of what it printed."""
    try:
        status: int | None = process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        status = None
    if status != 0:
        said = log.read_text(encoding="utf-8", errors="replace")[-1500:]
        ended = "did not end" if status is None else f"ended with status {status}"
        raise CheckError(f"the command {ended}: {said}")
