"""All that decides what a build gives, besides its recordings."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import Any

from khmer_aligned.alignment.thresholds import Thresholds
from khmer_aligned.options import check_options, option

MAX_CLIP_LABELS = 220  # what openai-whisper and faster-whisper decode at most, less the prompt
MAX_LABELS = 440  # what transformers decodes at most, less the prompt
JOIN_OPTIONS = {"keep_duplicates"}  # decide what is published of the clips, and no clip


@dataclass(frozen=True)
class BuildConfig:
    """The options of a build; those of `thresholds` are options of the command, too."""

    aligner: str = option(
        "mms",
        "`mms`, `omniasr`, `omniasr-1b`, or a CTC model of transformers by folder or Hub id.",
    )
    tokenizer: str = option(
        "openai/whisper-small",
        "The Whisper tokenizer that clips are measured with, by folder or Hub id.",
    )
    max_labels: int = option(
        MAX_CLIP_LABELS,
        f"Most labels (Whisper's tokens) in a clip; {MAX_LABELS} is what its decoder holds.",
        at_least=1,
        at_most=MAX_LABELS,
        formerly="--max-tokens",
    )
    lag: float | None = option(
        None,
        "Seconds that the aligner's tokens come late, a constant of the model; by default it is "
        "measured on the recordings, else the figure that `calibrate` keeps.",
        formerly="--offset",
    )
    track: int = option(
        1, "Which audio track is read of a file that has several, as a video may.", at_least=1
    )
    seed: int = option(0, "Decides which speakers or recordings are held out.")
    keep_duplicates: bool = option(
        False, "Leave clips in train whose sentence is also in validation or test."
    )
    thresholds: Thresholds = field(default_factory=Thresholds)

    def __post_init__(self) -> None:
        check_options(self)

    def with_options(self, **options: Any) -> BuildConfig:
        """This configuration with other values of some of its fields, or of its thresholds'.

        Raises UserError for a value out of bounds, TypeError for a name that is neither's.
        """
        names = {item.name for item in fields(Thresholds)} & set(options)
        limits = replace(self.thresholds, **{name: options.pop(name) for name in names})
        return replace(self, **({"thresholds": limits} | options))
