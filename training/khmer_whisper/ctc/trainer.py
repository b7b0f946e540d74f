"""A Trainer whose loss keeps tokens where they are spoken, and which can be killed."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import Dataset, Sampler
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments

from khmer_aligned.aligners.ctc import CtcAligner
from khmer_whisper.ctc.config import CtcConfig
from khmer_whisper.ctc.loss import Batch, ctc_loss, target_loss, update_prior, weights
from khmer_whisper.model import computes_in_bfloat16

STEPS_BETWEEN_CHECKPOINTS = 500
MAX_WORKERS = 8
_PRIOR = "label_prior"  # a buffer of the model, so that checkpoints hold it


class CtcTrainer(Trainer):
    """Trains the model of `aligner` on examples, in the order of `sampler` where there is one.

    Checkpoints go into `folder`, the last of them at the end.
    """

    def __init__(
        self,
        aligner: CtcAligner,
        config: CtcConfig,
        examples: Dataset,
        collate: Callable[[Sequence[Any]], dict[str, torch.Tensor]],
        folder: Path,
        *,
        sampler: Sampler | None = None,
        callbacks: Sequence[TrainerCallback] = (),
    ) -> None:
        self.config = config
        self.sampler = sampler
        size = len(aligner.vocabulary)
        aligner.model.register_buffer(_PRIOR, torch.full((size,), 1 / size))
        super().__init__(
            model=aligner.model,
            args=_arguments(config, folder),
            train_dataset=examples,
            data_collator=collate,
            callbacks=list(callbacks),
        )
        self.model_accepts_loss_kwargs = False  # the loss divides by the batch's own tokens
        self.pop_callback(PrinterCallback)

    def _get_train_sampler(self, train_dataset: Any = None) -> Sampler | None:
        return self.sampler

    def compute_loss(
        self,
        model: torch.nn.Module,
        inputs: dict[str, torch.Tensor],
        return_outputs: bool = False,
        num_items_in_batch: Any = None,
    ) -> Any:
        batch = Batch(
            inputs.pop("lengths"),
            inputs.pop("tokens"),
            inputs.pop("targets", None),
            inputs.pop("allowed", None),
        )
        logits = model(**inputs).logits.float()[:, : int(batch.lengths.max())]
        log_probs = logits.log_softmax(-1)
        prior = getattr(self.accelerator.unwrap_model(model), _PRIOR)
        if self.config.priors:
            update_prior(prior, log_probs, batch.lengths)
        for_ctc, for_targets = weights(
            self.state.global_step / max(1, self.state.max_steps), self.config.targets
        )
        log_prior = prior.log() if self.config.priors else None
        loss = for_ctc * ctc_loss(log_probs, batch, log_prior, self.config.priors)
        if for_targets:
            loss = loss + for_targets * target_loss(log_probs, batch)
        return (loss, logits) if return_outputs else loss


def finish(aligner: CtcAligner) -> None:
    """Take off the model what was put on it for training only."""
    delattr(aligner.model, _PRIOR)
    aligner.model.eval()


def _arguments(config: CtcConfig, folder: Path) -> TrainingArguments:
    on_cuda = torch.cuda.is_available()
    arguments = TrainingArguments(
        output_dir=str(folder),
        seed=config.seed,
        num_train_epochs=config.epochs,
        max_steps=config.max_steps or -1,
        per_device_train_batch_size=config.batch_size,
        gradient_accumulation_steps=config.accumulation,
        learning_rate=config.learning_rate,
        warmup_steps=config.warmup,  # below 1 it is a share of the steps
        weight_decay=config.weight_decay,
        max_grad_norm=config.max_grad_norm,
        lr_scheduler_type="cosine",
        bf16=computes_in_bfloat16(),
        use_cpu=not on_cuda,
        save_strategy="steps",
        save_steps=STEPS_BETWEEN_CHECKPOINTS,
        save_total_limit=1,
        logging_steps=10,
        logging_nan_inf_filter=False,
        dataloader_num_workers=_workers(config),
        dataloader_persistent_workers=_workers(config) > 0,
        dataloader_pin_memory=on_cuda,
        remove_unused_columns=False,
        label_names=["tokens"],
        disable_tqdm=True,  # `Progress` shows what the Trainer's bar would
        report_to="none",
    )
    # One process would split each batch over all GPUs.
    arguments._n_gpu = min(arguments.n_gpu, 1)
    return arguments


def _workers(config: CtcConfig) -> int:
    if config.workers >= 0:
        return config.workers
    return min(MAX_WORKERS, os.cpu_count() or 1) if torch.cuda.is_available() else 0
