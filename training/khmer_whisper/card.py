"""The card of a trained model: its numbers and what they depend on, for people and for the Hub."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import yaml
from huggingface_hub import EvalResult, EvalResultEntry, ModelCard, ModelCardData
from huggingface_hub import eval_result_entries_to_yaml as entries_to_yaml

from khmer_whisper.config import LANGUAGE, PROVENANCE, Config

TASK = "automatic-speech-recognition"
PLACEHOLDER = "org/whisper-khmer"  # publishing puts the repository's name in its place
METRICS = {  # by the key in metrics.json: the Hub's type and the title
    "cer": ("cer", "CER"),
    "wer": ("wer", "WER, projected"),
    "wer_segmented": ("wer", "WER, segmented"),
}
RECIPES = {
    "full": "All weights were tuned",
    "decoder": "All weights but the encoder's were tuned",
    "lora": "Adapters (LoRA) were tuned and merged",
}
TEXTS = {
    "text": "It writes numbers and signs as its dataset writes them",
    "spoken": "It writes numbers and signs as words, as they are read aloud",
}
DRAWN = {
    "recordings": "bootstrapped over recordings",
    "clips": "bootstrapped over clips, as there are few recordings: too narrow for other speakers",
}


def write_card(folder: Path) -> None:
    """Write README.md and .eval_results of a model folder, from its metrics and training.toml."""
    metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    training = tomllib.loads((folder / "training.toml").read_text(encoding="utf-8"))
    card = ModelCard.from_template(
        _card_data(metrics, training),
        template_path=str(template()),
        **_training_values(metrics, training),
        **_score_values(metrics),
    )
    (folder / "README.md").write_text(str(card) + "\n", encoding="utf-8")
    entries = _eval_results(metrics)
    if entries:
        results = folder / ".eval_results"
        results.mkdir(exist_ok=True)
        text = yaml.safe_dump(entries_to_yaml(entries), allow_unicode=True, sort_keys=False)
        (results / "khmer.yaml").write_text(text, encoding="utf-8")


def unpublished(folder: Path) -> list[str]:
    """The local folders that a model was made of, without which nobody else can train it again."""
    record = folder / "training.toml"
    if not record.is_file():
        return []
    config = Config.read(record)
    names = [config.dataset, *(mixed.name for mixed in config.mix), config.model]
    return [name for name in names if not _hub_id(name)]


def template() -> Path:
    """model_card.md: beside this file in an installed package, at the top of the repository."""
    installed = Path(__file__).with_name("model_card.md")
    return installed if installed.is_file() else Path(__file__).parents[2] / "model_card.md"


def _card_data(metrics: dict[str, Any], training: dict[str, Any]) -> ModelCardData:
    """The YAML at the top of the card."""
    dataset, mixed = metrics["dataset"], metrics["mixed"]
    results = [
        EvalResult(
            task_type=TASK,
            dataset_type=dataset["name"],
            dataset_config=dataset.get("subset"),
            dataset_name=dataset["name"],
            dataset_split=dataset["split"],
            dataset_revision=dataset["version"],
            metric_type=kind,
            metric_name=title,
            metric_value=_percent(metrics["models"]["tuned"][key]),
        )
        for key, (kind, title) in METRICS.items()
    ]
    published = [source["name"] for source in (dataset, *mixed) if source["on_hub"]]
    languages = list(dict.fromkeys([LANGUAGE, *(source["language"] for source in mixed)]))
    return ModelCardData(
        language=languages if len(languages) > 1 else LANGUAGE,
        library_name="transformers",
        pipeline_tag=TASK,
        base_model=_hub_id(training["model"]),
        datasets=published or None,
        metrics=["cer", "wer"],
        tags=["whisper", "khmer"],
        model_name=PLACEHOLDER.split("/")[1],
        eval_results=results,
    )


def _training_values(metrics: dict[str, Any], training: dict[str, Any]) -> dict[str, Any]:
    """The template's values on what was trained, and on what."""
    dataset, provenance = metrics["dataset"], training[PROVENANCE]
    base = _hub_id(training["model"])
    return {
        "name": PLACEHOLDER.split("/")[1],
        "repository": PLACEHOLDER,
        "base": base or "A Whisper",
        "dataset": dataset["name"],
        "training_dataset": training["dataset"] if dataset["on_hub"] else dataset["name"],
        "dataset_version": dataset["version"],
        "hours": provenance["hours"],
        "clips": provenance["clips"],
        "clip_seconds": provenance["clip_seconds"],
        "mixed": _mixed_lines(metrics, provenance),
        "languages": _languages(metrics),
        "recipe": RECIPES[training["tune"]],
        "text": TEXTS[training["text"]],
        "learning_rate": f"{training['learning_rate']:g}",
        "steps": provenance["steps"],
        "private": not (dataset["on_hub"] and base),
        "version": metrics["versions"]["khmer-aligned"],
    }


