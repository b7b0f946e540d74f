"""What a build has to do: its identity, its recordings, and their division into shards."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import datasets
from datasets.exceptions import DatasetGenerationError

from khmer_aligned import aligners
from khmer_aligned.dataset import split
from khmer_aligned.dataset.config import BuildConfig
from khmer_aligned.errors import UserError
from khmer_aligned.hub.resolve import resolve
from khmer_aligned.recordings import sources
from khmer_aligned.recordings.builder import Recordings
from khmer_aligned.text import NORMALIZER_VERSION, SEGMENTER, find_speakers

# Characters of transcript in a shard: Khmer is read at 12 a second, so two and a half hours.
_SHARD_CHARACTERS = 100_000
_PACKAGES = ("datasets", "khmercut", "numba", "soundfile", "soxr", "torch", "torchaudio",
             "transformers", "uroman")  # fmt: skip


@dataclass(frozen=True)
class Plan:
    """A build that is to be done.

    identity: what decides its result, as build.json records it: the source, the configuration
    with pinned models, the versions. key: a hash of the identity.
    """

    corpus: sources.Corpus
    config: BuildConfig
    identity: dict[str, Any]
    key: str


def make_plan(source: str, config: BuildConfig) -> Plan:
    """Find the recordings and the models; raises UserError where one is missing."""
    corpus = sources.find(source)
    pinned = {
        "aligner": aligners.identity(config.aligner),
        "tokenizer": resolve(config.tokenizer, "model").identity,
    }
    identity = {
        "source": {"kind": corpus.kind, "content": corpus.content},
        "config": asdict(config) | pinned,
        "versions": _versions(),
    }
    key = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
    return Plan(corpus, config, identity, key)


def read_recordings(corpus: sources.Corpus, cache: Path) -> datasets.Dataset:
    """The rows of RECORDING_FEATURES of a corpus; `cache` keeps them for a build that goes on."""
    builder = Recordings(cache_dir=str(cache), source=corpus.name, corpus=corpus)
    try:
        builder.download_and_prepare()
    except DatasetGenerationError as error:
        cause = error.__cause__
        if isinstance(cause, UserError) or (isinstance(cause, OSError) and cause.errno):
            raise cause from None
        raise
    except OSError as error:
        if error.errno:
            raise
        raise UserError(f"{corpus.name}: {error}") from error  # a disk that `datasets` finds full
    recordings = builder.as_dataset(split="recordings")
    if len(recordings) == 0:
        raise UserError(f"{corpus.name}: holds no recording")
    return recordings


@dataclass(frozen=True)
class Grouping:
    """By the name of each recording: its group, which stays in one split, and the source's split.

    source_splits: of the recordings that the source put into one.
    """

    group_of: dict[str, str]
    source_splits: dict[str, str]


def group(recordings: datasets.Dataset) -> Grouping:
    """What decides the splits of the recordings.

    A dialogue joins its speakers, where the source names none for the recording. Raises UserError
    where the source puts one group into two splits.
    """
    columns = ("recording", "speaker", "content", "split", "text")
    names, speakers, contents, splits, texts = (recordings[column][:] for column in columns)
    voices = [
        (name, speaker, content)
        for name, source_speaker, content, text in zip(
            names, speakers, contents, texts, strict=True
        )
        for speaker in ([source_speaker] if source_speaker else find_speakers(text) or [None])
    ]
    group_of = split.find_groups(*zip(*voices, strict=True))
    split.assign([group_of[name] for name in names], [1] * len(names), splits)
    source_splits = {name: label for name, label in zip(names, splits, strict=True) if label}
    return Grouping(group_of, source_splits)


def divide(recordings: datasets.Dataset) -> list[datasets.Dataset]:
    """The shards: runs of recordings, about `_SHARD_CHARACTERS` of text in each."""
    characters = sum(len(text) for text in recordings["text"])
    count = min(len(recordings), -(-characters // _SHARD_CHARACTERS) or 1)
    return [recordings.shard(count, index, contiguous=True) for index in range(count)]


def _versions() -> dict[str, str]:
    return {
        "khmer-aligned": version("khmer-aligned"),
        "normalizer": NORMALIZER_VERSION,
        "segmenter": SEGMENTER,
        **{package: version(package) for package in _PACKAGES},
    }
