"""The dataset's card: the template dataset_card.md, with the numbers of a build."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from string import Template
from typing import Any

from datasets import DatasetInfo, SplitDict, SplitInfo
from datasets.info import DatasetInfosDict
from datasets.utils.metadata import MetadataConfigs
from huggingface_hub import DatasetCardData

from khmer_aligned.aligners import MMS_NAME
from khmer_aligned.dataset.report import by_seconds
from khmer_aligned.schema import CLIP_FEATURES, SAMPLE_RATE

_TEMPLATE = "dataset_card.md"
_SHOWN_REASONS = 12
_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (10**6, "100K<n<1M"))
_MMS_NOTE = """
The weights of MMS_FA are licensed CC-BY-NC-4.0: they are for non-commercial use, and whether that
reaches the time stamps made with them is for the publisher to settle.
"""


def fill(report: dict[str, Any], title: str = "Khmer aligned speech") -> str:
    """The card of a build, `report` as build.json holds it."""
    splits = report["splits"]
    clips = sum(own["clips"] for own in splits.values())
    seconds = sum(own["seconds"] for own in splits.values())
    config = report["config"]
    balance = report["balance"]
    minutes = {k: n / SAMPLE_RATE / 60 for k, n in balance["samples"].items()}
    characters = balance["characters"]
    rejected = by_seconds(report)
    rows = [
        f"| {reason} | {own['stretches']:,} | {own['seconds'] / 60:,.1f} | {own['characters']:,} |"
        for reason, own in rejected[:_SHOWN_REASONS]
    ]
    if len(rejected) > _SHOWN_REASONS:
        rows.append(f"| {len(rejected) - _SHOWN_REASONS} further reasons, in build.json | | | |")
    return Template(_template()).substitute(
        title=title,
        size=next((name for limit, name in _SIZES if clips < limit), "n>1M"),
        layout=_layout(report),
        clips=f"{clips:,}",
        hours=f"{seconds / 3600:,.1f} hours" if seconds >= 3600 else f"{seconds / 60:,.1f} minutes",
        repository="org/khmer-aligned",
        splits="\n".join(
            f"| {name} | {own['recordings']:,} | {own['clips']:,} | {own['seconds'] / 60:,.1f} |"
            for name, own in splits.items()
        ),
        aligner=config["aligner"],
        max_tokens=config["max_tokens"],
        tokenizer=config["tokenizer"],
        licence_note=_MMS_NOTE if config["aligner"] == MMS_NAME else "",
        balance=(
            f"| audio, minutes | {minutes['in']:,.2f} | {minutes['clips']:,.2f} "
            f"| {minutes['rejected']:,.2f} |\n"
            f"| text, characters | {characters['in']:,} | {characters['clips']:,} "
            f"| {characters['rejected']:,} |"
        ),
        rejected="\n".join(rows) or "| nothing | 0 | 0 | 0 |",
    )


def _layout(report: dict[str, Any]) -> str:
    """The header's YAML on files, columns and sizes.

    `datasets` checks what it read against the sizes, and keys its cache of a folder by this
    header alone: without the build's key in it, a folder built anew would be served as it was.
    """
    splits = report["splits"]
    header = DatasetCardData()
    info = DatasetInfo(
        features=CLIP_FEATURES,
        splits=SplitDict(
            {
                name: SplitInfo(name, num_bytes=own["bytes"], num_examples=own["clips"])
                for name, own in splits.items()
            }
        ),
        download_size=sum(own["stored_bytes"] for own in splits.values()),
        dataset_size=sum(own["bytes"] for own in splits.values()),
    )
    DatasetInfosDict({"default": info}).to_dataset_card_data(header)
    files = [{"split": name, "path": f"data/{name}-*.parquet"} for name in splits]
    config = {"data_files": files, "description": f"build {report['key']}"}
    MetadataConfigs({"default": config}).to_dataset_card_data(header)
    return header.to_yaml().strip()


def _template() -> str:
    """The template from the wheel, or from the top of a checkout."""
    packaged = resources.files("khmer_aligned") / _TEMPLATE
    if packaged.is_file():
        return packaged.read_text(encoding="utf-8")
    return (Path(__file__).parents[3] / _TEMPLATE).read_text(encoding="utf-8")
