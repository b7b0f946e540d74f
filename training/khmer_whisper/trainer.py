"""A Seq2SeqTrainer whose loss is exact, whose evaluation decodes, and which can be killed."""

from __future__ import annotations

import json
import math
import os
import time
from pathlib import Path

import torch
from accelerate import PartialState
from peft import LoraConfig, PeftModel, get_peft_model
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm
from transformers import (
    EarlyStoppingCallback,
    PrinterCallback,
    Seq2SeqTrainer,
    Seq2SeqTrainingArguments,
    TrainerCallback,
)
from transformers.integrations import (
    TensorBoardCallback,
    get_available_reporting_integrations,
)

from khmer_aligned.errors import UserError
from khmer_whisper import decode
from khmer_whisper.config import Config
from khmer_whisper.evaluation import score
from khmer_whisper.examples.collate import Collator, log_mel
from khmer_whisper.examples.data import Rows
from khmer_whisper.examples.mix import Clips, Epochs
from khmer_whisper.examples.stream import Stream, StreamedClips
from khmer_whisper.loss import LossHead, token_loss
from khmer_whisper.model import Whisper, computes_in_bfloat16

STEPS_BETWEEN_EVALUATIONS = 500


class WhisperTrainer(Seq2SeqTrainer):
    """Trains `whisper` on `clips`; `evaluate` decodes the validation rows and gives their CER."""

    def __init__(
        self,
        whisper: Whisper,
        config: Config,
        clips: Clips | StreamedClips,
        validation: Rows | None,
        folder: Path,
    ) -> None:
        self.whisper = whisper
        self.on_cuda = torch.cuda.is_available()
        arguments = _arguments(config, len(clips), validation is not None, folder)
        super().__init__(
            model=learning(whisper, config),
            args=arguments,
            train_dataset=clips,
            eval_dataset=validation,
            data_collator=Collator(whisper.extractor, whisper.labeller.end, on_device=self.on_cuda),
            compute_loss_func=token_loss,
        )
        self.sampler = clips.sampler(config)
        self.loss_head = LossHead(whisper.model)
        # The loss is ours alone: the model need not be told how many labels there are.
        self.model_accepts_loss_kwargs = False
        self.pop_callback(PrinterCallback)
        self.add_callback(_SetEpoch(self.sampler))
        self.progress = _Progress(clips.mean_seconds, config)
        self.add_callback(self.progress)
        if self.is_world_process_zero():
            self.add_callback(_TensorBoard(SummaryWriter(str(folder.parent / "runs"))))
        if config.patience:
            self.add_callback(EarlyStoppingCallback(config.patience))

    def _get_train_sampler(self, train_dataset=None) -> Epochs | Stream:
        return self.sampler

    def _prepare_inputs(self, inputs: dict) -> dict:
        inputs = super()._prepare_inputs(inputs)
        self.loss_head.labels = inputs["labels"]
        if "waveforms" in inputs:
            inputs["input_features"] = log_mel(inputs.pop("waveforms"), self.whisper.extractor)
        return inputs

    def evaluate(
        self, eval_dataset=None, ignore_keys=None, metric_key_prefix: str = "eval", **_
    ) -> dict[str, float]:
        """CER and WER of the validation rows, decoded as every later user decodes.

        Teacher-forced scores, which the Trainer would compute, are of a decoder that is told the
        right text so far.
        """
        found = decode.predict(self.whisper, self.eval_dataset, decode.BATCH, "validation")
        scores = score(found)
        figures = {
            f"{metric_key_prefix}_cer": scores.cer.rate,
            f"{metric_key_prefix}_wer": scores.wer.rate,
            f"{metric_key_prefix}_looped": sum(p.looped for p in found),
        }
        self.log(figures)
        self.control = self.callback_handler.on_evaluate(
            self.args, self.state, self.control, figures
        )
        return figures


def learning(whisper: Whisper, config: Config) -> torch.nn.Module:
    """The module to be trained: `whisper.model` itself, or adapters put into its layers."""
    model = whisper.model
    # Base checkpoints forbid brackets, colons and quotes; the dataset writes them.
    model.generation_config.suppress_tokens = whisper.labeller.unspoken
    # Park et al. 2019, "SpecAugment", by the model's own code, on the frames that hold speech.
    model.config.apply_spec_augment = config.spec_augment
    model.config.mask_feature_prob = 0.05
    if config.tune == "decoder":
        model.freeze_encoder()
    if config.tune != "lora":
        return model
    # Hu et al. 2021, "LoRA", on every projection of attention and feed-forward layers.
    return get_peft_model(
        model,
        LoraConfig(
            r=config.lora_rank,
            lora_alpha=2 * config.lora_rank,
            target_modules=["q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2"],
        ),
    )


def finish(whisper: Whisper, trainer: WhisperTrainer) -> None:
    """Take off the model what was put on for training only; adapters are merged."""
    trainer.loss_head.remove()
    if isinstance(trainer.model, PeftModel):
        trainer.model.merge_and_unload()
    config = whisper.model.config
    config.use_cache = True
    config.apply_spec_augment = False


