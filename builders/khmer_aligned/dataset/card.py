"""The dataset's card: the template dataset_card.md, with the numbers of a build."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import yaml
from datasets import DatasetInfo, SplitDict, SplitInfo
from datasets.info import DatasetInfosDict
from datasets.utils.metadata import MetadataConfigs
from huggingface_hub import DatasetCard, DatasetCardData

from khmer_aligned.dataset.checked import describe_checked, describe_sample
from khmer_aligned.dataset.report import (
    Report,
    describe_duplicates,
    describe_lag,
    reasons_by_seconds,
)
from khmer_aligned.dataset.rights import describe_rights
from khmer_aligned.dataset.statistics import SplitStatistics, Statistics
from khmer_aligned.hub.cards import (
    escape,
    licence_sentence,
    read_header,
    read_repository,
    read_title,
)
from khmer_aligned.schema import CLIP_FEATURES, SAMPLE_RATE, SPLITS

TITLE = "Khmer aligned speech"
UNNAMED = "org/khmer-aligned"  # until it is pushed somewhere

_SHOWN_REASONS = 12
_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (10**6, "100K<n<1M"))
_BAR = 30  # characters of the longest bar of a histogram
_SCORED = "test"  # the split that models are compared on
_METRICS = ("cer", "wer", "projected_wer")


def render_card(
    report: Report,
    licence: str | None = None,
    title: str | None = None,
    repository: str = UNNAMED,
) -> str:
    """The card of a build, as Markdown with a YAML header.

    All of it comes from the report, but for the three that whoever publishes it decides.
    """
    title = " ".join((title or TITLE).split())
    card = DatasetCard.from_template(
        _header(report, licence, title),
        template_path=str(_template()),
        title=title,
        repository=repository,
        rights=licence_sentence(licence),
        **_body(report),
    )
    return str(card) + "\n"


def renew_card(
    report: Report, card: Path, licence: str | None = None, title: str | None = None
) -> str:
    """`render_card` with what its publisher gave the file `card`, where nothing else is asked."""
    if not card.is_file():
        return render_card(report, licence, title)
    return render_card(
        report,
        licence or read_header(card).get("license"),
        title or read_title(card),
        read_repository(card.read_text(encoding="utf-8")) or UNNAMED,
    )


def render_tasks(report: Report) -> str:
    """eval.yaml: the tasks under which the Hub shows scores that models publish of this dataset.

    The names are those of `.eval_results` of a model that was trained here.
    """
    splits = report["splits"]
    scored = _SCORED if _SCORED in splits else next(iter(splits))
    tasks = [{"id": f"{scored}_{m}", "config": "default", "split": scored} for m in _METRICS]
    content = {
        "name": TITLE,
        "description": (
            "Khmer speech recognition. Error rates in percent, lower is better, on canonical text "
            "read aloud, without spaces and punctuation: of characters (cer), of words with both "
            "sides segmented (wer), and of reference words that hold an edit (projected_wer)."
        ),
        "evaluation_framework": "khmer-whisper",
        "tasks": tasks,
    }
    return yaml.safe_dump(content, allow_unicode=True, sort_keys=False, width=100)


def describe_splits(report: Report) -> str:
    """How the splits were made, and what that means for a score on them."""
    statistics = report["statistics"]
    missing = [name for name in SPLITS if name not in report["splits"]]
    lines = []
    if shared := statistics["shared_speakers"]:
        voices = "1 speaker is" if shared == 1 else f"{shared} speakers are"
        lines.append(
            "Splits are made by recording, as there are too few speakers to hold any out: "
            f"{voices} in more than one split, so scores are of known voices and too good for "
            "others."
        )
    else:
        lines.append(
            "Splits are made by speaker, or by recording where the speaker is not known, never by "
            "clip."
        )
    if missing:
        lines.append(f"There are too few recordings for a {' and a '.join(missing)} split.")
    return " ".join(lines)


def _header(report: Report, licence: str | None, title: str) -> DatasetCardData:
    """The YAML: what the Hub searches by, files, columns and sizes.

    `datasets` checks what it read against the sizes, and keys its cache of a folder by this
    header alone: without the build's key in it, a folder built anew would be served as it was.
    """
    splits = report["splits"]
    clips = _clips(report)
    header = DatasetCardData(
        language=["km"],
        license=licence,
        multilinguality="monolingual",
        annotations_creators=["machine-generated"],
        source_datasets=_source_datasets(report),
        task_categories=["automatic-speech-recognition"],
        pretty_name=title,
        size_categories=[next((name for limit, name in _SIZES if clips < limit), "n>1M")],
        tags=["audio", "khmer", "speech", "forced-alignment", "whisper"],
    )
    info = DatasetInfo(
        features=CLIP_FEATURES,
        splits=SplitDict(
            {
                name: SplitInfo(name, num_bytes=size["bytes"], num_examples=size["clips"])
                for name, size in splits.items()
            }
        ),
        download_size=sum(size["stored_bytes"] for size in splits.values()),
        dataset_size=sum(size["bytes"] for size in splits.values()),
    )
    DatasetInfosDict({"default": info}).to_dataset_card_data(header)
    files = [{"split": name, "path": f"data/{name}-*.parquet"} for name in splits]
    config = {"data_files": files, "description": f"build {report['key']}"}
    MetadataConfigs({"default": config}).to_dataset_card_data(header)
    return header


def _body(report: Report) -> dict[str, Any]:
    """The variables of the template."""
    config, statistics = report["config"], report["statistics"]
    seconds = sum(size["seconds"] for size in report["splits"].values())
    return {
        "clips": f"{_clips(report):,}",
        "hours": f"{seconds / 3600:,.1f} hours"
        if seconds >= 3600
        else f"{_minutes(seconds)} minutes",
        "splits": [
            {
                "name": name,
                "speakers": _speakers(statistics["splits"][name]),
                "recordings": f"{size['recordings']:,}",
                "clips": f"{size['clips']:,}",
                "hours": f"{size['seconds'] / 3600:,.2f}",
            }
            for name, size in report["splits"].items()
        ],
        "how_split": describe_splits(report),
        "lengths": _bars(statistics, "durations", [f"under {5 * (i + 1)} s" for i in range(6)]),
        "scores": _bars(statistics, "scores", [f"under {(i + 1) / 10:.1f}" for i in range(10)]),
        "known_rights": escape(describe_rights({**report})),
        "stated": [
            {"kind": kind, "name": escape(name) or "not stated", "recordings": f"{count:,}"}
            for kind, names in (
                ("licence", report["rights"]["licences"]),
                ("source", report["rights"]["sources"]),
            )
            if set(names) != {""}
            for name, count in names.items()
        ],
        "version": report["versions"].get("khmer-aligned", ""),
        "aligner": escape(config["aligner"]),
        "lag": describe_lag(report["lag"]),
        "checked": _checked_lines(report),
        "max_labels": config["max_labels"],
        "tokenizer": escape(config["tokenizer"]),
        "balance": _balance_rows(report),
        "rejected": _reason_rows(report),
        "duplicates": escape(" ".join(f"{line}." for line in describe_duplicates(report))),
    }


def _checked_lines(report: Report) -> list[str]:
    """What was checked by ear; nothing where nothing was."""
    checked = report.get("checked")
    if checked is None:
        return []
    lines = [describe_checked(checked)]
    if sample := checked["sample"]:
        which = "this build" if report["key"].startswith(sample["build"]) else "an earlier build"
        lines.append(
            f"A random sample of {which} ({sample['size']:,} of {sample['clips']:,} clips, seed "
            f"{sample['seed']}), before its corrections: {describe_sample(sample)}."
        )
    return lines


def _source_datasets(report: Report) -> list[str]:
    """Datasets on the Hub that it was made from; the Hub's word for everything else."""
    source = report["source"]
    name = source["content"].partition("@")[0] if source["kind"] == "dataset" else ""
    return [name.partition(":")[0]] if "/" in name else ["original"]


