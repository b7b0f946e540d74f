"""A published dataset, checked: its files by themselves, or built again from its source."""

from __future__ import annotations

import hashlib
import tempfile
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from huggingface_hub import snapshot_download

from khmer_aligned.aligners import MMS, MMS_NAME
from khmer_aligned.alignment.thresholds import Thresholds
from khmer_aligned.dataset.build import build
from khmer_aligned.dataset.config import BuildConfig
from khmer_aligned.dataset.report import Report
from khmer_aligned.dataset.verify import read_clips, read_report, verify
from khmer_aligned.errors import UserError
from khmer_aligned.findings import Findings
from khmer_aligned.hub.errors import plain_errors
from khmer_aligned.hub.folder import published_files, sha256
from khmer_aligned.hub.resolve import FOLDER_VERSION, Source, resolve

CLAIMED = ("README.md",)  # what its publisher may have given a title and a licence


def reproduce(name: str, source: str | None, **models: str) -> Findings:
    """Verify the dataset `name`, and build it again from `source` where that is given.

    models: `aligner` and `tokenizer`, where these were folders of whoever built it. Raises
    UserError where it was not built here or a model is not at hand.
    """
    published = resolve(name, "dataset")
    folder = _folder(published)
    findings = verify(folder)
    if source is not None:
        _build_again(folder, source, models, findings)
    return findings


def _folder(source: Source) -> Path:
    if source.revision is None:
        return Path(source.path)
    with plain_errors(source.path, "dataset", "the Hub", source.revision):
        return Path(snapshot_download(source.path, repo_type="dataset", revision=source.revision))


def _build_again(folder: Path, source: str, models: dict[str, str], findings: Findings) -> None:
    report = read_report(folder)
    config = _config(report, models)
    grew = report["increment"] > 0
    if grew:  # its lag is that of its first source, and what is a duplicate depends on its splits
        config = replace(config, lag=report["lag"]["seconds"], keep_duplicates=True)
    with tempfile.TemporaryDirectory(prefix="khmer-aligned-") as scratch:
        again = build(source, Path(scratch) / "dataset", config)
        _compare_settings(
            report, again.report, {"lag", "keep_duplicates"} if grew else set(), findings
        )
        if grew:
            _compare_clips(folder, report, again.folder, findings)
        else:
            _compare_files(folder, again.folder, findings)


def _compare_settings(
    published: Report, built: Report, ignored: set[str], findings: Findings
) -> None:
    for part in ("source", "config", "versions"):
        before: dict[str, Any] = published[part]
        now: dict[str, Any] = built[part]
        findings.check(
            f"the {part} of the build",
            [
                f"{part}: {key} was {before.get(key)} and is {now.get(key)} here: the bytes "
                "may differ for that alone"
                for key in sorted((before | now).keys() - ignored)
                if before.get(key) != now.get(key)
            ],
        )


def _compare_files(folder: Path, built: Path, findings: Findings) -> None:
    """Compare a build with one from scratch, byte by byte."""
    files = published_files(built)
    for name, path in files.items():
        if name in CLAIMED:
            continue  # `verify` has compared it line by line
        there = folder / name
        if not there.is_file():
            findings.differ(f"{name} is missing")
        elif sha256(there) == sha256(path):
            findings.agree(f"{name}: the same bytes")
        else:
            findings.differ(f"{name}: other bytes")
    for name in published_files(folder):
        if name.startswith("data/") and name not in files:
            findings.differ(f"{name} is not what this source gives")


def _compare_clips(folder: Path, report: Report, built: Path, findings: Findings) -> None:
    """Compare a build that grew with one from scratch that keeps all duplicates, by its clips."""
    findings.note(
        f"the source grew or was corrected {report['increment']} times while this was built; its "
        "splits and files remember that, so clips are compared, and files are not"
    )
    published, now = _clip_sums(folder), _clip_sums(built)
    findings.check(
        f"{len(published):,} clips: the same audio, text and words",
        [
            f"clip {name}: {'is not the same here' if name in now else 'is not there again'}"
            for name, content in published.items()
            if now.get(name) != content
        ],
    )
    duplicates = report["duplicates"]
    dropped = 0 if duplicates["kept"] else duplicates["equal"] + duplicates["nearly_equal"]
    missing = len(now.keys() - published.keys())
    findings.check(
        f"{dropped:,} clips that are not published, for their sentence is held out",
        [f"{missing:,} clips of this source are not published"] if missing != dropped else [],
    )


def _clip_sums(folder: Path) -> dict[str, bytes]:
    """A hash of each clip of a built folder, by its id."""
    return {
        row["id"]: hashlib.blake2b(repr(sorted(row.items())).encode(), digest_size=16).digest()
        for row in read_clips(folder)
    }


def _config(report: Report, models: dict[str, str]) -> BuildConfig:
    recorded = dict(report["config"])
    thresholds = Thresholds(**recorded.pop("thresholds"))
    if recorded["aligner"] == MMS_NAME:
        recorded["aligner"] = MMS
    names = {field.name for field in fields(BuildConfig)}
    config = {key: value for key, value in recorded.items() if key in names} | models
    for option in ("aligner", "tokenizer"):
        if FOLDER_VERSION in str(config[option]):
            raise UserError(
                f"{config[option]} was a folder of whoever built this: name yours with --{option}"
            )
    return BuildConfig(**config, thresholds=thresholds)