def _score_values(metrics: dict[str, Any]) -> dict[str, Any]:
    """The template's values on the scores."""
    dataset = metrics["dataset"]
    base, tuned = metrics["models"]["base"], metrics["models"]["tuned"]
    left_out = len(dataset["left_out"])
    notes = f" {left_out} clips longer than the model's window are not in." if left_out else ""
    return {
        "scored_clips": dataset["clips"],
        "scored_minutes": round(dataset["seconds"] / 60, 1),
        "recordings": dataset["recordings"],
        "split": dataset["split"],
        "held_out": _held_out(metrics),
        "results": [
            {
                "name": title,
                "base": _format_rate(base[key]),
                "tuned": _format_rate(tuned[key]),
                "errors": tuned[key]["errors"],
                "total": tuned[key]["total"],
            }
            for key, (_, title) in METRICS.items()
        ],
        "comparison": _comparison(metrics["difference"]["cer"]),
        "drawn": DRAWN[tuned["drawn"]],
        "notes": notes,
        "segmenter": tuned["segmenter"],
    }


def _comparison(gain: dict[str, float]) -> str:
    return (
        f"The difference in CER is {100 * gain['difference']:+.1f} points "
        f"({100 * gain['low']:+.1f} to {100 * gain['high']:+.1f}, paired bootstrap, "
        f"p = {gain['p']:.3f})."
    )


def _mixed_lines(metrics: dict[str, Any], provenance: dict[str, Any]) -> list[str]:
    """A line for each dataset that was learned from and not scored on."""
    return [
        f"{source['name']} (version `{source['version']}`, language {source['language']}): "
        f"{learned['clips']} clips, {learned['hours']} hours, each {source['weight']:g} times an "
        "epoch"
        for source, learned in zip(metrics["mixed"], provenance["mix"].values(), strict=True)
    ]


def _languages(metrics: dict[str, Any]) -> str:
    others = {source["language"] for source in metrics["mixed"]} - {LANGUAGE}
    if not others:
        return "It was tuned on Khmer alone; expect other languages to be worse than with its base."
    return (
        f"It was tuned on Khmer and some {', '.join(sorted(others))}, to keep what its base knew; "
        "that was not scored. Expect other languages to be worse than with its base."
    )


def _held_out(metrics: dict[str, Any]) -> str:
    """Whether the scored recordings are new to the model."""
    seen, recordings = len(metrics["seen_recordings"]), metrics["dataset"]["recordings"]
    if seen:
        return (
            f"Of these recordings {seen} of {recordings} were also trained on: the scores are too "
            "good."
        )
    if metrics["dataset"]["split"] == "validation":
        return "There was no test split: the best checkpoint was chosen on these very clips."
    caveat = ", going by their names," if metrics["mixed"] else ""
    return f"None of these recordings{caveat} was trained on or used to choose a checkpoint."


def _eval_results(metrics: dict[str, Any]) -> list[EvalResultEntry]:
    """Entries for the Hub's leaderboards, which must name a dataset on the Hub."""
    dataset, tuned = metrics["dataset"], metrics["models"]["tuned"]
    if not dataset["on_hub"]:
        return []
    return [
        EvalResultEntry(
            dataset_id=dataset["name"],
            task_id=f"{dataset['split']}_{key}",
            value=_percent(tuned[key]),
            dataset_revision=dataset["version"],
            notes=f"{title} in percent, {_format_rate(tuned[key])}",
        )
        for key, (_, title) in METRICS.items()
    ]


def _percent(rate: dict[str, float]) -> float:
    return round(100 * rate["rate"], 2)


def _format_rate(rate: dict[str, float]) -> str:
    return f"{100 * rate['rate']:.1f} % ({100 * rate['low']:.1f}-{100 * rate['high']:.1f})"


def _hub_id(name: str) -> str | None:
    """The Hub id of a pinned name; None for a local folder."""
    repository, _, revision = name.partition("@")
    return repository if revision else None
