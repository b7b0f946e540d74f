"""Emissions of recordings of any length, in bounded memory: windows, batched by length.

A recording is normalized once, over its own samples. It is then read in windows of 30 s with 4 s
of its audio as context on both sides. All windows have one shape and start on multiples of the
model's stride, so that frame i of the recording is the same whichever window computed it. The
windows of all recordings of a call share one queue. Recordings shorter than a window are padded
to each other's length only where the model masks the padding exactly.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from threading import Lock

import numpy as np
import torch
from tqdm import tqdm

from khmer_aligned.aligners.features import ModelInput
from khmer_aligned.schema import SAMPLE_RATE

WINDOW_SECONDS = 30.0
CONTEXT_SECONDS = 4.0  # on each side
# Audio in one batch. A CPU gains nothing from more than one window at a time.
_BATCH_SECONDS = {"cuda": 1200.0, "cpu": WINDOW_SECONDS + 2 * CONTEXT_SECONDS}
_MAX_PADDING = 0.1  # share of a batch
_ONE_BATCH = Lock()  # two batches at once would need the memory of both


@dataclass(frozen=True)
class FrontEnd:
    """How a model reads audio.

    prepare: waveform (n,) -> model input (N, ...), N steps, normalized over the recording
    forward: inputs (B, N, ...), lengths (B,) in steps or None -> logits (B, T, V)
    step: samples per step; stride: steps per frame; receptive: steps that one frame looks at
    select: log-probabilities (T, V) -> the columns that are kept of them, (T, K)
    window: steps of a model that reads exactly so many at a time; `prepare` gives no fewer
    """

    prepare: Callable[[np.ndarray], ModelInput]
    forward: Callable[[torch.Tensor, torch.Tensor | None], torch.Tensor]
    step: int
    stride: int
    receptive: int
    masks_padding: bool
    select: Callable[[torch.Tensor], torch.Tensor] | None = None
    window: int | None = None

    def frames(self, steps: int) -> int:
        """Frames that the model gives for `steps` steps."""
        return max(0, (steps - self.receptive) // self.stride + 1)

    def steps(self, frames: int) -> int:
        """The fewest steps that give `frames` frames."""
        return (frames - 1) * self.stride + self.receptive

    def frames_of(self, waveform: np.ndarray, steps: int) -> int:
        """Frames of a waveform (n,) whose input has `steps` steps, silence behind it left out."""
        return self.frames(steps if self.window is None else min(steps, len(waveform) // self.step))


@dataclass(frozen=True, slots=True)
class _Window:
    recording: int
    first: int  # frame at which the input starts
    steps: int  # length of the input
    keep: tuple[int, int]  # frames [start, end) of the recording that this window gives


def compute_emissions(
    front_end: FrontEnd, waveforms: Sequence[np.ndarray], device: torch.device
) -> list[np.ndarray]:
    """Log-probabilities (T, V) float32 of each waveform (n,) at 16 kHz.

    The model runs in bfloat16 on CUDA, in float32 elsewhere; the log-softmax is float32 on both.
    A batch that does not fit into memory is halved and tried again.
    """
    inputs = [front_end.prepare(waveform) for waveform in waveforms]
    queue = [w for i, x in enumerate(inputs) for w in _windows(front_end, i, len(x))]
    queue.sort(key=lambda window: window.steps, reverse=True)
    lengths = [front_end.frames(len(x)) for x in inputs]
    results: dict[int, np.ndarray] = {}
    budget = _BATCH_SECONDS[device.type] * SAMPLE_RATE / front_end.step
    bar = tqdm(total=len(queue), desc="Listening", unit="window", delay=2, leave=False)
    with _ONE_BATCH, bar:
        position, running = 0, None
        while position < len(queue):
            batch = _next_batch(queue, position, budget, front_end.masks_padding)
            try:
                log_probs = _run(front_end, inputs, batch, device)
            except torch.OutOfMemoryError:
                if len(batch) == 1:
                    raise
                torch.cuda.empty_cache()
                budget = sum(window.steps for window in batch) / 2
                continue
            if running:  # a GPU is at the next batch while this one is fetched
                _collect(*running, lengths, results)
            bar.update(len(batch))
            position, running = position + len(batch), (batch, log_probs)
        if running:
            _collect(*running, lengths, results)
    empty = np.zeros((0, 0), np.float32)
    return [
        results.get(i, empty)[: front_end.frames_of(waveform, len(inputs[i]))]
        for i, waveform in enumerate(waveforms)
    ]


def _collect(
    batch: list[_Window],
    log_probs: torch.Tensor,
    lengths: list[int],
    results: dict[int, np.ndarray],
) -> None:
    """Put the frames that each window gives where they belong in its recording's result."""
    for window, values in zip(batch, log_probs.cpu().numpy(), strict=True):
        begin, end = window.keep
        i = window.recording
        if i not in results:
            results[i] = np.empty((lengths[i], values.shape[1]), np.float32)
        results[i][begin:end] = values[begin - window.first : end - window.first]


def _windows(front_end: FrontEnd, recording: int, steps: int) -> Iterator[_Window]:
    total = front_end.frames(steps)
    if total == 0:
        return
    per_second = SAMPLE_RATE / (front_end.step * front_end.stride)
    new, context = round(WINDOW_SECONDS * per_second), round(CONTEXT_SECONDS * per_second)
    whole = new + 2 * context
    if front_end.window is not None:
        whole = front_end.frames(front_end.window)
        context = round(whole * CONTEXT_SECONDS / WINDOW_SECONDS)
        new = whole - 2 * context
    if total <= whole:
        yield _Window(recording, 0, steps, (0, total))
        return
    for begin in range(0, total, new):
        # The first and the last window have no context on one side and twice as much on the other.
        first = min(max(0, begin - context), total - whole)
        yield _Window(recording, first, front_end.steps(whole), (begin, min(begin + new, total)))


def _next_batch(queue: list[_Window], position: int, budget: float, padding: bool) -> list[_Window]:
    longest = queue[position].steps
    shortest = longest * (1 - _MAX_PADDING) if padding else longest
    most = max(1, int(budget // longest))
    batch = queue[position : position + most]
    return [window for window in batch if window.steps >= shortest]


def _run(
    front_end: FrontEnd, inputs: list[ModelInput], batch: list[_Window], device: torch.device
) -> torch.Tensor:
    longest = batch[0].steps
    stacked = np.zeros((len(batch), longest, *inputs[0].shape[1:]), np.float32)
    for row, window in zip(stacked, batch, strict=True):
        start = window.first * front_end.stride
        row[: window.steps] = inputs[window.recording][start : start + window.steps]
    lengths = None
    if any(window.steps < longest for window in batch):  # padded
        lengths = torch.tensor([window.steps for window in batch], device=device)
    batch_inputs = torch.from_numpy(stacked)
    if device.type == "cuda":
        batch_inputs = batch_inputs.pin_memory()  # the copy need not wait for the last batch
    with (
        torch.inference_mode(),
        torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"),
    ):
        logits = front_end.forward(batch_inputs.to(device, non_blocking=True), lengths)
        if front_end.select is None:
            return torch.log_softmax(logits.float(), dim=-1)
        # One window after the other: of a large vocabulary, all of them would take gigabytes.
        rows = [front_end.select(torch.log_softmax(row.float(), dim=-1)) for row in logits]
    return torch.stack(rows)
