"""The dataset's card: the template dataset_card.md, with the numbers of a build."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from datasets import DatasetInfo, SplitDict, SplitInfo
from datasets.info import DatasetInfosDict
from datasets.utils.metadata import MetadataConfigs
from huggingface_hub import DatasetCard, DatasetCardData

from khmer_aligned.aligners import MMS_NAME
from khmer_aligned.dataset.report import Report, reasons_by_seconds
from khmer_aligned.schema import CLIP_FEATURES, SAMPLE_RATE

TITLE = "Khmer aligned speech"
UNNAMED = "org/khmer-aligned"  # until it is pushed somewhere

_SHOWN_REASONS = 12
_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (10**6, "100K<n<1M"))
# What Markdown and HTML would read as markup; an underscore only at the edge of a word.
_MARKUP = re.compile(r"[\\`*\[\]<>|~&]|(?<!\w)_|_(?!\w)")


def render_card(report: Report) -> str:
    """The card of a build, as Markdown with a YAML header."""
    card = DatasetCard.from_template(
        _header(report), template_path=str(_template()), **_body(report)
    )
    return str(card) + "\n"


def escape(text: str) -> str:
    """`text` so that Markdown shows it as it stands, on one line, in a table's cell too."""
    return _MARKUP.sub(r"\\\g<0>", " ".join(text.split()))


def _header(report: Report) -> DatasetCardData:
    """The YAML: what the Hub searches by, files, columns and sizes.

    `datasets` checks what it read against the sizes, and keys its cache of a folder by this
    header alone: without the build's key in it, a folder built anew would be served as it was.
    """
    splits = report["splits"]
    clips = _clips(report)
    header = DatasetCardData(
        language=["km"],
        task_categories=["automatic-speech-recognition"],
        pretty_name=TITLE,
        size_categories=[next((name for limit, name in _SIZES if clips < limit), "n>1M")],
        tags=["khmer", "forced-alignment", "whisper"],
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
    config = report["config"]
    seconds = sum(size["seconds"] for size in report["splits"].values())
    return {
        "title": TITLE,
        "repository": UNNAMED,
        "clips": f"{_clips(report):,}",
        "hours": f"{seconds / 3600:,.1f} hours"
        if seconds >= 3600
        else f"{_minutes(seconds)} minutes",
        "splits": [
            {
                "name": name,
                "recordings": f"{size['recordings']:,}",
                "clips": f"{size['clips']:,}",
                "minutes": _minutes(size["seconds"]),
            }
            for name, size in report["splits"].items()
        ],
        "aligner": escape(config["aligner"]),
        "max_labels": config["max_labels"],
        "tokenizer": escape(config["tokenizer"]),
        "non_commercial": config["aligner"] == MMS_NAME,
        "balance": _balance_rows(report),
        "rejected": _reason_rows(report),
    }


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
