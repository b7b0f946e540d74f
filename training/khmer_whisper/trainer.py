"""A Seq2SeqTrainer with an exact loss, decoded evaluations, and an order that can be resumed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import PartialState
from peft import LoraConfig, PeftModel, get_peft_model
from torch.utils.tensorboard import SummaryWriter
from transformers import (
    EarlyStoppingCallback,
    PrinterCallback,
    Seq2SeqTrainer,
    Seq2SeqTrainingArguments,
)
from transformers.integrations import get_available_reporting_integrations

from khmer_aligned.errors import UserError
from khmer_whisper import decode
from khmer_whisper.callbacks import Curves, Progress, SetEpoch
from khmer_whisper.config import Config
from khmer_whisper.evaluation import score_predictions
from khmer_whisper.examples.collate import Collator, log_mel
from khmer_whisper.examples.mix import Epochs, mean_seconds
from khmer_whisper.examples.rows import Rows
from khmer_whisper.examples.stream import Stream, TrainingClips
from khmer_whisper.loss import LossHead, mean_loss
from khmer_whisper.metrics.samples import choose_samples, format_samples
from khmer_whisper.model import Whisper, computes_in_bfloat16
from khmer_whisper.quiet import one_line_errors

STEPS_BETWEEN_EVALUATIONS = 500
MAX_WORKERS = 8  # data loader processes, by default


class WhisperTrainer(Seq2SeqTrainer):
    """Trains `whisper` on `clips`; `evaluate` decodes the `validation` rows.

    Checkpoints go into `folder`, TensorBoard's curves into `runs` beside it.
    """

    def __init__(
        self,
        whisper: Whisper,
        config: Config,
        clips: TrainingClips,
        validation: Rows | None,
        folder: Path,
    ) -> None:
        self.whisper = whisper
        self.validation = validation
        on_cuda = torch.cuda.is_available()
        super().__init__(
            model=prepare_model(whisper, config),
            args=_arguments(config, len(clips), validation is not None, folder),
            train_dataset=clips,
            eval_dataset=validation,
            data_collator=Collator(whisper.extractor, whisper.labeller.end, on_device=on_cuda),
            compute_loss_func=mean_loss,
        )
        self.sampler = clips.sampler(config)
        self.loss_head = LossHead(whisper.model)
        # `mean_loss` divides by the number of labels; the model does not have to.
        self.model_accepts_loss_kwargs = False
        self.pop_callback(PrinterCallback)
        self.add_callback(SetEpoch(self.sampler))
        clips_per_step = config.batch_size * config.accumulation
        self.progress = Progress(mean_seconds(clips.parts) * clips_per_step)
        self.add_callback(self.progress)
        self.writer = None
        if self.is_world_process_zero():
            self.writer = SummaryWriter(str(folder.parent / "runs"))
            self.add_callback(Curves(self.writer))
        if config.patience:
            self.add_callback(EarlyStoppingCallback(config.patience))

    def run(self, checkpoint: Path | None) -> None:
        """Train to the end, from a checkpoint if there is one.

        A checkpoint keeps the random state of each process, so a resumed training masks what an
        undisturbed one does.
        """
        if process := PartialState().process_index:
            # SpecAugment draws from this generator; with one seed all processes would mask alike.
            np.random.seed(np.random.SeedSequence([self.args.seed, process]).generate_state(4))
        try:
            with one_line_errors():
                self.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
        finally:
            self.progress.close()

    def _get_train_sampler(self, train_dataset: Any = None) -> Epochs | Stream:
        return self.sampler

    def _prepare_inputs(self, inputs: dict[str, Any]) -> dict[str, Any]:
        inputs = super()._prepare_inputs(inputs)
        if "waveforms" in inputs:
            inputs["input_features"] = log_mel(inputs.pop("waveforms"), self.whisper.extractor)
        return inputs

    def compute_loss(
        self, model: torch.nn.Module, inputs: dict[str, Any], *args: Any, **kwargs: Any
    ) -> Any:
        # The Trainer keeps the labels for `mean_loss` and calls the model without them.
        self.loss_head.labels = inputs["labels"]
        return super().compute_loss(model, inputs, *args, **kwargs)

    def evaluate(
        self,
        eval_dataset: Any = None,
        ignore_keys: list[str] | None = None,
        metric_key_prefix: str = "eval",
        **_: Any,
    ) -> dict[str, float]:
        """Decode the validation rows, as every later user does, and score them.

        The Trainer's own evaluation is teacher-forced: its decoder reads the right text so far.
        """
        assert self.validation is not None, "the Trainer evaluates only when there are rows"
        predictions = decode.predict(self.whisper, self.validation, decode.BATCH, "validation")
        scores = score_predictions(predictions)
        figures = {
            f"{metric_key_prefix}_cer": scores.cer.rate,
            f"{metric_key_prefix}_wer": scores.wer.rate,
            f"{metric_key_prefix}_projected_wer": scores.projected_wer.rate,
            f"{metric_key_prefix}_looped": float(sum(p.looped for p in predictions)),
        }
        self.log(figures)
        if self.writer is not None:
            samples = choose_samples(
                [p.id for p in predictions],
                [p.reference for p in predictions],
                [p.hypothesis for p in predictions],
            )
            self.writer.add_text("predictions", format_samples(samples), self.state.global_step)
        self.control = self.callback_handler.on_evaluate(
            self.args, self.state, self.control, figures
        )
        return figures


def prepare_model(whisper: Whisper, config: Config) -> torch.nn.Module:
    """The module to train: `whisper.model` itself, or adapters around its layers."""
    model = whisper.model
    # Base checkpoints suppress brackets, colons and quotes, which the dataset contains.
    model.generation_config.suppress_tokens = whisper.labeller.not_text
    # Park et al. 2019, "SpecAugment", in the model's own code; masks only frames with speech.
    model.config.apply_spec_augment = config.spec_augment
    model.config.mask_feature_prob = 0.05
    if config.tune == "decoder":
        model.freeze_encoder()
    if config.tune != "lora":
        return model
    # Hu et al. 2021, "LoRA", on all projections of the attention and feed-forward layers.
    return get_peft_model(
        model,
        LoraConfig(
            r=config.lora_rank,
            lora_alpha=2 * config.lora_rank,
            target_modules=["q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2"],
        ),
    )


def restore_model(whisper: Whisper, trainer: WhisperTrainer) -> None:
    """Undo what the model has for training only, and merge adapters into the weights."""
    trainer.loss_head.remove()
    if isinstance(trainer.model, PeftModel):
        trainer.model.merge_and_unload()
    config = whisper.model.config
    config.use_cache = True
    config.apply_spec_augment = False


def check_trackers(config: Config) -> None:
    """Raises UserError for a tracker that is not installed."""
    available = get_available_reporting_integrations()
    for name in config.trackers:
        if name not in available:
            raise UserError(f"tracker {name} is not installed; these are: {', '.join(available)}")


def _arguments(
    config: Config, clips: int, evaluates: bool, folder: Path
) -> Seq2SeqTrainingArguments:
    on_cuda = torch.cuda.is_available()
    every = _steps_between_evaluations(config, clips)
    arguments = Seq2SeqTrainingArguments(
        output_dir=str(folder),
        bf16=computes_in_bfloat16(),
        use_cpu=not on_cuda,
        save_strategy="steps",
        save_steps=every,
        save_total_limit=2,  # the best and the last
        restore_callback_states_from_checkpoint=True,  # early stopping keeps a count
        logging_steps=1 if every < 10 else 10,
        logging_nan_inf_filter=False,
        dataloader_num_workers=_workers(config),
        dataloader_pin_memory=on_cuda,
        remove_unused_columns=False,
        label_names=["labels"],
        ddp_find_unused_parameters=False,
        log_level_replica="error",
        disable_tqdm=True,  # `Progress` shows what the Trainer's bar would
        **_optimization(config),
        **(_evaluation(every) if evaluates else {}),
    )
    # Several GPUs are for `--processes`: one process would split each batch over all of them.
    arguments._n_gpu = min(arguments.n_gpu, 1)
    return arguments


def _optimization(config: Config) -> Mapping[str, Any]:
    return {
        "seed": config.seed,
        "num_train_epochs": config.epochs,
        "max_steps": config.max_steps or -1,
        "per_device_train_batch_size": config.batch_size,
        "gradient_accumulation_steps": config.accumulation,
        "learning_rate": config.learning_rate,
        "warmup_steps": config.warmup,  # below 1 it is a share of the steps
        "weight_decay": config.weight_decay,
        "max_grad_norm": config.max_grad_norm,
        "lr_scheduler_type": "linear",
        "activation_checkpointing": config.gradient_checkpointing,
        "torch_compile": config.compile,
        "report_to": list(config.trackers) or "none",
    }


def _evaluation(every: int) -> Mapping[str, Any]:
    return {
        "eval_strategy": "steps",
        "eval_steps": every,
        "load_best_model_at_end": True,
        "metric_for_best_model": "cer",
        "greater_is_better": False,
    }


def _steps_between_evaluations(config: Config, clips: int) -> int:
    """An epoch or STEPS_BETWEEN_EVALUATIONS, the smaller, unless the configuration says."""
    per_step = config.batch_size * config.accumulation * PartialState().num_processes
    epoch = max(1, -(-clips // per_step))
    return config.evaluate_every or min(STEPS_BETWEEN_EVALUATIONS, epoch)


def _workers(config: Config) -> int:
    if config.workers >= 0:
        return config.workers
    return min(MAX_WORKERS, os.cpu_count() or 1) if torch.cuda.is_available() else 0
