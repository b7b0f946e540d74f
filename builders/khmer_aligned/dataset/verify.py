"""Whether the published files of a dataset hold what they say: no source is needed."""

from __future__ import annotations

import hashlib
import io
import json
import math
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import soundfile

from khmer_aligned.dataset.card import render_tasks, renew_card
from khmer_aligned.dataset.parquet import uncompressed_size
from khmer_aligned.dataset.report import UNITS, Report
from khmer_aligned.dataset.statistics import file_sums, measure, shards_of
from khmer_aligned.errors import UserError
from khmer_aligned.findings import Findings, compare_tables, compare_texts
from khmer_aligned.hub.cards import without_licence
from khmer_aligned.schema import SAMPLE_RATE, SPLITS

TOLERANCE = (
    0.021  # seconds by which a word may pass its neighbour or its clip: a frame of the model
)
FILES = ("README.md", "build.json", "rejected.jsonl")

Row = dict[str, Any]


def read_report(folder: Path) -> Report:
    """build.json. Raises UserError where the folder is no built dataset."""
    for name in FILES:
        if not (folder / name).is_file():
            raise UserError(f"{folder}: has no {name}: it was not built by khmer-aligned build")
    report: Report = json.loads((folder / "build.json").read_text(encoding="utf-8"))
    needed = {"balance", "splits", "statistics", "rights", "files", "duplicates", "increment"}
    missing = needed - set(report)
    if missing:
        raise UserError(f"{folder}: its build.json is of an earlier version: no {min(missing)}")
    return report


def verify(folder: Path) -> Findings:
    """Check a built folder: sums, balance, each clip, splits, and every number of the card."""
    report, findings = read_report(folder), Findings()
    findings.check(
        f"the sums of {len(report['files'])} files",
        compare_tables("build.json: files", report["files"], file_sums(folder)),
    )
    findings.check("the key of the build", _key_differences(report))
    clips = _Clips()
    differences = [line for row in read_clips(folder) for line in clips.differences(row)]
    findings.check(
        f"{clips.count:,} clips: audio of the duration, words inside it, spans, ids", differences
    )
    findings.check("the balance of audio and text", _balance_differences(folder, report, clips))
    findings.check("the numbers of the splits", _split_differences(folder, report))
    findings.check("no recording is in two splits", _leaks(report))
    findings.check("every line of the card", _card_differences(folder, report))
    return findings


class _Clips:
    """What the clips that were checked add up to."""

    def __init__(self) -> None:
        self.count = self.samples = 0
        self.ids: set[str] = set()

    def differences(self, row: Row) -> Iterator[str]:
        """What is wrong with one clip."""
        name, duration = row["id"], row["duration"]
        self.count += 1
        if name in self.ids:
            yield f"clip {name}: the id is there twice"
        self.ids.add(name)
        try:
            samples, rate = soundfile.read(io.BytesIO(row["audio"]["bytes"] or b""), dtype="int16")
        except (soundfile.LibsndfileError, RuntimeError) as error:
            yield f"clip {name}: its audio cannot be decoded ({error})"
            return
        self.samples += len(samples)
        if rate != SAMPLE_RATE or samples.ndim != 1:
            yield f"clip {name}: its audio is not mono at {SAMPLE_RATE} Hz"
        if abs(len(samples) / rate - duration) > 1e-3:
            yield f"clip {name}: {len(samples) / rate:.3f} s of audio, and it says {duration:.3f} s"
        if abs(row["end"] - row["start"] - duration) > 1e-3:
            yield f"clip {name}: start and end are not its duration apart"
        yield from self._text_differences(row)

    @staticmethod
    def _text_differences(row: Row) -> Iterator[str]:
        name, words = row["id"], row["words"]
        if not name.startswith(row["recording"]):
            yield f"clip {name}: is not of recording {row['recording']}"
        if not row["text"].strip():
            yield f"clip {name}: has no text"
        ends = [0.0, *(word["end"] for word in words)]
        limit = row["duration"] + TOLERANCE
        for word, before in zip(words, ends, strict=False):
            if not before - TOLERANCE <= word["start"] <= word["end"] <= limit:
                yield f"clip {name}: the word {word['text']} is not where it says"
            if not 0 <= word["score"] <= 1:
                yield f"clip {name}: the word {word['text']} has a score of {word['score']}"
        at = 0
        for word in words:  # in the spoken text, the words follow each other
            at = row["spoken"].find(word["text"], at)
            if at < 0:
                yield f"clip {name}: the word {word['text']} is not in its spoken text"
                return
            at += len(word["text"])


def read_clips(folder: Path) -> Iterator[Row]:
    """The rows of all clips of a built folder."""
    for split in SPLITS:
        for shard in shards_of(folder, split):
            for batch in pq.ParquetFile(shard).iter_batches(batch_size=64):
                yield from batch.to_pylist()


def _key_differences(report: Report) -> list[str]:
    identity = {name: report[name] for name in ("source", "config", "versions")}
    key = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
    return [] if key == report["key"] else ["build.json: its key is not that of its configuration"]


def _balance_differences(folder: Path, report: Report, clips: _Clips) -> list[str]:
    differences = []
    for unit in UNITS:
        balance = report["balance"][unit]
        if balance["in"] != balance["clips"] + balance["rejected"]:
            differences.append(f"build.json: {unit} in are not those in clips and those rejected")
    kept = report["balance"]["samples"]["clips"]
    if clips.samples != kept:
        differences.append(
            f"build.json: {kept:,} samples in clips, and they hold {clips.samples:,}"
        )
    lines = (folder / "rejected.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    characters = sum(len(row["text"]) for row in rows)
    if characters != report["balance"]["characters"]["rejected"]:
        differences.append(f"rejected.jsonl: its {characters:,} characters are not build.json's")
    seconds = math.fsum((row["end"] or 0) - (row["start"] or 0) for row in rows)
    rejected = report["balance"]["samples"]["rejected"] / SAMPLE_RATE
    if abs(seconds - rejected) > 1e-3 * max(1, len(rows)):
        differences.append(f"rejected.jsonl: {seconds:.2f} s, and build.json says {rejected:.2f} s")
    counted = Counter(row["reason"] for row in rows)
    said = {name: reason["stretches"] for name, reason in report["rejected"].items()}
    return differences + compare_tables("build.json: rejected", said, dict(counted))


def _split_differences(folder: Path, report: Report) -> list[str]:
    statistics = measure(folder)
    sizes = {
        name: {
            "recordings": split["recordings"],
            "clips": split["clips"],
            "seconds": split["seconds"],
            "bytes": sum(map(uncompressed_size, shards_of(folder, name))),
            "stored_bytes": sum(path.stat().st_size for path in shards_of(folder, name)),
        }
        for name, split in statistics["splits"].items()
    }
    return [
        *compare_tables("build.json: splits", report["splits"], sizes),
        *compare_tables("build.json: statistics", report["statistics"], statistics),
    ]


def _leaks(report: Report) -> list[str]:
    shared = report["statistics"]["shared_recordings"]
    return [f"{shared} recordings are in more than one split"] if shared else []


def _card_differences(folder: Path, report: Report) -> list[str]:
    card = folder / "README.md"
    text = card.read_text(encoding="utf-8")
    expected = renew_card(report, card)
    differences = compare_texts("README.md", without_licence(text), without_licence(expected))
    tasks = folder / "eval.yaml"
    if not tasks.is_file():
        return [*differences, "eval.yaml is missing"]
    return differences + compare_texts(
        "eval.yaml", tasks.read_text(encoding="utf-8"), render_tasks(report)
    )
