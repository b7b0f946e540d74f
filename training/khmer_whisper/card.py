"""The card of a trained model: its numbers and what they depend on, for people and for the Hub."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from huggingface_hub import EvalResult, EvalResultEntry, ModelCard, ModelCardData
from huggingface_hub import eval_result_entries_to_yaml as entries_to_yaml

from khmer_aligned.hub.cards import licence_sentence
from khmer_aligned.hub.resolve import FOLDER_VERSION
from khmer_whisper.config import LANGUAGE, PROVENANCE, Config
from khmer_whisper.metrics.rates import describe_difference, explain_missing
from khmer_whisper.metrics.samples import choose_samples, format_samples

TASK = "automatic-speech-recognition"
PLACEHOLDER = "org/whisper-khmer"  # publishing puts the repository's name in its place
METRICS = {  # by the key in metrics.json: the Hub's type, and the title
    "cer": ("cer", "CER"),
    "wer": ("wer", "WER"),
    "projected_wer": ("projected_wer", "Projected WER"),
}
DEFINITIONS = {
    "cer": "character edits over characters, on canonical text read aloud (digits and the "
    "repetition sign in words), without spaces and punctuation",
    "wer": "word edits over words, both sides segmented by {segmenter}: the conventional one, for "
    "comparison with other publications",
    "projected_wer": "reference words that hold an edit over reference words. Only the reference "
    "is segmented, so it depends on no segmentation of the hypothesis; of all alignments of "
    "characters with the fewest edits, the one that hits the fewest words counts",
}
COSTS = {  # by the key in metrics.json: the title and its digits
    "tokens_per_character": ("Tokens a character", 2),
    "steps_per_second": ("Decoder steps a second of speech", 1),
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
EVAL_RESULTS = ".eval_results/khmer.yaml"

Table = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Claims:
    """What of a card whoever publishes it decides; all else comes from the folder's files."""

    repository: str = PLACEHOLDER
    title: str | None = None
    licence: str | None = None


def write_card(folder: Path, licence: str | None = None) -> None:
    """Write README.md and .eval_results of a model folder, from its other files.

    Without a licence, that of its dataset is inherited.
    """
    metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    training = tomllib.loads((folder / "training.toml").read_text(encoding="utf-8"))
    rows = (folder / "predictions.jsonl").read_text(encoding="utf-8").split("\n")
    claims = Claims(licence=licence or metrics["dataset"].get("licence"))
    card = render_card(metrics, training, [json.loads(row) for row in rows if row], claims)
    (folder / "README.md").write_text(card, encoding="utf-8")
    if results := render_eval_results(metrics):
        (folder / EVAL_RESULTS).parent.mkdir(exist_ok=True)
        (folder / EVAL_RESULTS).write_text(results, encoding="utf-8")


def render_card(
    metrics: Table, training: Table, predictions: Sequence[Table], claims: Claims
) -> str:
    """The card of a model, from metrics.json, training.toml and the rows of predictions.jsonl."""
    card = ModelCard.from_template(
        _card_data(metrics, training, claims),
        template_path=str(template()),
        **_training_values(metrics, training, claims),
        **_score_values(metrics),
        samples=_samples(predictions),
    )
    return str(card) + "\n"


def render_eval_results(metrics: Table) -> str:
    """The scores as the Hub's leaderboards read them; "" for a dataset that is not on the Hub."""
    entries = _eval_results(metrics)
    if not entries:
        return ""
    return yaml.safe_dump(entries_to_yaml(entries), allow_unicode=True, sort_keys=False)


def read_rights(folder: Path) -> str:
    """What is known of the rights in a model, for whoever has to choose its licence."""
    record = folder / "metrics.json"
    if not record.is_file():
        return ""
    dataset = json.loads(record.read_text(encoding="utf-8"))["dataset"]
    if dataset.get("licence"):
        return f"Its dataset {dataset['name']} states {dataset['licence']}."
    return f"Its dataset {dataset['name']} states no licence either: settle that first."


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


def _card_data(metrics: Table, training: Table, claims: Claims) -> ModelCardData:
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
            metric_args={"definition": _definition(key, metrics)},
        )
        for key, (kind, title) in METRICS.items()
    ]
    published = [source["name"] for source in (dataset, *mixed) if source["on_hub"]]
    languages = list(dict.fromkeys([LANGUAGE, *(source["language"] for source in mixed)]))
    return ModelCardData(
        language=languages if len(languages) > 1 else LANGUAGE,
        license=claims.licence,
        library_name="transformers",
        pipeline_tag=TASK,
        base_model=_hub_id(training["model"]),
        datasets=published or None,
        metrics=["cer", "wer"],
        tags=["whisper", "khmer", "audio"],
        model_name=PLACEHOLDER.split("/")[1],
        eval_results=results,
    )


def _training_values(metrics: Table, training: Table, claims: Claims) -> Table:
    """The template's values on what was trained, and on what."""
    dataset, provenance = metrics["dataset"], training[PROVENANCE]
    base = _hub_id(training["model"])
    return {
        "title": claims.title or PLACEHOLDER.split("/")[1],
        "repository": claims.repository,
        "rights": licence_sentence(claims.licence),
        "base": base or "A Whisper",
        "dataset": dataset["name"],
        "dataset_option": "" if dataset["on_hub"] else f" --dataset {dataset['name']}",
        "dataset_version": dataset["version"],
        "hours": provenance["hours"],
        "clips": provenance["clips"],
        "clip_seconds": provenance["clip_seconds"],
        "window": f"{provenance.get('window_seconds', 30):g}",
        "mixed": _mixed_lines(metrics, provenance),
        "languages": _languages(metrics),
        "recipe": RECIPES[training["tune"]],
        "text": TEXTS[training["text"]],
        "learning_rate": f"{training['learning_rate']:g}",
        "steps": provenance["steps"],
        "untuned": provenance["best_step"] == 0,
        "private": not (dataset["on_hub"] and base),
        "version": metrics["versions"]["khmer-aligned"],
    }


