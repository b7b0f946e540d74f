"""The Trainer: dividing a step, what is tuned, how an evaluation decodes."""

from pathlib import Path

import pytest
import torch
import transformers
from accelerate import PartialState
from transformers import TrainerCallback

from khmer_aligned.errors import UserError
from khmer_whisper import training
from khmer_whisper.config import Config
from khmer_whisper.examples import data
from khmer_whisper.examples.fitting import select_fitting
from khmer_whisper.examples.mix import Clips, Part
from khmer_whisper.trainer import WhisperTrainer, restore_model

from .conftest import tiny_model


class Gradients(TrainerCallback):
    """Keeps the gradients of each optimizer step."""

    def __init__(self) -> None:
        self.steps: list[torch.Tensor] = []

    def on_pre_optimizer_step(self, args, state, control, model=None, **kwargs) -> None:
        gradients = [p.grad.flatten() for p in model.parameters() if p.grad is not None]
        self.steps.append(torch.cat(gradients).clone())


def one_step(dataset: Path, folder: Path, batch_size: int = 8, **options):
    """Loss and gradients of the first step over the same eight clips, through the Trainer."""
    whisper = tiny_model()
    config = Config(
        dataset=str(dataset), batch_size=batch_size, max_steps=1, max_grad_norm=1e9, **options
    )
    clips = Clips(
        [Part("d", select_fitting(data.load(str(dataset)), "train", whisper, "text"))],
        whisper,
        config,
    )
    trainer = WhisperTrainer(whisper, config, clips, None, folder)
    gradients = Gradients()
    trainer.add_callback(gradients)
    trainer.train()
    return trainer.state.log_history[0]["loss"], gradients.steps[0]


def test_each_process_masks_other_stretches(few, tmp_path, monkeypatch):
    whisper = tiny_model()
    config = Config(dataset=str(few), max_steps=1, spec_augment=True)
    clips = Clips(
        [Part("d", select_fitting(data.load(str(few)), "train", whisper, "text"))], whisper, config
    )
    trainer = WhisperTrainer(whisper, config, clips, None, tmp_path)
    features = torch.zeros(1, 80, 200)
    masks: list[torch.Tensor] = []

    def draw(**_: object) -> None:
        whisper.model.train()
        masks.append(whisper.model.model._mask_input_features(features + 1))

    monkeypatch.setattr(trainer, "train", draw)
    for process in (0, 1, 1, 2):
        transformers.set_seed(config.seed)  # as `training` does in every process
        monkeypatch.setitem(PartialState._shared_state, "process_index", process)
        trainer.run(None)
    first, second, again, third = masks
    assert torch.equal(second, again)
    assert not any(torch.equal(*two) for two in ((first, second), (first, third), (second, third)))


@pytest.mark.slow
def test_dividing_the_work_changes_neither_loss_nor_gradients(dataset, tmp_path):
    # transformers multiplies both by the number of accumulated batches.
    loss, gradient = one_step(dataset, tmp_path / "whole")
    for n, options in enumerate(
        [
            {"batch_size": 4, "accumulation": 2},
            {"batch_size": 2, "accumulation": 4},
            {"batch_size": 1, "accumulation": 8},
            {"workers": 2},
            {"gradient_checkpointing": True},
        ]
    ):
        other, divided = one_step(dataset, tmp_path / str(n), **options)
        assert other == pytest.approx(loss, rel=1e-4), options
        torch.testing.assert_close(divided, gradient, atol=1e-6, rtol=1e-4, msg=str(options))


def test_an_unknown_tracker_is_named(dataset, tiny_folder, tmp_path):
    config = Config(dataset=str(dataset), model=str(tiny_folder), trackers=("nobody",))
    with pytest.raises(UserError, match="nobody is not installed"):
        training.train(config, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
@pytest.mark.parametrize("tune", ["decoder", "lora"])
def test_parts_of_the_model_can_be_tuned(dataset, tmp_path, tune):
    whisper = tiny_model()
    before = {name: value.clone() for name, value in whisper.model.state_dict().items()}
    config = Config(dataset=str(dataset), max_steps=2, learning_rate=1e-2, tune=tune, lora_rank=4)
    clips = Clips(
        [Part("d", select_fitting(data.load(str(dataset)), "train", whisper, "text"))],
        whisper,
        config,
    )
    trainer = WhisperTrainer(whisper, config, clips, None, tmp_path / "checkpoints")
    trainer.train()
    restore_model(whisper, trainer)
    after = whisper.model.state_dict()
    assert after.keys() == before.keys()  # no adapters left
    changed = {name for name in after if not torch.equal(after[name], before[name])}
    encoder = {name for name in changed if ".encoder." in name}
    assert bool(encoder) == (tune == "lora")
    assert any(".decoder.layers.0.self_attn.q_proj" in name for name in changed)
    if tune == "lora":
        assert not any("embed" in name or "layer_norm" in name for name in changed)
