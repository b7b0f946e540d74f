"""Aligners trained with and without what keeps letters in their places: their times.

    python tests/benchmarks/bench_train_aligner.py train DATASET OUT [--lag SECONDS] [--epochs N]
    python tests/benchmarks/bench_train_aligner.py judge OUT LABELLED STAND_IN
    python tests/benchmarks/bench_train_aligner.py compare BUILD BUILD
    python tests/benchmarks/bench_train_aligner.py refine BUILD LABELLED STAND_IN --lag SECONDS

`train` trains all the variants on a built DATASET side by side, on one GPU where there is one, and
writes them, in half precision, into two archives in OUT. `judge` aligns the sentences in LABELLED
(../shared/data/keosaly_labelled), joined to recordings of some minutes, with each of them and with
the aligner that the dataset was built with, and prints a table: nothing is taken off any time.
`compare` says what a second build with another aligner changes. `refine` moves the word times that
STAND_IN gives the labelled sentences to where the sound changes, as train-aligner does with those
that it learns from: learned from clips of BUILD, in several amounts, all times off by the same, and
spoiled audio.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import time
from dataclasses import replace
from difflib import SequenceMatcher
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from datasets import Dataset

if TYPE_CHECKING:
    from conditions import Condition

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / name) for name in ("builders", "training", "tests")]

NONE = {"targets": 0, "priors": 0, "tolerance": 0, "refine": 0}
VARIANTS: dict[str, dict[str, float]] = {
    "neither": NONE,
    "priors": NONE | {"priors": 0.3},
    "targets": NONE | {"targets": 1},
    "targets and priors": NONE | {"targets": 1, "priors": 0.3},
    "targets and limited delay": NONE | {"targets": 1, "tolerance": 0.04},
    "all three": NONE | {"targets": 1, "priors": 0.3, "tolerance": 0.02},
    "all three, words moved": {"targets": 1, "priors": 0.3, "tolerance": 0.02, "refine": 0.1},
}
SPOILED = ("pink noise, 10 dB", "music, 10 dB", "reverberation, 0.5 s", "telephone")
GROUP = 30  # sentences in a recording
# Run by each training. Where numba is missing an aligner can be trained on the times that the
# dataset has, but not judged.
_TRAIN = """
import ast, importlib.util, sys
from pathlib import Path
from unittest.mock import MagicMock
judged = importlib.util.find_spec("numba") is not None
if not judged:
    for name in ("numba", "numba.core", "numba.core.types", "numba.extending", "llvmlite"):
        sys.modules[name] = MagicMock()
import torch
from khmer_whisper.ctc import training
from khmer_whisper.ctc.config import CtcConfig
if not judged:
    training.judge = lambda *_: None
