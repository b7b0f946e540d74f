"""Recordings as a `datasets.Dataset`, by a builder that runs in process.

Loading scripts are gone from `datasets`, so the builder lives in this importable module:
`Recordings(cache_dir=..., source="my_recordings/").download_and_prepare()`, then `.as_dataset()`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import datasets

from khmer_aligned import sources
from khmer_aligned.schema import RECORDING_FEATURES


@dataclass
class RecordingsConfig(datasets.BuilderConfig):
    """`source` as `sources.find` takes it.

    The cache of `datasets` is keyed by these values and never looks at the files, so `sha256`
    (of everything the source holds) is one of them: changed recordings are read anew.
    """

    source: str = ""
    sha256: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.source and not self.sha256:
            self.sha256 = sources.find(self.source).sha256


class Recordings(datasets.GeneratorBasedBuilder):
    """Yields one row of `RECORDING_FEATURES` per recording, the audio still in its container."""

    BUILDER_CONFIG_CLASS = RecordingsConfig
    VERSION = datasets.Version("1.0.0")

    def _info(self) -> datasets.DatasetInfo:
        return datasets.DatasetInfo(features=RECORDING_FEATURES)

    def _split_generators(self, dl_manager: Any) -> list[datasets.SplitGenerator]:
        return [datasets.SplitGenerator("recordings")]

    def _generate_examples(self) -> Iterator[tuple[str, dict[str, Any]]]:
        corpus = sources.find(self.config.source)
        for index, recording in enumerate(sources.read(corpus)):
            row = asdict(recording)
            held = isinstance(recording.audio, bytes)
            row["audio"] = {
                "bytes": recording.audio if held else None,
                "path": None if held or recording.audio is None else str(recording.audio),
            }
            yield f"{index:09d}", row