def _speakers(split: SplitStatistics) -> str:
    unknown = (
        f", and {split['unknown_speaker']:,} clips of unknown" if split["unknown_speaker"] else ""
    )
    return f"{split['speakers']:,}{unknown}"


def _bars(statistics: Statistics, name: Literal["durations", "scores"], labels: list[str]) -> str:
    """A histogram over all splits, a line for each bin."""
    bins = [split[name] for split in statistics["splits"].values()]
    counts = [sum(column) for column in zip(*bins, strict=True)]
    most = max(counts)
    width = max(map(len, labels))
    return "\n".join(
        f"{label:>{width}} {count:>8,} {'#' * round(_BAR * count / most)}".rstrip()
        for label, count in zip(labels, counts, strict=True)
    )


def _balance_rows(report: Report) -> list[dict[str, str]]:
    audio, text = report["balance"]["samples"], report["balance"]["characters"]
    recordings = report["recordings"]

    def minutes(samples: int) -> str:
        return f"{samples / SAMPLE_RATE / 60:,.2f}"

    return [
        {
            "name": "audio, minutes",
            "total": minutes(audio["in"]),
            "clips": minutes(audio["clips"]),
            "rejected": minutes(audio["rejected"]),
        },
        {
            "name": "text, characters",
            "total": f"{text['in']:,}",
            "clips": f"{text['clips']:,}",
            "rejected": f"{text['rejected']:,}",
        },
        {
            "name": "recordings, and those whose audio could not be read",
            "total": f"{recordings['in']:,}",
            "clips": "",
            "rejected": f"{recordings['unread']:,}",
        },
    ]


def _reason_rows(report: Report) -> list[dict[str, str]]:
    reasons = reasons_by_seconds(report)
    rows = [
        {
            "reason": escape(name),
            "stretches": f"{reason['stretches']:,}",
            "minutes": _minutes(reason["seconds"]),
            "characters": f"{reason['characters']:,}",
        }
        for name, reason in reasons[:_SHOWN_REASONS]
    ]
    if len(reasons) > _SHOWN_REASONS:
        rows.append({"reason": f"{len(reasons) - _SHOWN_REASONS} further reasons, in build.json"})
    return rows or [{"reason": "nothing", "stretches": "0", "minutes": "0", "characters": "0"}]


def _clips(report: Report) -> int:
    return sum(size["clips"] for size in report["splits"].values())


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:,.1f}"


def _template() -> Path:
    """dataset_card.md: in an installed package, else at the top of the checkout."""
    package = Path(__file__).parents[1]
    shipped = package / "dataset_card.md"
    return shipped if shipped.is_file() else package.parents[1] / "dataset_card.md"