torch.set_num_threads(1)
out, settings = sys.argv[1:]
result = training.train_aligner(CtcConfig(**ast.literal_eval(settings)), Path(out))
print(result.judgement.summary() if result.judgement else f"{result.steps} steps, not judged")
"""


@click.group()
def main() -> None:
    """Aligners trained in several ways, compared."""


@main.command()
@click.argument("dataset", type=click.Path(path_type=Path, exists=True))
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--lag", default=0.0, help="Seconds that DATASET's word times are late.")
@click.option("--epochs", default=18.0)
@click.option("--batch-size", default=32)
@click.option("--workers", default=2, help="Processes that read clips, of each training.")
@click.option("--seconds", default=500, help="Trainings that are not done then are ended.")
def train(
    dataset: Path,
    out: Path,
    lag: float,
    epochs: float,
    batch_size: int,
    workers: int,
    seconds: int,
) -> None:
    """Train the variants side by side."""
    out.mkdir(parents=True, exist_ok=True)
    work = Path(os.environ.get("TMPDIR", "/tmp")) / "bench_train_aligner"
    shutil.rmtree(work, ignore_errors=True)
    _copy_earlier(dataset, work / "dataset", lag)
    began = time.monotonic()
    path = os.pathsep.join(str(ROOT / name) for name in ("builders", "training"))
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(filter(None, [path, os.environ.get("PYTHONPATH")])),
        "OMP_NUM_THREADS": "1",
    }
    running = {}
    for name, settings in VARIANTS.items():
        if settings["refine"] and find_spec("numba") is None:
            print(f"{name}: needs numba, which is missing here")
            continue
        folder = work / name.replace(" ", "_")
        config = settings | {
            "dataset": str(work / "dataset"),
            "epochs": epochs,
            "batch_size": batch_size,
            "workers": workers,
        }
        with (out / f"{folder.name}.log").open("w") as log:
            running[folder] = subprocess.Popen(
                [sys.executable, "-c", _TRAIN, str(folder), repr(config)],
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
    finished = []
    for folder, process in running.items():
        try:
            process.wait(max(1, seconds - (time.monotonic() - began)))
        except subprocess.TimeoutExpired:
            process.kill()
        written = out / f"{folder.name}.log"
        last = written.read_text()[-300:].strip()
        print(f"{folder.name}: {time.monotonic() - began:.0f} s, {last}")
        if process.returncode == 0:
            finished.append(folder)
        written.unlink()
    half = -(-len(finished) // 2)
    for number, folders in enumerate((finished[:half], finished[half:])):
        with tarfile.open(out / f"aligners{number}.tar", "w") as archive:
            for folder in folders:
                _halve(folder)
                archive.add(folder, folder.name)


def _copy_earlier(dataset: Path, copy: Path, lag: float) -> None:
    """A built dataset with the word times of all its clips earlier by `lag` seconds."""
    (copy / "data").mkdir(parents=True)
    shutil.copy(dataset / "README.md", copy)
    for path in (dataset / "data").glob("*.parquet"):
        table = pq.read_table(path)
        words = [_later(clip, -lag) for clip in table["words"].to_pylist()]
        place = table.schema.get_field_index("words")
        column = pa.array(words, type=table.schema.field("words").type)
        pq.write_table(
            table.set_column(place, table.schema.field("words"), column), copy / "data" / path.name
        )


def _later(words: list[dict], seconds: float) -> list[dict]:
    """A clip's words, all later by `seconds`."""
    return [
        word | {key: max(0.0, word[key] + seconds) for key in ("start", "end")} for word in words
    ]


def _halve(folder: Path) -> None:
    """Weights in float16, and nothing that an aligner does not need."""
    import torch
    from safetensors.torch import load_file, save_file

    weights = load_file(folder / "model.safetensors")
    halved = {
        name: tensor.half() if tensor.dtype == torch.float32 else tensor
        for name, tensor in weights.items()
    }
    save_file(halved, folder / "model.safetensors", metadata={"format": "pt"})


@main.command()
@click.argument("out", type=click.Path(path_type=Path, exists=True))
@click.argument("labelled", type=click.Path(path_type=Path, exists=True))
@click.argument("stand_in", type=click.Path(path_type=Path, exists=True))
@click.option("--sentences", default=500)
def judge(out: Path, labelled: Path, stand_in: Path, sentences: int) -> None:
    """Print how far the variants' word starts are from the labels."""
    from joined import concatenate, read

    for archive in sorted(out.glob("*.tar")):
        with tarfile.open(archive) as files:
            files.extractall(out, filter="data")
    spoken = read(labelled, 0, sentences)
    parts = [
        concatenate(spoken[first : first + GROUP], spaced=True)
        for first in range(0, len(spoken), GROUP)
    ]
    print(
        f"{sentences} sentences joined to {len(parts)} recordings; word starts as the aligner "
        "gives them, in ms\n\n| aligner | letter errors | words | bias | median | 90th percentile "
        "| over 100 ms | median, bias off | 90th percentile, bias off |\n|---|---|---|---|---|---|"
        "---|---|---|"
    )
    print(_row("the first build's, romanized", stand_in, parts), flush=True)
    for name in VARIANTS:
        folder = out / name.replace(" ", "_")
        if folder.is_dir():
            print(_row(name, folder, parts), flush=True)


