"""A dataset and a base model to a model folder that can be published as it is."""

from __future__ import annotations

import gc
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
import transformers
from accelerate import PartialState
from tqdm import tqdm
from transformers import GenerationConfig

from khmer_aligned.errors import UserError
from khmer_aligned.files import write_whole
from khmer_whisper import decode, metrics
from khmer_whisper import model as models
from khmer_whisper.attention.heads import HeadChoice, choose_heads
from khmer_whisper.checkpoints import (
    BASE_PREDICTIONS,
    ROWS,
    STOCK_PREDICTIONS,
    UNTUNED,
    check_folder,
    claim_checkpoints,
    last_checkpoint,
)
from khmer_whisper.config import Config
from khmer_whisper.evaluation import Evaluation, compare, evaluate, make_evaluation
from khmer_whisper.examples.fitting import LeftOut, select_fitting
from khmer_whisper.inputs import Inputs, check_provenance, load_inputs
from khmer_whisper.model import Whisper
from khmer_whisper.model_folder import Trained, write_model_folder
from khmer_whisper.trainer import WhisperTrainer, check_trackers, restore_model
from khmer_whisper.warm_rows import learn_rows


@dataclass(frozen=True, slots=True)
class Result:
    """A finished training, whose model lies in `folder`."""

    folder: Path
    split: str  # the scored one
    base: metrics.Scores
    extended: metrics.Scores | None  # of the untrained model, where it has new entries
    tuned: metrics.Scores
    difference: dict[str, metrics.Difference]
    left_out: list[LeftOut]  # training clips that do not fit the model
    steps: int
    best_step: int  # 0 where the weights are the base's


def train(config: Config, out: Path, expected: Mapping[str, Any] | None = None) -> Result:
    """Fine-tune, score base and tuned model on the same clips, and write the model folder.

    A training that was interrupted goes on from its last checkpoint when it is started again with
    the same configuration, and ends with the same weights. The base's own weights are kept where no
    checkpoint has a lower CER on the validation split.

    expected: the provenance of the training.toml that the configuration is from; {} or None for
    none. Raises UserError when dataset, base or libraries are not those it names, `out` holds
    something else, or the dataset has nothing to learn from or to score on.
    """
    check_trackers(config)
    check_folder(out)
    # Without a GPU accelerate joins processes only when it is told to use the CPU.
    state = PartialState(cpu=not torch.cuda.is_available())
    inputs = load_inputs(config)
    check_provenance(inputs, expected or {})
    with claim_checkpoints(out, inputs) as checkpoints:
        base, extended = _score_untrained(inputs, checkpoints)
        trained = _fine_tune(inputs, checkpoints)
        tuned = evaluate(
            trained.whisper,
            inputs.splits,
            inputs.scored_split,
            description="scoring the tuned model",
        )
        comparison = compare(base, tuned, extended)
        if state.is_main_process:
            choice = _choose_heads(trained.whisper, inputs)
            write_model_folder(out, inputs, trained, comparison, choice)
    if state.is_main_process:
        shutil.rmtree(checkpoints)
    state.wait_for_everyone()
    return Result(
        folder=out,
        split=inputs.scored_split,
        base=base.scores,
        extended=extended.scores if extended else None,
        tuned=tuned.scores,
        difference=comparison.difference,
        left_out=[clip for part in inputs.clips.parts for clip in part.fitting.left_out],
        steps=trained.steps,
        best_step=trained.best_step,
    )


def _score_untrained(inputs: Inputs, checkpoints: Path) -> tuple[Evaluation, Evaluation | None]:
    """The evaluation of the base model, and for an extended model that of the untrained model.

    The base of an extended model is the one that it was made from.
    """
    untrained = _score_once(inputs.whisper, inputs, checkpoints / BASE_PREDICTIONS)
    if inputs.extended_from is None:
        return untrained, None
    try:
        base = models.load(inputs.extended_from)
    except UserError as error:  # a folder that is gone since
        tqdm.write(f"not scored: the model that {inputs.config.model} was made from: {error}")
        return untrained, None
    return _score_once(base, inputs, checkpoints / STOCK_PREDICTIONS), untrained


