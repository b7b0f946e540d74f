"""The model's card: its numbers, where they come from, and the same for the Hub to read."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import yaml
from huggingface_hub import EvalResult, EvalResultEntry, ModelCard, ModelCardData
from huggingface_hub import eval_result_entries_to_yaml as entries_to_yaml

from khmer_whisper.config import LANGUAGE, PROVENANCE, Config

TASK = "automatic-speech-recognition"
UNNAMED = "org/whisper-khmer"  # until it is pushed somewhere
METRICS = {
    "cer": ("cer", "CER"),
    "wer": ("wer", "WER, projected"),
    "wer_segmented": ("wer", "WER, segmented"),
}


def write_card(folder: Path) -> None:
    """README.md and .eval_results of a model folder, from its metrics.json and training.toml."""
    found = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    training = tomllib.loads((folder / "training.toml").read_text(encoding="utf-8"))
    card = ModelCard.from_template(
        _data(found, training), template_path=str(template()), **_body(found, training)
    )
    (folder / "README.md").write_text(str(card) + "\n", encoding="utf-8")
    entries = _entries(found)
    if entries:
        results = folder / ".eval_results"
        results.mkdir(exist_ok=True)
        text = yaml.safe_dump(entries_to_yaml(entries), allow_unicode=True, sort_keys=False)
        (results / "khmer.yaml").write_text(text, encoding="utf-8")


def unpublished(folder: Path) -> list[str]:
    """The folders that the model in `folder` was made of: nobody else can train it again."""
    record = folder / "training.toml"
    if not record.is_file():
        return []
    config = Config.read(record)
    names = [config.dataset, *(mixed.name for mixed in config.mix), config.model]
    return [name for name in names if not _hub_id(name)]


def template() -> Path:
    """model_card.md: beside this file in an installed package, at the top of the repository."""
    shipped = Path(__file__).with_name("model_card.md")
    return shipped if shipped.is_file() else Path(__file__).parents[2] / "model_card.md"


def _data(found: dict, training: dict) -> ModelCardData:
    dataset = found["dataset"]
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
            metric_value=round(100 * found["models"]["tuned"][name]["rate"], 2),
        )
        for name, (kind, title) in METRICS.items()
    ]
    mixed = found["mixed"]
    names = [each["name"] for each in (dataset, *mixed) if each["on_hub"]]
    languages = list(dict.fromkeys([LANGUAGE, *(each["language"] for each in mixed)]))
    return ModelCardData(
        language=languages if len(languages) > 1 else LANGUAGE,
        library_name="transformers",
        pipeline_tag=TASK,
        base_model=_hub_id(training["model"]),
        datasets=names or None,
        metrics=["cer", "wer"],
        tags=["whisper", "khmer"],
        model_name=UNNAMED.split("/")[1],
        eval_results=results,
    )


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
    "clips": "bootstrapped over clips, for want of recordings: too narrow for other speakers",
}


def _body(found: dict, training: dict) -> dict:
    dataset, provenance = found["dataset"], training[PROVENANCE]
    base, tuned = found["models"]["base"], found["models"]["tuned"]
    rows = [
        {
            "name": title,
            "base": _rate(base[name]),
            "tuned": _rate(tuned[name]),
            "errors": tuned[name]["errors"],
            "total": tuned[name]["total"],
        }
        for name, (_, title) in METRICS.items()
    ]
    gain = found["difference"]["cer"]
    comparison = (
        f"The difference in CER is {100 * gain['difference']:+.1f} points "
        f"({100 * gain['low']:+.1f} to {100 * gain['high']:+.1f}, paired bootstrap, "
        f"p = {gain['p']:.3f})."
    )
    excluded = len(dataset["left_out"])
    notes = f" {excluded} clips longer than the model's window are not in." if excluded else ""
    return {
        "name": UNNAMED.split("/")[1],
        "repository": UNNAMED,
        "base": training["model"].partition("@")[0] if _hub_id(training["model"]) else "A Whisper",
        "dataset": dataset["name"],
        "training_dataset": training["dataset"] if dataset["on_hub"] else dataset["name"],
        "dataset_version": dataset["version"],
        "hours": provenance["hours"],
        "clips": provenance["clips"],
        "clip_seconds": provenance["clip_seconds"],
        "mixed": _mixed(found, provenance),
        "languages": _languages(found),
        "recipe": RECIPES[training["tune"]],
        "text": TEXTS[training["text"]],
        "learning_rate": f"{training['learning_rate']:g}",
        "steps": provenance["steps"],
        "private": not (dataset["on_hub"] and _hub_id(training["model"])),
        "scored_clips": dataset["clips"],
        "scored_minutes": round(dataset["seconds"] / 60, 1),
        "recordings": dataset["recordings"],
        "split": dataset["split"],
        "held_out": _held_out(found),
        "results": rows,
        "comparison": comparison,
        "drawn": DRAWN[tuned["drawn"]],
        "notes": notes,
        "segmenter": tuned["segmenter"],
        "version": found["versions"]["khmer-aligned"],
    }


def _mixed(found: dict, provenance: dict) -> list[str]:
    """What was learned beside the scored dataset, a line for each."""
    return [
        f"{each['name']} (version `{each['version']}`, language {each['language']}): "
        f"{learned['clips']} clips, {learned['hours']} hours, each {each['weight']:g} times an "
        "epoch"
        for each, learned in zip(found["mixed"], provenance["mix"].values(), strict=True)
    ]


def _languages(found: dict) -> str:
    others = {each["language"] for each in found["mixed"]} - {LANGUAGE}
    if not others:
        return "It was tuned on Khmer alone; expect other languages to be worse than with its base."
    return (
        f"It was tuned on Khmer and some {', '.join(sorted(others))}, to keep what its base knew; "
        "that was not scored. Expect other languages to be worse than with its base."
    )


def _held_out(found: dict) -> str:
    seen, recordings = len(found["seen_recordings"]), found["dataset"]["recordings"]
    if seen:
        return (
            f"Of these recordings {seen} of {recordings} were also trained on: the scores are too "
            "good."
        )
    if found["dataset"]["split"] == "validation":
        return "There was no test split: the best checkpoint was chosen on these very clips."
    told = ", going by their names," if found["mixed"] else ""
    return f"None of these recordings{told} was trained on or used to choose a checkpoint."


def _entries(found: dict) -> list[EvalResultEntry]:
    dataset = found["dataset"]
    if not dataset["on_hub"]:  # an entry must name a dataset that can be looked up
        return []
    return [
        EvalResultEntry(
            dataset_id=dataset["name"],
            task_id=f"{dataset['split']}_{name}",
            value=round(100 * found["models"]["tuned"][name]["rate"], 2),
            dataset_revision=dataset["version"],
            notes=f"{title} in percent, {_rate(found['models']['tuned'][name])}",
        )
        for name, (_, title) in METRICS.items()
    ]


def _rate(rate: dict) -> str:
    return f"{100 * rate['rate']:.1f} % ({100 * rate['low']:.1f}-{100 * rate['high']:.1f})"


def _hub_id(name: str) -> str | None:
    """The Hub id of a pinned name; None for a folder of the author's machine."""
    repository, _, revision = name.partition("@")
    return repository if revision else None
