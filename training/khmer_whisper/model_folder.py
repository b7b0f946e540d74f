"""The folder of a trained model: weights, scores, predictions, configuration and card."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from khmer_aligned.files import write_whole
from khmer_aligned.hub.resolve import resolve
from khmer_whisper import decode
from khmer_whisper.attention.heads import HeadChoice
from khmer_whisper.card import write_card
from khmer_whisper.config import Config
from khmer_whisper.evaluation import (
    Comparison,
    describe_source,
    library_versions,
    report,
    write_metrics,
)
from khmer_whisper.inputs import Inputs
from khmer_whisper.model import Whisper


@dataclass(frozen=True, slots=True)
class Trained:
    """A model at the end of its training."""

    whisper: Whisper
    steps: int
    best_step: int  # the step of the checkpoint that the weights are from


def write_model_folder(
    folder: Path,
    inputs: Inputs,
    trained: Trained,
    comparison: Comparison,
    choice: HeadChoice | None,
    licence: str | None = None,
) -> None:
    """Write a folder in the layout of a Hub repository. The card is made of the other files.

    choice: of the heads that time words, None where they are the base's
    """
    clip_seconds = inputs.clips.parts[0].fitting.clip_seconds
    languages = tuple(sorted({part.language for part in inputs.clips.parts}))
    replace(trained.whisper, clip_seconds=clip_seconds, languages=languages).save(folder)
    word_times = choice.as_dict() if choice else None
    write_metrics(folder, _metrics(inputs, comparison) | {"word_times": word_times})
    rows = [
        row | {"base": before.hypothesis}
        for row, before in zip(comparison.tuned.rows(), comparison.base.predictions, strict=True)
    ]
    decode.write_rows(folder / "predictions.jsonl", rows)
    record = _published_config(inputs).toml(_provenance(inputs, trained))
    write_whole(folder / "training.toml", record)
    write_card(folder, licence)


def _published_config(inputs: Inputs) -> Config:
    """The configuration without a path of this machine: of folders, their names and digests."""
    mix = tuple(
        replace(part, name=splits.source.identity)
        for part, splits in zip(inputs.config.mix, inputs.mixed, strict=True)
    )
    return replace(
        inputs.config,
        dataset=inputs.splits.source.identity,
        model=inputs.whisper.source.identity,
        mix=mix,
    )


def _metrics(inputs: Inputs, comparison: Comparison) -> dict[str, Any]:
    """The content of metrics.json."""
    evaluations = {"base": comparison.base, "tuned": comparison.tuned}
    sources = {"base": inputs.whisper.source}
    if comparison.extended:
        evaluations["extended"] = comparison.extended
        base = resolve(str(inputs.extended_from), "model")
        sources = {"base": base, "extended": inputs.whisper.source}
    return report(inputs.splits, evaluations, sources) | {
        "khmer_vocabulary": inputs.whisper.khmer_vocabulary,
        "difference": {name: asdict(value) for name, value in comparison.difference.items()},
        "seen_recordings": _seen_recordings(inputs),
        "mixed": [
            {
                **describe_source(splits.source),
                "language": part.language,
                "weight": part.weight,
            }
            for splits, part in zip(inputs.mixed, inputs.clips.parts[1:], strict=True)
        ],
    }


def _seen_recordings(inputs: Inputs) -> list[str]:
    """Recordings of the scored split that were also trained on, or chose the checkpoint."""
    scored = inputs.scored_split
    seen: set[str] = set()
    for name in ("train", "validation"):
        if name != scored and inputs.splits.get(name) is not None:
            seen |= inputs.splits.recordings(name)
    for splits in inputs.mixed:
        seen |= splits.recordings("train")
    return sorted(seen & inputs.splits.recordings(scored))


def _provenance(inputs: Inputs, trained: Trained) -> dict[str, Any]:
    """What training.toml records beside the configuration."""
    first, *mixed = [
        {
            "dataset_version": splits.source.version,
            "clips": len(part.fitting),
            "hours": round(float(part.fitting.seconds.sum()) / 3600, 3),
            "left_out": len(part.fitting.left_out),
        }
        for splits, part in zip(inputs.datasets, inputs.clips.parts, strict=True)
    ]
    names = [splits.source.identity for splits in inputs.mixed]
    return first | {
        "mix": dict(zip(names, mixed, strict=True)),
        "clip_seconds": inputs.clips.parts[0].fitting.clip_seconds,
        "window_seconds": inputs.whisper.seconds,
        "model_version": inputs.whisper.source.version,
        "steps": trained.steps,
        "best_step": trained.best_step,
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
        "versions": library_versions(),
    }