def _score_once(whisper: Whisper, inputs: Inputs, record: Path) -> Evaluation:
    """The evaluation of a model. A resumed training reads the predictions it had made."""
    splits, split = inputs.splits, inputs.scored_split
    if record.is_file():
        lines = record.read_text(encoding="utf-8").splitlines()
        predictions = [decode.Prediction(**json.loads(line)) for line in lines]
        left_out = select_fitting(splits, split, whisper, text=None).left_out
        evaluation = make_evaluation(whisper, split, predictions, left_out)
    else:
        whisper.move(PartialState().device)
        evaluation = evaluate(whisper, splits, split, description="scoring the base model")
        if PartialState().is_main_process:
            decode.write_rows(record, evaluation.rows())
    if PartialState().is_main_process:
        for clip in evaluation.left_out:
            tqdm.write(f"not scored: {clip.id}: {clip.reason}")
    return evaluation


def _fine_tune(inputs: Inputs, checkpoints: Path) -> Trained:
    """Train to the end. When the GPU's memory runs out, go on with smaller batches and as many
    more of them in a step, which changes neither loss nor gradients."""
    config, whisper = inputs.config, inputs.whisper
    while True:
        try:
            return _train_once(whisper, config, inputs, checkpoints)
        except RuntimeError as error:
            if not decode.is_out_of_memory(error):
                raise
            config = _with_smaller_batches(config)
            # `inputs` keeps a reference to the model, so free what it has on the GPU.
            whisper.model.zero_grad(set_to_none=True)
            whisper.move("cpu")
        del whisper
        gc.collect()
        torch.cuda.empty_cache()
        whisper = models.load(config.model)


def _train_once(whisper: Whisper, config: Config, inputs: Inputs, checkpoints: Path) -> Trained:
    """Train the rows of new entries, if that is asked for, and then the model."""
    if config.warm_rows:
        learn_rows(whisper, config, inputs.clips, checkpoints / ROWS)
    transformers.set_seed(config.seed)
    trainer = WhisperTrainer(whisper, config, inputs.clips, inputs.validation, checkpoints)
    # With rows learned first, what would be measured here is no longer the base.
    untuned = None if config.warm_rows else _score_untuned(trainer, checkpoints)
    transformers.set_seed(config.seed)  # the same whether that was measured or read
    trainer.run(last_checkpoint(checkpoints))
    restore_model(whisper, trainer)
    steps = trainer.state.global_step
    best = trainer.state.best_metric
    if untuned is not None and best is not None and untuned < best:
        _keep_base(whisper, config)
        return Trained(whisper, steps, best_step=0)
    return Trained(whisper, steps, trainer.state.best_global_step or steps)


def _choose_heads(whisper: Whisper, inputs: Inputs) -> HeadChoice | None:
    """Give the tuned model the heads that time its words best; None without word times."""
    rows = inputs.splits.get("validation") or inputs.splits.get("train")
    choice = choose_heads(whisper, rows) if rows is not None else None
    if choice is not None:
        settings = whisper.model.generation_config.to_dict()
        heads = [list(head) for head in choice.heads]
        whisper.model.generation_config = GenerationConfig(**settings | {"alignment_heads": heads})
    return choice


def _score_untuned(trainer: WhisperTrainer, checkpoints: Path) -> float | None:
    """The CER of the base on the validation clips: it competes with the checkpoints.

    A resumed training, whose model is no longer the base, reads what was measured at its start.
    """
    if trainer.validation is None:
        return None
    record = checkpoints / UNTUNED
    if not record.is_file():
        cer = trainer.evaluate()["eval_cer"]
        if PartialState().is_main_process:
            write_whole(record, json.dumps({"cer": cer}))
        return cer
    return json.loads(record.read_text(encoding="utf-8"))["cer"]


def _keep_base(whisper: Whisper, config: Config) -> None:
    whisper.model.load_state_dict(models.load(config.model).model.state_dict())
    if PartialState().is_main_process:
        tqdm.write(
            "no step of the training lowered the CER on the validation split: the base's own "
            "weights are kept"
        )


def _with_smaller_batches(config: Config) -> Config:
    if config.batch_size == 1 or PartialState().num_processes > 1:
        raise UserError(
            f"out of memory with batches of {config.batch_size}: give a smaller --batch-size and "
            "more --accumulation, --gradient-checkpointing, or --tune lora"
        )
    divisor = next(n for n in range(2, config.batch_size + 1) if config.batch_size % n == 0)
    smaller = replace(
        config, batch_size=config.batch_size // divisor, accumulation=config.accumulation * divisor
    )
    tqdm.write(
        f"out of memory: going on with batches of {smaller.batch_size}, "
        f"{smaller.accumulation} a step"
    )
    return smaller
