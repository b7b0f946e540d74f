"""A model on a split: predictions first, then scores from them, with everything they depend on."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from khmer_aligned.errors import UserError
from khmer_aligned.files import write_whole
from khmer_aligned.hub.cards import read_header
from khmer_aligned.hub.resolve import Source, fetch
from khmer_whisper import decode, metrics
from khmer_whisper.decode import Prediction
from khmer_whisper.examples.data import Splits
from khmer_whisper.examples.fitting import Fitting, LeftOut, select_fitting
from khmer_whisper.metrics.intervals import METHOD
from khmer_whisper.metrics.rates import describe_difference
from khmer_whisper.model import Whisper

AFFECTED = {  # what another version of a library may change
    "python": "hardly anything",
    "khmer-aligned": "everything",
    "khmercut": "the words, and so the word error rates",
    "jiwer": "the counts of errors",
    "torch": "the weights and predictions",
    "transformers": "the weights and predictions",
    "datasets": "which clips are read",
    "numpy": "random draws, and so the weights",
}
LIBRARIES = tuple(name for name in AFFECTED if name != "python")


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One model's predictions on one split, and their scores."""

    split: str
    predictions: list[Prediction]
    scores: metrics.Scores
    left_out: list[LeftOut]  # clips longer than the model's window
    tokens_per_character: float  # that its tokenizer needs for the references

    @property
    def steps_per_second(self) -> float:
        """Steps of the decoder for a second of speech."""
        return sum(p.steps for p in self.predictions) / sum(p.duration for p in self.predictions)

    def rows(self) -> list[dict[str, Any]]:
        """The lines of predictions.jsonl."""
        return [asdict(prediction) for prediction in self.predictions]


@dataclass(frozen=True, slots=True)
class Comparison:
    """The evaluations of a base model and of the model tuned from it, on the same clips.

    `extended` is that of the base with new entries in its vocabulary, before it was trained.
    """

    base: Evaluation
    extended: Evaluation | None
    tuned: Evaluation
    difference: dict[str, metrics.Difference]


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
    clips = select_scored(splits, split, whisper)
    predictions = decode.predict(whisper, clips.rows, batch_size, description)
    evaluation = make_evaluation(whisper, split, predictions, clips.left_out)
    if evaluation.scores.cer.total == 0:
        raise UserError(f"{splits.source.path}: the texts of the {split} split are all empty")
    return evaluation


def make_evaluation(
    whisper: Whisper, split: str, predictions: list[Prediction], left_out: list[LeftOut]
) -> Evaluation:
    """Score the predictions that `whisper` has made for a split."""
    references = [p.reference for p in predictions]
    labels = sum(len(whisper.labeller.encode(text)) for text in references)
    return Evaluation(
        split,
        predictions,
        score_predictions(predictions),
        left_out,
        labels / max(1, sum(map(len, references))),
    )


def select_scored(splits: Splits, split: str, whisper: Whisper) -> Fitting:
    """Select the clips of `split` that fit the model's window. Raises UserError for none."""
    if splits.get(split) is None:
        raise UserError(
            f"{splits.source.path}: has no {split} split; it has {', '.join(splits.splits)}"
        )
    clips = select_fitting(splits, split, whisper, text=None)
    if len(clips) == 0:
        reason = f" fits: {clips.left_out[0].reason}" if clips.left_out else ": it is empty"
        raise UserError(f"{splits.source.path}: no clip of the {split} split{reason}")
    return clips


def choose_scored_split(splits: Splits) -> str:
    """The split to score on: test, else validation. Raises UserError when there is neither."""
    for name in ("test", "validation"):
        if splits.get(name) is not None:
            return name
    raise UserError(
        f"{splits.source.path}: has neither a test nor a validation split to score on; build it "
        "from more recordings"
    )


def score_predictions(predictions: Sequence[Prediction]) -> metrics.Scores:
    """The scores of predictions, with intervals over their recordings."""
    return metrics.score(
        [p.reference for p in predictions],
        [p.hypothesis for p in predictions],
        [p.recording for p in predictions],
    )


