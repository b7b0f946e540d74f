"""Recordings to a folder in the Hub's own layout, shard by shard, with the balance.

The unit of work is a shard of recordings. Its parquet file and its record are written whole or
not at all, so a build that was killed goes on at the shard it was in, and ends with the same
bytes as one that was not.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import datasets
import torch

from khmer_aligned import aligners, card, hub, sources, split
from khmer_aligned.builder import Recordings
from khmer_aligned.clips import OUTCOME_FEATURES, MakeClips
from khmer_aligned.quality import Thresholds
from khmer_aligned.schema import (
    CLIP_FEATURES,
    MAX_CLIP_TOKENS,
    MAX_LABEL_TOKENS,
    SAMPLE_RATE,
    SPLITS,
    UserError,
)
from khmer_aligned.text import NORMALIZER_VERSION, SEGMENTER
from khmer_aligned.tokens import TokenCounter

# Characters of transcript in a shard, and in one call of the aligner: Khmer is read at 12 a
# second, so these are about two and a half hours and half an hour.
_SHARD_CHARACTERS = 100_000
_BATCH_CHARACTERS = 20_000
_MAX_BATCH = 256  # recordings
_ROW_GROUP = 100  # clips: what a reader of the published files fetches at least
_PACKAGES = ("datasets", "khmercut", "numba", "soundfile", "soxr", "torch", "torchaudio",
             "transformers", "uroman")  # fmt: skip
_RECORD = "build.json"
_WORK = ".work"
_SHOWN_REASONS = 10


@dataclass(frozen=True)
class Config:
    """All that decides what a build gives, besides its recordings."""

    aligner: str = "mms"
    tokenizer: str = "openai/whisper-small"
    max_tokens: int = MAX_CLIP_TOKENS
    offset: float | None = None
    seed: int = 0  # of the split
    thresholds: Thresholds = field(default_factory=Thresholds)

    def __post_init__(self) -> None:
        if not 1 <= self.max_tokens <= MAX_LABEL_TOKENS:
            raise UserError(
                f"--max-tokens {self.max_tokens}: has to be 1 to {MAX_LABEL_TOKENS}, which is "
                "what Whisper's decoder holds"
            )


def build(source: str, out: Path, config: Config) -> dict[str, Any]:
    """Build the folder `out` from `source`, or go on with it; returns what build.json holds.

    A folder that holds another build is never overwritten.
    """
    corpus = sources.find(source)
    identity = {
        "source": {"kind": corpus.kind, "sha256": corpus.sha256},
        "config": asdict(config)
        | {
            "aligner": aligners.identity(config.aligner),
            "tokenizer": hub.resolve(config.tokenizer, "model").identity,
        },
        "versions": _versions(),
    }
    key = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
    if (finished := _finished(out, key)) is not None:
        return finished
    work = _work_folder(out, key)
    # A tokenizer that cannot be loaded is said now, not after the first shard is aligned.
    TokenCounter(config.tokenizer)

    builder = Recordings(cache_dir=str(work / "cache"), source=source, sha256=corpus.sha256)
    builder.download_and_prepare()
    recordings = builder.as_dataset(split="recordings")
    if len(recordings) == 0:
        raise UserError(f"{source}: holds no recording")
    splits = _splits(recordings, config.seed)
    make_clips = MakeClips(
        config.aligner, config.tokenizer, config.max_tokens, config.offset, config.thresholds
    )
    tallies = [
        _shard(part, path, label, make_clips, work)
        for label, path, part in _shards(recordings, splits, out)
    ]
    report = identity | _balance(tallies)
    with (work / "rejected.jsonl").open("w", encoding="utf-8") as file:
        for tally in tallies:
            file.writelines(line + "\n" for line in tally["rejections"])
    (work / "rejected.jsonl").replace(out / "rejected.jsonl")
    (out / "README.md").write_text(card.fill(report), encoding="utf-8")
    shutil.rmtree(work)
    _write_whole(out / _RECORD, json.dumps({"key": key} | report, ensure_ascii=False, indent=2))
    return report


def _versions() -> dict[str, str]:
    return {
        "khmer-aligned": version("khmer-aligned"),
        "normalizer": NORMALIZER_VERSION,
        "segmenter": SEGMENTER,
        **{package: version(package) for package in _PACKAGES},
    }


def _finished(out: Path, key: str) -> dict[str, Any] | None:
    if not (out / _RECORD).is_file():
        return None
    report = json.loads((out / _RECORD).read_text(encoding="utf-8"))
    if report.pop("key") != key:
        raise UserError(
            f"{out}: holds a build of other recordings, settings or versions; name a new folder, "
            "or remove this one"
        )
    return report


def _work_folder(out: Path, key: str) -> Path:
    work = out / _WORK
    if out.exists() and not out.is_dir():
        raise UserError(f"{out}: is a file; name a folder to build into")
    if out.is_dir() and any(out.iterdir()) and not (work / "key").is_file():
        raise UserError(f"{out}: holds other files; name a new folder")
    if (work / "key").is_file() and (work / "key").read_text() != key:
        raise UserError(
            f"{out}: holds an unfinished build of other recordings, settings or versions; name a "
            "new folder, or remove this one"
        )
    (out / "data").mkdir(parents=True, exist_ok=True)
    work.mkdir(exist_ok=True)
    _write_whole(work / "key", key)
    return work


def _splits(recordings: datasets.Dataset, seed: int) -> list[str]:
    return split.assign(
        [
            f"speaker {speaker}" if speaker else f"recording {recording}"
            for speaker, recording in zip(
                recordings["speaker"], recordings["recording"], strict=True
            )
        ],
        [len(text) for text in recordings["text"]],
        list(recordings["split"]),
        seed,
    )


def _shards(
    recordings: datasets.Dataset, splits: list[str], out: Path
) -> Iterator[tuple[str, Path, datasets.Dataset]]:
    for name in SPLITS:
        rows = [i for i, given in enumerate(splits) if given == name]
        if not rows:
            continue
        part = recordings.select(rows)
        characters = sum(len(text) for text in part["text"])
        count = min(len(part), -(-characters // _SHARD_CHARACTERS) or 1)
        for i in range(count):
            path = out / "data" / f"{name}-{i:05d}-of-{count:05d}.parquet"
            yield f"{name} {i + 1}/{count}", path, part.shard(count, i, contiguous=True)


def _shard(
    part: datasets.Dataset, path: Path, label: str, make_clips: MakeClips, work: Path
) -> dict[str, Any]:
    """Align one shard into `path`, unless that is done; returns its tally."""
    record = work / f"{path.stem}.json"
    if path.is_file() and record.is_file():
        return json.loads(record.read_text(encoding="utf-8"))
    characters = max(1, sum(len(text) for text in part["text"]))
    batch = min(_MAX_BATCH, max(1, _BATCH_CHARACTERS * len(part) // characters))
    gpus = torch.cuda.device_count()  # does not initialize CUDA, which could not be forked then
    outcomes = part.map(
        make_clips,
        batched=True,
        batch_size=batch,
        with_rank=True,
        num_proc=min(gpus, len(part)) if gpus > 1 else None,
        remove_columns=part.column_names,
        features=OUTCOME_FEATURES,
        keep_in_memory=True,
        desc=f"Aligning {label}",
    )
    rejections = [json.loads(r) for r in outcomes["rejection"] if r is not None]
    clips = outcomes.select([i for i, r in enumerate(outcomes["rejection"]) if r is None])
    tally = {
        "split": path.name.split("-")[0],
        "recordings": len(part),
        "clips": len(clips),
        "clip_samples": sum(clips["samples"]),
        "clip_characters": sum(clips["characters"]),
        "samples": sum(n or 0 for n in outcomes["recording_samples"]),
        "characters": sum(n or 0 for n in outcomes["recording_characters"]),
        "rejected_samples": sum(outcomes["samples"]) - sum(clips["samples"]),
        "rejected_characters": sum(outcomes["characters"]) - sum(clips["characters"]),
        "rejections": [json.dumps(r, ensure_ascii=False) for r in rejections],
    }
    partial = work / path.name
    # The bar of the alignment stands for all of a shard's work.
    datasets.disable_progress_bars()
    clips.select_columns(list(CLIP_FEATURES)).to_parquet(partial, batch_size=_ROW_GROUP)
    datasets.enable_progress_bars()
    partial.replace(path)
    _write_whole(record, json.dumps(tally, ensure_ascii=False))
    return tally


def _balance(tallies: list[dict[str, Any]]) -> dict[str, Any]:
    """What came in against what came out; the build fails where they differ."""
    total: Counter[str] = Counter()
    splits: dict[str, Counter[str]] = {}
    reasons: dict[str, Counter[str]] = {}
    for tally in tallies:
        numbers = Counter({name: n for name, n in tally.items() if isinstance(n, int)})
        total.update(numbers)
        splits.setdefault(tally["split"], Counter()).update(numbers)
        for line in tally["rejections"]:
            row = json.loads(line)
            own = reasons.setdefault(row["reason"], Counter())
            own["stretches"] += 1
            own["seconds"] += (row["end"] or 0) - (row["start"] or 0)
            own["characters"] += len(row["text"])
    for unit in ("samples", "characters"):
        went = total[f"clip_{unit}"] + total[f"rejected_{unit}"]
        if total[unit] != went:
            raise RuntimeError(f"{total[unit]} {unit} came in and {went} came out: a fault here")
    if total["clips"] == 0:
        worst = max(reasons.items(), key=lambda item: item[1]["characters"])[0]
        raise UserError(f"nothing became a clip; most of the text was rejected for: {worst}")
    return {
        "splits": {
            name: {
                "recordings": own["recordings"],
                "clips": own["clips"],
                "seconds": round(own["clip_samples"] / SAMPLE_RATE, 2),
            }
            for name, own in splits.items()
        },
        "balance": {
            unit: {
                "in": total[unit],
                "clips": total[f"clip_{unit}"],
                "rejected": total[f"rejected_{unit}"],
            }
            for unit in ("samples", "characters")
        },
        "rejected": {
            reason: {name: round(n, 2) for name, n in own.items()}
            for reason, own in sorted(reasons.items())
        },
    }


def _write_whole(path: Path, text: str) -> None:
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)


def summary(report: dict[str, Any]) -> str:
    """A build's numbers as a table for the screen."""
    lines = [f"{'split':<12}{'recordings':>11}{'clips':>8}{'minutes':>9}"]
    for name, own in report["splits"].items():
        minutes = own["seconds"] / 60
        lines.append(f"{name:<12}{own['recordings']:>11,}{own['clips']:>8,}{minutes:>9,.1f}")
    audio, text = report["balance"]["samples"], report["balance"]["characters"]
    lines.append(
        f"kept {audio['clips'] / audio['in']:.1%} of the audio and "
        f"{text['clips'] / max(1, text['in']):.1%} of the text; rejected (see rejected.jsonl):"
    )
    by_seconds = sorted(report["rejected"].items(), key=lambda item: -item[1]["seconds"])
    for reason, own in by_seconds[:_SHOWN_REASONS]:
        minutes = own["seconds"] / 60
        lines.append(f"{own['stretches']:>8,} {minutes:>8,.1f} min  {reason}")
    if len(by_seconds) > _SHOWN_REASONS:
        lines.append(f"         and {len(by_seconds) - _SHOWN_REASONS} further reasons")
    return "\n".join(lines)
