"""Recordings to a folder in the Hub's own layout, shard by shard, with the balance.

The unit of work is a shard of recordings. Its parquet file and its record are written whole or
not at all, so a build that was killed goes on at the shard it was in, and ends with the same
bytes as one that was not.
"""

from __future__ import annotations

import hashlib
import json
import math
import shutil
from collections import Counter
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import datasets
import pyarrow.parquet as pq
import torch

from khmer_aligned import aligners
from khmer_aligned.alignment.thresholds import Thresholds
from khmer_aligned.clips.labels import LabelCounter
from khmer_aligned.clips.make import OUTCOME_FEATURES, MakeClips
from khmer_aligned.dataset import card, split
from khmer_aligned.dataset.report import balance
from khmer_aligned.errors import UserError
from khmer_aligned.files import lock_folder, write_whole
from khmer_aligned.hub.resolve import resolve
from khmer_aligned.recordings import sources
from khmer_aligned.recordings.builder import Recordings
from khmer_aligned.schema import CLIP_FEATURES, MAX_CLIP_TOKENS, MAX_LABEL_TOKENS, SPLITS
from khmer_aligned.text import NORMALIZER_VERSION, SEGMENTER

# Characters of transcript in a shard, and in one call of the aligner: Khmer is read at 12 a
# second, so these are about two and a half hours and half an hour.
_SHARD_CHARACTERS = 100_000
_BATCH_CHARACTERS = 20_000
_FILE_SECONDS = 3 * 3600  # of audio, about 200 MB, in a published file
_MAX_BATCH = 256  # recordings
_ROW_GROUP = 100  # clips: what a reader of the published files fetches at least
_PACKAGES = ("datasets", "khmercut", "numba", "soundfile", "soxr", "torch", "torchaudio",
             "transformers", "uroman")  # fmt: skip
_RECORD = "build.json"
_WORK = ".work"


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
        "source": {"kind": corpus.kind, "content": corpus.content},
        "config": asdict(config)
        | {
            "aligner": aligners.identity(config.aligner),
            "tokenizer": resolve(config.tokenizer, "model").identity,
        },
        "versions": _versions(),
    }
    key = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
    if (finished := _finished(out, key)) is not None:
        shutil.rmtree(out / _WORK, ignore_errors=True)  # of one that was killed in its last line
        return finished
    # A tokenizer that cannot be loaded is said now, not after the first shard is aligned.
    LabelCounter(config.tokenizer)
    work = _work_folder(out, key)

    with lock_folder(work):
        report = {"key": key} | identity | _filled(source, corpus, config, work, out)
        write_whole(out / "README.md", card.fill(report))
        write_whole(out / _RECORD, json.dumps(report, ensure_ascii=False, indent=2))
    shutil.rmtree(work)
    return report


def _filled(
    source: str, corpus: sources.Corpus, config: Config, work: Path, out: Path
) -> dict[str, Any]:
    """Write clips and rejections into `out`; returns the balance and the splits' sizes.

    What an earlier run has aligned lies in `work`.
    """
    builder = Recordings(cache_dir=str(work / "cache"), source=source, corpus=corpus)
    builder.download_and_prepare()
    recordings = builder.as_dataset(split="recordings")
    if len(recordings) == 0:
        raise UserError(f"{source}: holds no recording")
    given = _given_splits(recordings)
    make_clips = MakeClips(
        config.aligner, config.tokenizer, config.max_tokens, config.offset, config.thresholds
    )
    shards = [
        (work / f"aligned-{i:05d}.parquet", part) for i, part in enumerate(_shards(recordings))
    ]
    tallies = [
        _align(part, path, f"Aligning shard {i}/{len(shards)}", make_clips)
        for i, (path, part) in enumerate(shards, start=1)
    ]
    report = balance(tallies)
    clips = datasets.Dataset.from_parquet(
        [str(path) for path, _ in shards], features=CLIP_FEATURES, cache_dir=str(work / "cache")
    )
    report["splits"] = _write_splits(clips, given, config.seed, out)
    rejected = "".join(line + "\n" for tally in tallies for line in tally["rejections"])
    write_whole(out / "rejected.jsonl", rejected)
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
    if report["key"] != key:
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
    write_whole(work / "key", key)
    return work


