"""A model on a split: predictions first, then scores from them, with everything they depend on."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

from khmer_aligned.errors import UserError
from khmer_aligned.hub.resolve import Source
from khmer_whisper import decode, metrics
from khmer_whisper.decode import Prediction
from khmer_whisper.examples import data
from khmer_whisper.examples.data import Fitting, LeftOut, Splits
from khmer_whisper.model import Whisper

LIBRARIES = ("khmer-aligned", "khmercut", "jiwer", "torch", "transformers", "datasets", "numpy")


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One model's predictions on one split, and what they score."""

    split: str
    predictions: list[Prediction]
    scores: metrics.Scores
    left_out: list[LeftOut]  # clips longer than the model's window

    def rows(self) -> list[dict]:
        """The lines of predictions.jsonl."""
        return [asdict(prediction) for prediction in self.predictions]


def evaluate(
    whisper: Whisper,
    splits: Splits,
    split: str = "test",
    batch_size: int = decode.BATCH,
    description: str = "recognizing",
) -> Evaluation:
    """Recognize and score every clip of `split` that fits the model's window.

    Raises UserError when the dataset has no such split or none of its clips fits.
    """
    clips = scored(splits, split, whisper)
    predictions = decode.predict(whisper, clips.rows, batch_size, description)
    scores = score(predictions)
    if scores.cer.total == 0:
        raise UserError(f"{splits.source.path}: the texts of the {split} split are all empty")
    return Evaluation(split, predictions, scores, clips.left_out)


def scored(splits: Splits, split: str, whisper: Whisper) -> Fitting:
    """The clips of `split` that fit the model's window. Raises UserError when there are none."""
    if splits.get(split) is None:
        raise UserError(
            f"{splits.source.path}: has no {split} split; it has {', '.join(splits.splits)}"
        )
    clips = data.fitting(splits, split, whisper, text=None)
    if len(clips) == 0:
        why = f" fits: {clips.left_out[0].reason}" if clips.left_out else ": it is empty"
        raise UserError(f"{splits.source.path}: no clip of the {split} split{why}")
    return clips


def scored_split(splits: Splits) -> str:
    """The split to score on: test, else validation. Raises UserError when there is neither."""
    for name in ("test", "validation"):
        if splits.get(name) is not None:
            return name
    raise UserError(
        f"{splits.source.path}: has neither a test nor a validation split to score on; build it "
        "from more recordings"
    )


def score(predictions: Sequence[Prediction]) -> metrics.Scores:
    """The scores of predictions, with intervals over their recordings."""
    return metrics.score(
        [p.reference for p in predictions],
        [p.hypothesis for p in predictions],
        [p.recording for p in predictions],
    )


def compare(base: Evaluation, tuned: Evaluation) -> dict[str, metrics.Difference]:
    """The tuned model against its base on the same clips."""
    if [p.id for p in base.predictions] != [p.id for p in tuned.predictions]:
        raise ValueError("the two evaluations are not of the same clips")
    return metrics.compare(
        [p.reference for p in base.predictions],
        [p.hypothesis for p in base.predictions],
        [p.hypothesis for p in tuned.predictions],
        [p.recording for p in base.predictions],
    )


def report(splits: Splits, evaluations: dict[str, Evaluation], sources: dict[str, Source]) -> dict:
    """metrics.json: each published number with the revisions and versions it depends on.

    `sources` says where a model of `evaluations` came from; one just trained came from nowhere.
    """
    first = next(iter(evaluations.values()))
    return {
        "dataset": {
            **named(splits.source),
            "split": first.split,
            "clips": len(first.predictions),
            "seconds": round(sum(p.duration for p in first.predictions), 3),
            "recordings": len({p.recording for p in first.predictions}),
            "left_out": [asdict(clip) for clip in first.left_out],
        },
        "models": {
            name: {
                **(named(sources[name]) if name in sources else {}),
                **evaluation.scores.as_dict(),
                "looped": sum(p.looped for p in evaluation.predictions),
            }
            for name, evaluation in evaluations.items()
        },
        "versions": versions(),
    }


def named(source: Source) -> dict:
    """A source as a published file may name it: never by a path of somebody's machine."""
    on_hub = source.revision is not None
    return {
        "name": source.path if on_hub else Path(source.path).resolve().name,
        "on_hub": on_hub,
        "version": source.version,
        **({"subset": source.subset} if source.subset else {}),
    }


def versions() -> dict[str, str]:
    """Of what decides over a number or over the weights."""
    return {"python": platform.python_version()} | {name: version(name) for name in LIBRARIES}