def _row(name: str, folder: Path, parts: list) -> str:
    from rapidfuzz.distance import Levenshtein

    from khmer_aligned import aligners
    from khmer_aligned.alignment import viterbi
    from khmer_aligned.alignment.align import align
    from khmer_aligned.text import Transcript

    aligner = aligners.load(str(folder))
    found, letters, errors = [], 0, 0
    for part in parts:
        (alignment,) = align([part.waveform], [Transcript.from_text(part.text)], aligner, lag=0.0)
        raw = {word.span[0]: word.start for word in alignment.words}
        found += [raw[word[0]] - word[1] for word in part.words if word[0] in raw]
        greedy = viterbi.collapse(alignment.acoustics.greedy, alignment.acoustics.blank).tolist()
        letters += len(alignment.token_ids)
        errors += Levenshtein.distance(alignment.token_ids.tolist(), greedy)
    off = np.array(found)
    bias = float(np.median(off))

    def spread(values: np.ndarray) -> tuple[float, float]:
        return tuple(1000 * np.percentile(np.abs(values), (50, 90)))

    (median, high), (free, free_high) = spread(off), spread(off - bias)
    return (
        f"| {name} | {errors / letters:.1%} | {len(off):,} | {1000 * bias:+.0f} | {median:.0f} "
        f"| {high:.0f} | {np.mean(np.abs(off) > 0.1):.1%} | {free:.0f} | {free_high:.0f} |"
    )


@main.command()
@click.argument("before", type=click.Path(path_type=Path, exists=True))
@click.argument("after", type=click.Path(path_type=Path, exists=True))
def compare(before: Path, after: Path) -> None:
    """Print what a second build of the same recordings changes: clips lost, gained and moved."""
    first, second = _words_of(before), _words_of(after)
    common = first.keys() & second.keys()
    moved = np.concatenate([_moved(first[name], second[name]) for name in sorted(common)])
    print(
        f"recordings with clips: {len(first):,} before, {len(second):,} after; "
        f"{len(first.keys() - common):,} lost, {len(second.keys() - common):,} gained"
    )
    words = [sum(map(len, build.values())) for build in (first, second)]
    print(f"words in clips: {words[0]:,} before, {words[1]:,} after, {len(moved):,} in both")
    off = np.abs(moved - np.median(moved))
    print(
        f"their starts moved by {1000 * np.median(moved):+.0f} ms; from that, half by at most "
        f"{1000 * np.percentile(off, 50):.0f} ms, 90 % by {1000 * np.percentile(off, 90):.0f} ms, "
        f"{np.mean(off > 0.1):.1%} by more than 100 ms"
    )