def last_checkpoint(folder: Path) -> Path | None:
    """The newest checkpoint that was written whole; the Trainer writes its state last."""
    found = sorted(folder.glob("checkpoint-*"), key=lambda path: int(path.name.split("-")[1]))
    for checkpoint in reversed(found):
        try:
            json.loads((checkpoint / "trainer_state.json").read_text(encoding="utf-8"))
        except (OSError, json.JSONDecodeError):
            continue
        return checkpoint
    return None


def check_trackers(config: Config) -> None:
    """Raises UserError for a tracker that is not installed."""
    available = get_available_reporting_integrations()
    for name in config.trackers:
        if name not in available:
            raise UserError(f"tracker {name} is not installed; these are: {', '.join(available)}")


def _arguments(
    config: Config, clips: int, evaluated: bool, folder: Path
) -> Seq2SeqTrainingArguments:
    on_cuda = torch.cuda.is_available()
    per_step = config.batch_size * config.accumulation * PartialState().num_processes
    every = config.evaluate_every or min(STEPS_BETWEEN_EVALUATIONS, max(1, -(-clips // per_step)))
    arguments = Seq2SeqTrainingArguments(
        output_dir=str(folder),
        seed=config.seed,
        num_train_epochs=config.epochs,
        max_steps=config.max_steps or -1,
        per_device_train_batch_size=config.batch_size,
        gradient_accumulation_steps=config.accumulation,
        learning_rate=config.learning_rate,
        warmup_steps=config.warmup,
        weight_decay=config.weight_decay,
        max_grad_norm=config.max_grad_norm,
        lr_scheduler_type="linear",
        bf16=computes_in_bfloat16(),
        use_cpu=not on_cuda,
        activation_checkpointing=config.gradient_checkpointing,
        torch_compile=config.compile,
        eval_strategy="steps" if evaluated else "no",
        eval_steps=every if evaluated else None,
        save_strategy="steps",
        save_steps=every,
        save_total_limit=2,  # the best and the last
        load_best_model_at_end=evaluated,
        metric_for_best_model="cer" if evaluated else None,
        greater_is_better=False if evaluated else None,
        restore_callback_states_from_checkpoint=True,  # the count that early stopping keeps
        logging_steps=1 if every < 10 else 10,
        logging_nan_inf_filter=False,
        dataloader_num_workers=_workers(config),
        dataloader_pin_memory=on_cuda,
        remove_unused_columns=False,
        label_names=["labels"],
        ddp_find_unused_parameters=False,
        log_level_replica="error",
        disable_tqdm=True,  # its bar prints every log; ours shows them
        report_to=list(config.trackers) or "none",
    )
    # Several GPUs are for `--processes`: one process would split each batch over all of them.
    arguments._n_gpu = min(arguments.n_gpu, 1)
    return arguments


def _workers(config: Config) -> int:
    if config.workers >= 0:
        return config.workers
    return min(8, os.cpu_count() or 1) if torch.cuda.is_available() else 0


class _TensorBoard(TensorBoardCallback):
    """The curves alone: they are published, and the Trainer's arguments hold paths."""

    def on_train_begin(self, args, state, control, **kwargs) -> None:
        pass


class _SetEpoch(TrainerCallback):
    """Tells the sampler the epoch, however accelerate has wrapped it, resumed or not."""

    def __init__(self, sampler: Epochs | Stream) -> None:
        self.sampler = sampler

    def on_epoch_begin(self, args, state, control, **kwargs) -> None:
        self.sampler.epoch = int(state.epoch)


class _Progress(TrainerCallback):
    """Steps, time left, loss, the last CER, and hours of audio learned per hour."""

    def __init__(self, seconds: float, config: Config) -> None:
        self.seconds_per_step = seconds * config.batch_size * config.accumulation
        self.shown: dict[str, str] = {}
        self.bar: tqdm | None = None

    def on_train_begin(self, args, state, control, **kwargs) -> None:
        self.bar = tqdm(
            total=state.max_steps,
            initial=state.global_step,
            desc="training",
            unit="step",
            disable=not state.is_world_process_zero,
        )
        self.first, self.since = state.global_step, time.monotonic()

    def on_step_end(self, args, state, control, **kwargs) -> None:
        control.should_log |= control.should_save  # a loss that is no number is never saved
        done = (state.global_step - self.first) * self.seconds_per_step * args.world_size
        self.shown["audio h/h"] = f"{done / (time.monotonic() - self.since):.0f}"
        self.bar.set_postfix(self.shown, refresh=False)
        self.bar.update(state.global_step - self.bar.n)

    def on_log(self, args, state, control, logs=None, **kwargs) -> None:
        if not math.isfinite((logs or {}).get("loss", 0)):
            raise UserError(
                f"the loss is {logs['loss']} at step {state.global_step}: the training has "
                "diverged; give a lower --learning-rate"
            )
        for name, key, form in (("loss", "loss", ".3f"), ("CER", "eval_cer", ".1%")):
            if key in (logs or {}):
                self.shown[name] = format(logs[key], form)

    def close(self) -> None:
        """Leave the line of the bar, also when training ends by an error."""
        if self.bar is not None:
            self.bar.close()
