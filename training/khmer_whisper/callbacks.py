"""What the Trainer calls while it trains: the progress bar, the curves, the sampler's epoch."""

from __future__ import annotations

import math
import time
from typing import Any, Protocol

from tqdm import tqdm
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.integrations import TensorBoardCallback

from khmer_aligned.errors import UserError


class Curves(TensorBoardCallback):
    """Writes curves for TensorBoard, without the Trainer's arguments: those hold local paths."""

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        pass


class DrawsEpochs(Protocol):
    """A sampler whose order depends on `epoch`."""

    epoch: int


class SetEpoch(TrainerCallback):
    """Sets the epoch of the sampler, which accelerate wraps in several ways."""

    def __init__(self, sampler: DrawsEpochs) -> None:
        self.sampler = sampler

    def on_epoch_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self.sampler.epoch = int(state.epoch or 0)


class Progress(TrainerCallback):
    """A bar with steps, time left, loss, the last CER, and hours of audio learned per hour.

    Raises UserError when the loss is not a number.
    """

    def __init__(self, seconds_per_step: float) -> None:
        self.seconds_per_step = seconds_per_step  # of audio, on each device
        self.shown: dict[str, str] = {}
        self.bar: tqdm | None = None

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self.bar = tqdm(
            total=state.max_steps,
            initial=state.global_step,
            desc="training",
            unit="step",
            disable=not state.is_world_process_zero,
        )
        self.first_step, self.started = state.global_step, time.monotonic()

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        control.should_log |= control.should_save  # `on_log` must see a loss before it is saved
        if self.bar is None:
            return
        steps = state.global_step - self.first_step
        seconds = steps * self.seconds_per_step * args.world_size
        self.shown["audio h/h"] = f"{seconds / (time.monotonic() - self.started):.0f}"
        self.bar.set_postfix(self.shown, refresh=False)
        self.bar.update(state.global_step - self.bar.n)

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **kwargs: Any,
    ) -> None:
        figures = logs or {}
        if not math.isfinite(figures.get("loss", 0.0)):
            raise UserError(
                f"the loss is {figures['loss']} at step {state.global_step}: the training has "
                "diverged; give a lower --learning-rate"
            )
        for name, key, form in (("loss", "loss", ".3f"), ("CER", "eval_cer", ".1%")):
            if key in figures:
                self.shown[name] = format(figures[key], form)

    def close(self) -> None:
        """End the line of the bar, also when the training ends by an error."""
        if self.bar is not None:
            self.bar.close()