@main.command()
@click.argument("build", type=click.Path(path_type=Path, exists=True))
@click.argument("labelled", type=click.Path(path_type=Path, exists=True))
@click.argument("stand_in", type=click.Path(path_type=Path, exists=True))
@click.option("--lag", required=True, type=float, help="Seconds that STAND_IN is late.")
@click.option("--sentences", default=500)
def refine(build: Path, labelled: Path, stand_in: Path, lag: float, sentences: int) -> None:
    """Print how far word starts are from the labels before and after they are moved."""
    import conditions

    from joined import aligned_clips, lateness, read
    from khmer_aligned import aligners
    from khmer_aligned.audio import encode_flac
    from khmer_whisper.ctc import refine as refining
    from khmer_whisper.ctc.examples import words_of
    from khmer_whisper.ctc.word_times import move_words
    from khmer_whisper.examples import data
    from khmer_whisper.examples.rows import waveform

    spoken = read(labelled, 0, sentences)
    aligner = aligners.load(str(stand_in))
    clips = aligned_clips(spoken, aligner, lag)
    rows = data.load(str(build)).splits["train"]
    refining.NEEDED = 0  # so that it can be seen what too little does
    print(
        f"{sentences} sentences; word starts against the labels, in ms\n\n| learned from | bias "
        "before | median | 90th percentile | bias after | median | 90th percentile |\n"
        "|---|---|---|---|---|---|---|"
    )

    def show(name: str, learned: Dataset, moved: Dataset) -> None:
        refiner = refining.learn(learned, within=0.1, seed=42)
        cells = [name]
        for times in ([words_of(row).times for row in moved], move_words(moved, refiner).times):
            off = 1000 * lateness(moved, spoken, times)
            median, high = np.percentile(np.abs(off), (50, 90))
            cells += [f"{np.median(off):+.0f}", f"{median:.0f}", f"{high:.0f}"]
        print(f"| {' | '.join(cells)} |", flush=True)

    for minutes in (60, 20, 10, 5, 2):
        show(f"{minutes} minutes of other clips", _first(rows, minutes), clips)
    show("themselves", clips, clips)
    hour = _first(rows, 60)
    for seconds in (-0.04, 0.04):
        later = [_shift(each, seconds) for each in (hour, clips)]
        show(f"60 minutes, all times {1000 * seconds:+.0f} ms", *later)
    for condition in conditions.CONDITIONS + conditions.DEGRADED:
        name = condition.name
        if name in SPOILED and condition.gaps == "room":
            change = partial(_spoil, condition=condition)
            worse = [replace(each, waveform=change(each.waveform)) for each in spoken]
            learned = _with_audio(hour, [encode_flac(change(waveform(row))) for row in hour])
            show(f"60 minutes, all audio with {name}", learned, aligned_clips(worse, aligner, lag))


def _first(clips: Dataset, minutes: float) -> Dataset:
    """The first clips of a split that hold so many minutes."""
    return clips.select(range(np.searchsorted(np.cumsum(clips["duration"]), 60 * minutes)))


def _shift(clips: Dataset, seconds: float) -> Dataset:
    """All words later by `seconds`."""
    words = [_later(clip, seconds) for clip in clips["words"]]
    return _with_column(clips, "words", words, clips.features["words"])


def _spoil(samples: np.ndarray, condition: Condition) -> np.ndarray:
    return condition.change(samples, np.random.default_rng(0)).astype(np.float32)


def _with_audio(clips: Dataset, encoded: list[bytes]) -> Dataset:
    from joined import PLAIN_FEATURES

    sounds = [{"bytes": each, "path": None} for each in encoded]
    return _with_column(clips, "audio", sounds, PLAIN_FEATURES["audio"])


def _with_column(clips: Dataset, name: str, values: list, feature: object) -> Dataset:
    return clips.remove_columns(name).add_column(name, values, feature=feature)


def _words_of(folder: Path) -> dict[str, list[tuple[str, float]]]:
    """Of each recording the words in its clips, in order, each with its start in seconds."""
    columns = ["recording", "start", "words"]
    rows = [
        row
        for path in sorted((folder / "data").glob("*.parquet"))
        for row in pq.read_table(path, columns=columns).to_pylist()
    ]
    words: dict[str, list[tuple[str, float]]] = {}
    for row in sorted(rows, key=lambda row: (row["recording"], row["start"])):
        words.setdefault(row["recording"], []).extend(
            (word["text"], row["start"] + word["start"]) for word in row["words"]
        )
    return words


def _moved(before: list[tuple[str, float]], after: list[tuple[str, float]]) -> np.ndarray:
    """Seconds by which the words that both builds have start later in the second."""
    first, second = ([text for text, _ in words] for words in (before, after))
    blocks = SequenceMatcher(None, first, second, autojunk=False).get_matching_blocks()
    return np.array(
        [
            after[block.b + k][1] - before[block.a + k][1]
            for block in blocks
            for k in range(block.size)
        ]
    )


if __name__ == "__main__":
    main()