def _score_values(metrics: Table) -> Table:
    """The template's values on the scores."""
    dataset = metrics["dataset"]
    tuned = metrics["models"]["tuned"]
    columns = [name for name in ("base", "extended") if name in metrics["models"]]
    left_out = len(dataset["left_out"])
    notes = f" {left_out} clips longer than the model's window are not in." if left_out else ""
    return {
        "scored_clips": dataset["clips"],
        "scored_minutes": round(dataset["seconds"] / 60, 1),
        "recordings": dataset["recordings"],
        "split": dataset["split"],
        "held_out": _held_out(metrics),
        "columns": columns,
        "results": [
            {
                "name": title,
                "before": [_format_rate(metrics["models"][name][key]) for name in columns],
                "tuned": _format_rate(tuned[key]),
                "errors": tuned[key]["errors"],
                "total": tuned[key]["total"],
            }
            for key, (_, title) in METRICS.items()
        ],
        "costs": [
            {
                "name": title,
                "before": [f"{metrics['models'][name][key]:.{digits}f}" for name in columns],
                "tuned": f"{tuned[key]:.{digits}f}",
            }
            for key, (title, digits) in COSTS.items()
        ],
        "vocabulary": _vocabulary(metrics),
        "word_times": _word_times(metrics.get("word_times")),
        "definitions": [
            f"{title}: {_definition(key, metrics)}." for key, (_, title) in METRICS.items()
        ],
        "verdict": describe_difference(metrics["difference"]["cer"]),
        "sure": explain_missing(tuned)
        or f"95 % intervals over {tuned['units']} {tuned['unit']} (jackknife, Student's t)",
        "notes": notes,
    }


def _vocabulary(metrics: dict[str, Any]) -> str | None:
    """What is different about a model with new entries in its vocabulary."""
    extension = metrics["khmer_vocabulary"]
    if extension is None:
        return None
    scripts = ", ".join(script.title() for script in extension["overwritten"])
    return (
        f"Its vocabulary has {extension['tokens']} tokens of Khmer in place of {scripts} ones. "
        "transformers and faster-whisper decode them as they are; to *encode* Khmer, as for "
        "prompts or for tuning it further, load the tokenizer with "
        '`tokenizers.Tokenizer.from_file("tokenizer.json")` or with khmer-whisper, because '
        "`WhisperTokenizer` replaces the pre-tokenizer that this file states."
    )


def _word_times(choice: Table | None) -> str | None:
    """How exact the times of words are that cross-attention gives."""
    if choice is None:
        return None
    before, after = (1000 * choice[key]["median"] for key in ("before", "after"))
    heads, words, clips = len(choice["heads"]), choice["after"]["words"], choice["clips"]
    return (
        'Word times (`return_timestamps="word"`, in faster-whisper `word_timestamps=True`) come '
        f"from {heads} of its cross-attention heads, chosen by the word times of its dataset: half "
        f"of the words begin within {after:.0f} ms of them, {before:.0f} ms with the heads before "
        f"({words} words of {clips} clips)."
    )


def _definition(metric: str, metrics: Table) -> str:
    return DEFINITIONS[metric].format(segmenter=metrics["models"]["tuned"]["segmenter"])


def _samples(predictions: Sequence[Table]) -> str:
    """A table of a few predictions beside their references."""
    return format_samples(
        choose_samples(
            [row["id"] for row in predictions],
            [row["reference"] for row in predictions],
            [row["hypothesis"] for row in predictions],
        )
    )


def _mixed_lines(metrics: Table, provenance: Table) -> list[str]:
    """A line for each dataset that was learned from and not scored on."""
    return [
        f"{source['name']} (version `{source['version']}`, language {source['language']}): "
        f"{learned['clips']} clips, {learned['hours']} hours, each {source['weight']:g} times an "
        "epoch"
        for source, learned in zip(metrics["mixed"], provenance["mix"].values(), strict=True)
    ]


def _languages(metrics: Table) -> str:
    others = {source["language"] for source in metrics["mixed"]} - {LANGUAGE}
    if not others:
        return "It was tuned on Khmer alone; expect other languages to be worse than with its base."
    return (
        f"It was tuned on Khmer and some {', '.join(sorted(others))}, to keep what its base knew; "
        "that was not scored. Expect other languages to be worse than with its base."
    )


def _held_out(metrics: Table) -> str:
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


def _eval_results(metrics: Table) -> list[EvalResultEntry]:
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
            notes=f"{title} in percent, {_format_rate(tuned[key])}: {_definition(key, metrics)}",
        )
        for key, (_, title) in METRICS.items()
    ]


def _percent(rate: dict[str, float]) -> float:
    return round(100 * rate["rate"], 2)


def _format_rate(rate: Table) -> str:
    if rate["low"] is None:
        return f"{100 * rate['rate']:.1f} %"
    return f"{100 * rate['rate']:.1f} % ({100 * rate['low']:.1f}-{100 * rate['high']:.1f})"


def _hub_id(name: str) -> str | None:
    """The Hub id of a pinned name; None for a local folder, which has a digest instead."""
    repository, _, revision = name.partition("@")
    return repository if revision and not revision.startswith(FOLDER_VERSION) else None
