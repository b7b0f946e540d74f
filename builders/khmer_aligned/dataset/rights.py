"""Whose the recordings are: what a source states for each, and what that means for a licence."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any, TypedDict

import datasets

from khmer_aligned.aligners.licences import note
from khmer_aligned.files import write_whole

RECORD = "recordings.jsonl"  # a line for each recording of which the source states something


class Rights(TypedDict):
    """What the sources of a build state: the number of recordings by licence, and by source.

    Recordings of which nothing is stated are counted under "".
    """

    licences: dict[str, int]
    sources: dict[str, int]


def write_rights(recordings: datasets.Dataset, out: Path) -> Rights:
    """Write out/recordings.jsonl, where the source states anything, and sum it up."""
    columns = ("recording", "licence", "source")
    stated = zip(*(recordings[column][:] for column in columns), strict=True)
    by_recording = {name: (licence or "", source or "") for name, licence, source in stated}
    lines = [
        json.dumps({"recording": name, "licence": licence, "source": source}, ensure_ascii=False)
        for name, (licence, source) in by_recording.items()
        if licence or source
    ]
    if lines:
        write_whole(out / RECORD, "\n".join(lines) + "\n")
    licences = Counter(licence for licence, _ in by_recording.values())
    sources = Counter(source for _, source in by_recording.values())
    return {"licences": dict(sorted(licences.items())), "sources": dict(sorted(sources.items()))}


def describe_rights(report: dict[str, Any]) -> str:
    """What is known of the rights in a dataset, for whoever has to choose its licence."""
    parts = []
    licences = dict(report.get("rights", {}).get("licences", {}))
    unstated = licences.pop("", 0)
    if licences:
        stated = ", ".join(f"{name} ({count} recordings)" for name, count in licences.items())
        rest = f", and nothing for {unstated}" if unstated else ""
        parts.append(f"The sources state {stated}{rest}: the strictest of these binds the whole.")
    else:
        parts.append(
            "The sources state no licence: only who holds the rights in them can give one."
        )
    if "aligner_licence" in report:  # builds of earlier versions do not state it
        parts.append(note(report["aligner_licence"]))
    return " ".join(parts)


def read_rights(folder: Path) -> str:
    """`describe_rights` of a built folder; "" where it has no build.json."""
    record = folder / "build.json"
    if not record.is_file():
        return ""
    return describe_rights(json.loads(record.read_text(encoding="utf-8")))