def compare(base: Evaluation, tuned: Evaluation, extended: Evaluation | None = None) -> Comparison:
    """Compare two evaluations. Raises ValueError when they are not of the same clips."""
    if [p.id for p in base.predictions] != [p.id for p in tuned.predictions]:
        raise ValueError("the two evaluations are not of the same clips")
    difference = metrics.compare(
        [p.reference for p in base.predictions],
        [p.hypothesis for p in base.predictions],
        [p.hypothesis for p in tuned.predictions],
        [p.recording for p in base.predictions],
    )
    return Comparison(base, extended, tuned, difference)


def report(
    splits: Splits, evaluations: Mapping[str, Evaluation], sources: Mapping[str, Source]
) -> dict[str, Any]:
    """The content of metrics.json: each number with the revisions and versions it depends on.

    `sources` are those of the models in `evaluations`; a model that was just trained has none.
    """
    first = next(iter(evaluations.values()))
    return {
        "dataset": {
            **describe_source(splits.source),
            "licence": read_licence(splits.source),
            "split": first.split,
            "clips": len(first.predictions),
            "seconds": round(sum(p.duration for p in first.predictions), 3),
            "recordings": len({p.recording for p in first.predictions}),
            "left_out": [asdict(clip) for clip in first.left_out],
        },
        "models": {
            name: {
                **(describe_source(sources[name]) if name in sources else {}),
                **evaluation.scores.as_dict(),
                "looped": sum(p.looped for p in evaluation.predictions),
                "tokens_per_character": round(evaluation.tokens_per_character, 3),
                "steps_per_second": round(evaluation.steps_per_second, 2),
            }
            for name, evaluation in evaluations.items()
        },
        "intervals": METHOD,
        "versions": library_versions(),
    }


def write_evaluation(
    folder: Path,
    evaluation: Evaluation,
    splits: Splits,
    source: Source,
    further: Mapping[str, Any],
) -> None:
    """Write predictions.jsonl and metrics.json of a model at `source`; the latter with `further`
    figures."""
    decode.write_rows(folder / "predictions.jsonl", evaluation.rows())
    write_metrics(folder, report(splits, {"model": evaluation}, {"model": source}) | {**further})


def write_metrics(folder: Path, content: Mapping[str, Any]) -> None:
    """Write metrics.json."""
    text = json.dumps(content, ensure_ascii=False, indent=2) + "\n"
    write_whole(folder / "metrics.json", text)


def describe_source(source: Source) -> dict[str, Any]:
    """A source for a published file, which names no path of this machine."""
    on_hub = source.revision is not None
    return {
        "name": source.path if on_hub else Path(source.path).resolve().name,
        "on_hub": on_hub,
        "version": source.version,
        **({"subset": source.subset} if source.subset else {}),
    }


def read_licence(source: Source) -> str | None:
    """The licence that the card of a source states; None for none."""
    card = fetch(source, "README.md")
    stated = read_header(card).get("license") if card else None
    return stated if isinstance(stated, str) else None


def library_versions() -> dict[str, str]:
    """The versions that scores and weights depend on."""
    return {"python": platform.python_version()} | {name: version(name) for name in LIBRARIES}


def compare_versions(before: Mapping[str, str]) -> list[str]:
    """The libraries whose versions are not those `before`, and what that may change."""
    return [
        f"{name} was {before[name]} and is {now} here ({AFFECTED[name]})"
        for name, now in library_versions().items()
        if name in before and before[name] != now
    ]


def format_comparison(
    split: str,
    scores: Mapping[str, metrics.Scores | None],
    difference: Mapping[str, metrics.Difference],
) -> str:
    """The scores of the models that there are, and whether the tuned one beats the base."""
    table = format_scores(split, {name: result for name, result in scores.items() if result})
    return f"{table}\n{describe_difference(asdict(difference['cer']))}"


def format_scores(split: str, scores: Mapping[str, metrics.Scores]) -> str:
    """A line for each of `scores`, by name, under a line that says what they were computed from."""
    first = next(iter(scores.values()))
    clips = "1 clip" if first.clips == 1 else f"{first.clips} clips"
    sure = first.no_interval or f"95 % intervals over {first.units} {first.unit}"
    lines = [f"{clips} of the {split} split; {sure}"]
    width = max(len(name) for name in scores)
    for name, result in scores.items():
        lines.append(
            f"{name:<{width}}  CER {result.cer}  WER {result.wer} by {result.segmenter}  "
            f"projected WER {result.projected_wer}"
        )
    return "\n".join(lines)
