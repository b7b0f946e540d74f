"""The configuration of an aligner's training."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import tomli_w

from khmer_aligned.errors import UserError
from khmer_aligned.options import check_options, option
from khmer_whisper.config import PROVENANCE, read_table, read_values

# The learning rates of a model from scratch or a head alone, of a small model that has learned
# speech before, and of a large one.
SCRATCH_RATE, SMALL_RATE, TUNING_RATE = 2e-3, 1.5e-3, 1e-4
SMALL = 20_000_000  # parameters, at most


@dataclass(frozen=True, kw_only=True)
class CtcConfig:
    """One training of an aligner. Names that may be a Hub id take @revision.

    Raises UserError for a value out of its bounds.
    """

    dataset: str = ""  # aligned, or of audio and text; a Hub id or a folder
    model: str = option(
        "",
        "What to start from, by Hub id or folder: a self-supervised encoder, a CTC model, or a "
        "Whisper, whose encoder gets a CTC head. Without it a small model learns from scratch.",
    )
    freeze: bool = option(False, "Train the head alone, and leave the encoder as it is.")
    seed: int = option(42, "Of the order of the clips and of everything drawn.", at_least=0)

    epochs: float = option(20.0, "Passes over the training clips.", above=0)
    max_steps: int = option(
        0, "Optimizer steps; above 0 it decides instead of --epochs.", at_least=0
    )
    batch_size: int = option(16, "Clips in a batch.", at_least=1)
    accumulation: int = option(1, "Batches in a step.", at_least=1)
    learning_rate: float = option(
        0.0,
        f"At its highest; it rises, then falls to 0. 0 for {SCRATCH_RATE:g} from scratch, "
        f"{SMALL_RATE:g} for a base of {SMALL // 10**6} M parameters or fewer, else "
        f"{TUNING_RATE:g}.",
        at_least=0,
    )
    warmup: float = option(
        0.1, "Share of the steps in which the learning rate rises.", at_least=0, below=1
    )
    weight_decay: float = option(0.01, "AdamW's.", at_least=0)
    max_grad_norm: float = option(1.0, "Longer gradients are scaled down to it.", above=0)

    targets: float = option(
        1.0,
        "Weight of the dataset's word times beside the CTC loss, which is weak at first and then "
        "as strong; 0 to learn no times.",
        at_least=0,
    )
    refine: float = option(
        0.1,
        "Seconds by which the dataset's words may move to where their sound begins, before their "
        "times are learned; 0 to learn them as they are.",
        at_least=0,
    )
    priors: float = option(
        0.3,
        "How much of the tokens' running frequency CTC's loss takes off.",
        at_least=0,
        at_most=1,
    )
    tolerance: float = option(
        0.02,
        "Seconds by which CTC may begin a word earlier, and end it earlier or later, than the "
        "dataset; 0 for letters anywhere.",
        at_least=0,
    )
    augment: float = option(
        1.0, "Share of examples with changed speed, noise, gain and masks.", at_least=0, at_most=1
    )
    workers: int = option(
        -1, "Processes that read clips ahead; -1 for up to 8 with a GPU, none without.", at_least=-1
    )

    def __post_init__(self) -> None:
        if not self.dataset:
            raise UserError("no dataset is named: give a Hub id or a folder")
        check_options(self)
        if self.freeze and not self.model:
            raise UserError("--freeze needs a --model whose encoder has learned something")

    def rate(self, parameters: int) -> float:
        """The learning rate for a model of so many parameters."""
        if self.learning_rate:
            return self.learning_rate
        if self.freeze or not self.model:
            return SCRATCH_RATE
        return SMALL_RATE if parameters <= SMALL else TUNING_RATE

    @classmethod
    def read(cls, path: Path, **overrides: Any) -> CtcConfig:
        """Read a TOML file, such as the training.toml of an aligner; `overrides` replace values."""
        return cls(**read_values(cls, read_table(path) | overrides, str(path)))

    def toml(self, provenance: dict[str, Any] | None = None) -> str:
        """Write TOML that `read` takes; `provenance` goes into a table that `read` skips."""
        return tomli_w.dumps(asdict(self) | ({PROVENANCE: provenance} if provenance else {}))
