"""The path through hours: in a beam against the whole trellis, on real emissions.

    uv run python tests/benchmarks/bench_long.py MODEL DATA [--hours 10] [--case music]

DATA has a metadata.csv of sentences; their emissions by the CTC model MODEL are put one after the
other in random orders until HOURS are full. Cases: `plain`; `missing`, where runs of lines are not
in the text and others not in the audio; `music`, with gaps of minutes in which scattered seconds of
speech stand; `chapter`, where 600 lines are only in the text and 600 others only in the audio.
Processor seconds of one core.
"""

from __future__ import annotations

import argparse
import csv
import resource
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "builders"))

import numpy as np

from khmer_aligned import aligners, audio
from khmer_aligned.alignment import viterbi
from khmer_aligned.alignment.beam import find_path_in_beam
from khmer_aligned.alignment.target import make_target, star_id
from khmer_aligned.text import Transcript

FRAMES_AN_HOUR = 180_000
CASES = ("plain", "missing", "music", "chapter")


def read(model, data: Path, count: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Of each sentence its emission (T, V), among 50 that follow each other, and its tokens."""
    with (data / "metadata.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))[:count]
    emissions: list[np.ndarray] = []
    for begin in range(0, len(rows), 50):
        waves = [
            audio.load(data / row["file_name"], name=row["file_name"])
            for row in rows[begin : begin + 50]
        ]
        ends = np.cumsum([len(wave) for wave in waves]) // model.stride
        (emission,) = model.emissions([np.concatenate(waves)])
        emissions += np.split(emission, ends[:-1])
    tokens = [
        make_target(Transcript.from_text(row["transcription"]), model).ids[1:] for row in rows
    ]
    return emissions, tokens


def arrange(case: str, emissions: list[np.ndarray], hours: float, rng: np.random.Generator):
    """The emissions in the order of the audio, and the sentences in the order of the text."""
    spoken: list[np.ndarray] = []
    text: list[int] = []
    frames, count = 0, len(emissions)

    def say(chosen: list[int]) -> int:
        spoken.extend(emissions[i] for i in chosen)
        return sum(len(emissions[i]) for i in chosen)

    chapter = case == "chapter"
    while frames < hours * FRAMES_AN_HOUR:
        run = rng.integers(0, count, 40).tolist()
        frames += say(run)
        text += run
        if case == "missing" and rng.random() < 0.5:
            frames += say(rng.integers(0, count, rng.integers(1, 40)).tolist())
        if case == "missing" and rng.random() < 0.1:
            text += rng.integers(0, count, rng.integers(1, 40)).tolist()
        if case == "music" and rng.random() < 0.02:
            whole = np.concatenate(emissions)
            seconds = rng.integers(0, len(whole) // 50, rng.integers(120, 1200))
            spoken += [whole[s * 50 : s * 50 + 50] for s in seconds]
            frames += 50 * len(seconds)
        if chapter and frames > hours * FRAMES_AN_HOUR / 2:
            chapter = False
            text += rng.integers(0, count, 600).tolist()
            frames += say(rng.integers(0, count, 600).tolist())
    return np.concatenate(spoken), text


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("data", type=Path)
    parser.add_argument("--hours", type=float, default=10)
    parser.add_argument("--case", choices=CASES, default="plain")
    parser.add_argument("--sentences", type=int, default=800)
    options = parser.parse_args()
    model = aligners.load(options.model)
    emissions, tokens = read(model, options.data, options.sentences)
    rng = np.random.default_rng(0)
    log_probs, text = arrange(options.case, emissions, options.hours, rng)
    star = star_id(model)
    ids = np.concatenate([[star], *(tokens[i] for i in text)]).astype(np.int64)
    trellis = viterbi._make_trellis(log_probs, ids, model.blank, star, viterbi.STAR_MARGIN)
    print(
        f"{options.case}: {len(log_probs) / FRAMES_AN_HOUR:.1f} h, {len(trellis.tokens):,} tokens"
    )
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    position, best = find_path_in_beam(trellis)
    seconds = time.process_time() - start
    added = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1e3
    print(f"beam: {seconds:.1f} s, {added:.0f} MB added, {best.sum(dtype=np.float64):.4f} nats")
    start = time.process_time()
    whole = viterbi._find_path(trellis, 1)
    print(f"whole: {time.process_time() - start:.1f} s, {whole.score:.4f} nats")
    print(f"frames that differ: {np.count_nonzero(position != whole.position):,}")


if __name__ == "__main__":
    main()
