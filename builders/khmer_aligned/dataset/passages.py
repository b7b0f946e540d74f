"""Texts that are of several recordings: the passage of each recording, and what nobody speaks.

The passages are found before anything is aligned, so that all that follows sees a recording with
the text that it speaks. Such recordings go through the aligner twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import datasets
import numpy as np

from khmer_aligned import aligners
from khmer_aligned.aligners.base import Aligner
from khmer_aligned.alignment import viterbi
from khmer_aligned.alignment.align import why_unusable
from khmer_aligned.alignment.passages import Passage, find_passage
from khmer_aligned.alignment.text_index import index_text
from khmer_aligned.clips.make import load_waveform
from khmer_aligned.console import note
from khmer_aligned.dataset.config import BuildConfig
from khmer_aligned.dataset.report import TextReport
from khmer_aligned.device import count_gpus
from khmer_aligned.errors import Failed, UserError
from khmer_aligned.recordings.builder import open_recordings
from khmer_aligned.recordings.corrections import Decision, correct, latest
from khmer_aligned.recordings.sources import Corpus
from khmer_aligned.recordings.timed import TimedText
from khmer_aligned.recordings.transcripts import read_transcript
from khmer_aligned.schema import RECORDING_FEATURES, Cue, Problem, Recording, cues_of
from khmer_aligned.stores import as_path

_BATCH = 8  # recordings that are decoded at once

Row = dict[str, Any]


@dataclass
class FindPassages:
    """Gives each row with a `text_file` the passage of it that the recording speaks.

    The function given to `Dataset.map`; a row of RECORDING_FEATURES in, the same row out. Where
    no passage is clear, the row has a problem.
    """

    aligner: str
    track: int
    _model: Aligner | None = field(default=None, repr=False)

    def __getstate__(self) -> Row:
        return {**self.__dict__, "_model": None}

    def __call__(self, batch: dict[str, list[Any]], rank: int | None = None) -> dict[str, list]:
        rows: list[Row] = [
            dict(zip(batch, values, strict=True)) for values in zip(*batch.values(), strict=True)
        ]
        if self._model is None:
            self._model = aligners.load(self.aligner, rank=rank)
        with ThreadPoolExecutor() as decoders:
            waveforms = list(decoders.map(lambda row: load_waveform(row, self.track), rows))
        usable: dict[int, np.ndarray] = {}
        for i, (row, waveform) in enumerate(zip(rows, waveforms, strict=True)):
            if isinstance(waveform, Failed):
                continue  # is said where it is aligned
            if failed := why_unusable(waveform):
                _fail(row, failed)
            else:
                usable[i] = waveform
        emissions = self._model.emissions(list(usable.values())) if usable else []
        for i, emission in zip(usable, emissions, strict=True):
            _set_passage(rows[i], emission, self._model)
        return {name: [row[name] for row in rows] for name in batch}


def settle_texts(
    recordings: datasets.Dataset, corpus: Corpus, config: BuildConfig, folder: Path
) -> tuple[datasets.Dataset, dict[str, TextReport]]:
    """The recordings with their passages of texts that are of several, and what became of these.

    Where there are such texts, `folder` keeps the rows of the result instead of those before.
    """
    if not any(recordings["text_file"]):
        return recordings, {}
    root = as_path(corpus.name)
    before = sorted(folder.rglob("*.arrow"))
    found = find_passages(recordings, config.aligner, config.track)
    reports = report_texts(found, root)
    found = correct_passages(found, corpus)
    add_unspoken(found, reports, root).save_to_disk(folder / "recordings")
    for path in {*before, *folder.rglob("cache-*.arrow")}:
        path.unlink()
    return open_recordings(folder), reports


def find_passages(recordings: datasets.Dataset, aligner: str, track: int = 1) -> datasets.Dataset:
    """The recordings, those of a text that is of several each with the passage that it speaks."""
    columns = (recordings[name][:] for name in ("text_file", "problem"))
    is_sought = [bool(file) and not problem for file, problem in zip(*columns, strict=True)]
    chosen, others = np.flatnonzero(is_sought), np.flatnonzero(np.logical_not(is_sought))
    if len(chosen) == 0:
        return recordings
    gpus = count_gpus()
    found = recordings.select(chosen).map(
        FindPassages(aligner, track),
        batched=True,
        batch_size=_BATCH,
        with_rank=True,
        num_proc=min(gpus, len(chosen)) if gpus > 1 else None,
        features=RECORDING_FEATURES,
        desc="Finding the passages of recordings",
    )
    joined = datasets.concatenate_datasets([found, recordings.select(others)])
    return joined.select(np.argsort(np.concatenate([chosen, others])))


def correct_passages(recordings: datasets.Dataset, corpus: Corpus) -> datasets.Dataset:
    """The recordings, the passages corrected by ear; corrections that do not apply are noted."""
    names = ("id", "text_file")
    of_passages = {
        id
        for id, file in zip(*(recordings[name][:] for name in names), strict=True)
        if file is not None
    }
    decisions_of: dict[str, list[Decision]] = {}
    for decision in latest(corpus.decisions()):
        if decision.recording in of_passages:
            decisions_of.setdefault(decision.recording, []).append(decision)
    if not decisions_of:
        return recordings

    def correct_row(row: Row) -> Row:
        decisions = decisions_of.get(row["id"])
        return row | _correct_row(row, decisions) if decisions else row

    corrected = recordings.map(
        correct_row, features=RECORDING_FEATURES, desc="Correcting the passages"
    )
    for stale in corrected["stale"]:
        for line in stale:
            note(f"{corpus.corrections}: not applied: {line}")
    return corrected


def _correct_row(row: Row, decisions: list[Decision]) -> Row:
    """What decisions change of a row with a passage."""
    recording = Recording(
        row["id"], row["recording"], None, row["text"], row["path"],
        problem=row["problem"], cues=cues_of(row),
        text_file=Path(row["text_file"]), text_start=row["text_start"],
    )  # fmt: skip
    corrected = correct(recording, decisions).recording
    return {
        "text": corrected.text,
        "cues": [asdict(cue) for cue in corrected.cues],
        "corrections": [asdict(item) for item in corrected.corrections],
        "stale": list(corrected.stale),
    }


def _fail(row: Row, failed: Failed) -> None:
    row |= {"problem": failed.category, "detail": failed.reason}


def _set_passage(row: Row, emission: np.ndarray, aligner: Aligner) -> None:
    """Write the passage that a recording speaks into its row, by its emission (T, V)."""
    name = as_path(row["text_file"]).name
    try:
        text, cues = _read(row["text_file"])
    except UserError as error:
        _fail(row, Failed.of(error))
        return
    greedy = viterbi.collapse(emission.argmax(axis=1).astype(np.int32), aligner.blank)
    passage = find_passage(greedy, index_text(text, aligner))
    if passage is None or not passage.is_clear:
        _fail(row, Failed(f"{name}: {_describe(passage)}", Problem.NOT_IN_TEXT))
        return
    first, last = passage.span
    inside = [cue for cue in cues if first <= cue.first and cue.last <= last]
    row["text"], row["text_start"] = text[first:last], first
    row["cues"] = [
        asdict(Cue(cue.first - first, cue.last - first, cue.start, cue.end)) for cue in inside
    ]


@lru_cache(maxsize=4)
def _read(file: str) -> TimedText:
    return read_transcript(as_path(file))


def _describe(passage: Passage | None) -> str:
    """Why a passage is not taken."""
    if passage is None:
        return "nothing of it is spoken"
    first, last = passage.span
    figures = passage.figures()
    return (
        f"the best passage, characters {first} to {last}, scores {figures['score']}, one elsewhere "
        f"{figures['second']}, and speech played backwards {figures['chance']}"
    )


def report_texts(recordings: datasets.Dataset, root: Path) -> dict[str, TextReport]:
    """What became of each text that is of several recordings, by its name in the source."""
    reports: dict[str, TextReport] = {}
    columns = ("text_file", "id", "text", "text_start")
    for file, id, text, start in zip(*(recordings[name][:] for name in columns), strict=True):
        if file is None:
            continue
        name = as_path(file).relative_to(root).as_posix()
        if name not in reports:
            reports[name] = {"characters": len(_text(file)), "passages": {}, "unspoken": []}
        if start is not None:
            reports[name]["passages"][id] = [start, start + len(text)]
    for name, report in reports.items():
        whole = _text(str(root / name))
        report["unspoken"] = list(_unspoken(report["passages"].values(), whole))
    return reports


def _text(file: str) -> str:
    """The text of a file; "" where it cannot be read, which its recordings say."""
    try:
        return _read(file).text
    except UserError:
        return ""


def _unspoken(passages: Iterable[list[int]], whole: str) -> Iterator[list[int]]:
    """The characters between passages, white space apart."""
    position = 0
    for first, last in [*sorted(passages), [len(whole), len(whole)]]:
        if whole[position:first].strip():
            yield [position, first]
        position = max(position, last)


def add_unspoken(
    recordings: datasets.Dataset, reports: dict[str, TextReport], root: Path
) -> datasets.Dataset:
    """The recordings, and a row without audio for each part of a text that nobody speaks."""
    rows = []
    for name, report in reports.items():
        for first, last in report["unspoken"]:
            stem = Path(name).with_suffix("").as_posix()
            rows.append(
                dict.fromkeys(RECORDING_FEATURES)
                | {
                    "id": f"{stem}-{first}-{last}",
                    "recording": stem,
                    "audio": {"bytes": None, "path": None},
                    "text": _text(str(root / name))[first:last],
                    "path": name,
                    "problem": Problem.UNSPOKEN_TEXT,
                    "detail": f"{name}: characters {first} to {last}",
                    "cues": [],
                    "corrections": [],
                    "stale": [],
                }
            )
    if not rows:
        return recordings
    unspoken = datasets.Dataset.from_list(rows, features=RECORDING_FEATURES)
    return datasets.concatenate_datasets([recordings, unspoken])