def _given_splits(recordings: datasets.Dataset) -> dict[str, str | None]:
    """The split that the source put each recording into; said now where it contradicts itself."""
    columns = [recordings[name][:] for name in ("recording", "speaker", "split")]
    names, speakers, splits = columns
    groups = [_group(name, speaker) for name, speaker in zip(names, speakers, strict=True)]
    split.assign(groups, [1] * len(groups), splits)
    return {name: given for name, given in zip(names, splits, strict=True) if given}


def _group(recording: str, speaker: str | None) -> str:
    return f"speaker {speaker}" if speaker else f"recording {recording}"


def _shards(recordings: datasets.Dataset) -> list[datasets.Dataset]:
    characters = sum(len(text) for text in recordings["text"])
    count = min(len(recordings), -(-characters // _SHARD_CHARACTERS) or 1)
    return [recordings.shard(count, i, contiguous=True) for i in range(count)]


def _align(part: datasets.Dataset, path: Path, label: str, make_clips: MakeClips) -> dict[str, Any]:
    """The clips of one shard into `path`, unless they are there; returns its tally."""
    record = path.with_suffix(".json")
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
        desc=label,
    )
    rejections = [r for r in outcomes["rejection"] if r is not None]
    clips = outcomes.select([i for i, r in enumerate(outcomes["rejection"]) if r is None])
    counts = {"clips": len(clips)}
    for unit in ("samples", "characters"):
        counts[unit] = sum(n or 0 for n in outcomes[f"recording_{unit}"])
        counts[f"clip_{unit}"] = sum(clips[unit])
        counts[f"rejected_{unit}"] = sum(outcomes[unit]) - sum(clips[unit])
    _write_parquet(clips.select_columns(list(CLIP_FEATURES)), path)
    tally = {"counts": counts, "rejections": rejections}
    write_whole(record, json.dumps(tally, ensure_ascii=False))
    return tally


def _write_splits(
    clips: datasets.Dataset, given: dict[str, str | None], seed: int, out: Path
) -> dict[str, dict[str, float]]:
    """The clips of all shards into the files of each split; returns the splits' sizes.

    Splits are made of what became clips, so that none of them is empty.
    """
    seconds: Counter[str] = Counter()
    group_of = {}
    recording_of = clips["recording"][:]
    for name, speaker, duration in zip(
        recording_of, clips["speaker"][:], clips["duration"][:], strict=True
    ):
        group_of[name] = _group(name, speaker)
        seconds[name] += duration
    names = sorted(seconds)
    assigned = split.assign(
        [group_of[name] for name in names],
        [round(seconds[name]) for name in names],
        [given.get(name) for name in names],
        seed,
    )
    split_of = dict(zip(names, assigned, strict=True))
    sizes = {}
    for label in SPLITS:
        own = [name for name in names if split_of[name] == label]
        if not own:
            continue
        rows = clips.select([i for i, n in enumerate(recording_of) if split_of[n] == label])
        total = sum(seconds[name] for name in own)
        count = min(len(rows), math.ceil(total / _FILE_SECONDS))
        bytes_read = bytes_stored = 0
        for i in range(count):
            path = out / "data" / f"{label}-{i:05d}-of-{count:05d}.parquet"
            _write_parquet(rows.shard(count, i, contiguous=True), path)
            bytes_stored += path.stat().st_size
            groups = pq.read_metadata(path)
            bytes_read += sum(
                groups.row_group(g).total_byte_size for g in range(groups.num_row_groups)
            )
        sizes[label] = {
            "recordings": len(own),
            "clips": len(rows),
            "seconds": round(total, 2),
            "bytes": bytes_read,
            "stored_bytes": bytes_stored,
        }
    return sizes


def _write_parquet(clips: datasets.Dataset, path: Path) -> None:
    partial = path.with_name(path.name + ".partial")
    datasets.disable_progress_bars()  # one for each file says nothing
    clips.to_parquet(partial, batch_size=_ROW_GROUP)
    datasets.enable_progress_bars()
    partial.replace(path)
