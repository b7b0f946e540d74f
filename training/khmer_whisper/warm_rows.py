"""The first steps of a training on a model with new entries: only their rows learn."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import torch
import transformers
from accelerate import PartialState
from safetensors.torch import load_file, save_file

from khmer_aligned.files import replace_whole
from khmer_whisper.checkpoints import last_checkpoint
from khmer_whisper.config import Config
from khmer_whisper.examples.stream import TrainingClips
from khmer_whisper.model import Whisper
from khmer_whisper.trainer import WhisperTrainer, restore_model
from khmer_whisper.vocabulary.rows import embedding, khmer_ids

ROW_RATE = 1e-3  # the highest learning rate: a hundred times that of all weights
LEARNED = "rows.safetensors"


def learn_rows(whisper: Whisper, config: Config, clips: TrainingClips, folder: Path) -> None:
    """Train the rows of the Khmer entries for `config.warm_rows` steps, all else as it is.

    Checkpoints go into `folder`, and the rows at the end: a training that was interrupted goes on
    from there.
    """
    table = embedding(whisper)
    ids = khmer_ids(whisper.tokenizer)
    learned = folder / LEARNED
    state = PartialState()
    if not learned.is_file():
        rows_only = replace(
            config,
            tune="full",
            warm_rows=0,
            max_steps=config.warm_rows,
            learning_rate=ROW_RATE,
            weight_decay=0.0,  # it would shrink the rows that do not learn
            patience=0,
        )
        transformers.set_seed(config.seed)
        with _only_rows(whisper, ids):
            trainer = WhisperTrainer(whisper, rows_only, clips, None, folder)
            trainer.run(last_checkpoint(folder))
            restore_model(whisper, trainer)
        if state.is_main_process:
            with replace_whole(learned) as partial:
                save_file({"rows": table.detach()[ids].cpu()}, partial)
        state.wait_for_everyone()
    with torch.no_grad():
        table[ids] = load_file(learned)["rows"].to(table)


@contextmanager
def _only_rows(whisper: Whisper, ids: list[int]) -> Iterator[None]:
    """Let nothing of the model learn but the rows `ids` of its embedding."""
    table = embedding(whisper)
    learning = [p for p in whisper.model.parameters() if p.requires_grad]
    chosen = torch.zeros(len(table), 1, dtype=torch.bool)
    chosen[ids] = True
    hook = table.register_hook(lambda gradient: gradient * chosen.to(gradient.device))
    for parameter in learning:
        parameter.requires_grad_(parameter is table)
    try:
        yield
    finally:
        hook.remove()
        for parameter in learning:
            parameter.requires_grad_(True)
