"""Peak memory and time of whole builds of hours of speech, in one recording and in many.

    python tests/benchmarks/bench_builds.py MODEL DATA --tokenizer TOKENIZER --hours 1 10

DATA has a metadata.csv of read sentences. They are joined in random orders, each as often as it
takes to fill HOURS: to one recording, and to recordings of two minutes. Each build is a command in
a process of its own. Its resident memory is read five times a second: the sum over its processes,
in which shared pages count in each, and the largest one's.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
import soundfile as sf

from khmer_aligned import audio
from khmer_aligned.schema import SAMPLE_RATE

MANY_SECONDS = 120.0  # of a recording, where there are many
EVERY_SECONDS = 0.2


def read_sentences(data: Path) -> list[tuple[Path, str]]:
    """The audio file and the text of each sentence."""
    with (data / "metadata.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return [(data / row["file_name"], row["transcription"].strip()) for row in rows]


def shuffle_forever(sentences: list[tuple[Path, str]]) -> Iterator[tuple[Path, str]]:
    """The sentences in a random order, then in another one, and so on."""
    rng = np.random.default_rng(0)
    while True:
        for i in rng.permutation(len(sentences)):
            yield sentences[i]


def write_source(folder: Path, sentences: list[tuple[Path, str]], hours: float, each: float) -> int:
    """Recordings of about `each` seconds that last `hours` together; returns their number."""
    folder.mkdir()
    spoken = shuffle_forever(sentences)
    left, number = hours * 3600, 0
    while left > 0:
        name = folder / f"recording-{number:05d}"
        lines, seconds = [], 0.0
        with sf.SoundFile(name.with_suffix(".flac"), "w", SAMPLE_RATE, 1, "PCM_16") as file:
            while seconds < min(each, left):
                path, text = next(spoken)
                waveform = audio.load(path, name=path.name)
                file.write(waveform)
                lines.append(text)
                seconds += len(waveform) / SAMPLE_RATE
        name.with_suffix(".txt").write_text("\n".join(lines), encoding="utf-8")
        left, number = left - seconds, number + 1
    return number


@dataclass(frozen=True)
class Usage:
    """What a command took: seconds, seconds of CPU, and bytes of memory at the peak."""

    seconds: float
    cpu: float
    together: int  # of all processes
    largest: int  # of one process


def run_measured(command: list[str], log: Path) -> Usage:
    """Run a command to its end, and measure it with all that it starts."""
    together = largest = 0
    cpu: dict[int, float] = {}
    began = time.monotonic()
    with log.open("w") as file:
        root = psutil.Popen(command, stdout=file, stderr=file)
        while root.poll() is None:
            sizes = []
            for process in [root, *root.children(recursive=True)]:
                with suppress(psutil.Error):
                    times = process.cpu_times()
                    sizes.append(process.memory_info().rss)
                    cpu[process.pid] = times.user + times.system
            together, largest = max(together, sum(sizes)), max([largest, *sizes])
            time.sleep(EVERY_SECONDS)
    if root.returncode:
        sys.exit(log.read_text())
    return Usage(time.monotonic() - began, sum(cpu.values()), together, largest)


def measure(scratch: Path, hours: float, each: float, options: argparse.Namespace) -> str:
    """Build such recordings: the figures in words."""
    source, out = scratch / "source", scratch / "out"
    count = write_source(source, read_sentences(options.data), hours, each)
    command = ["build", str(source), str(out), "--aligner", options.model, "--keep-duplicates"]
    command += ["--tokenizer", options.tokenizer]
    usage = run_measured(
        [sys.executable, "-m", "khmer_aligned.cli", *command], scratch / "build.log"
    )
    report = json.loads((out / "build.json").read_text(encoding="utf-8"))
    clips = sum(split["clips"] for split in report["splits"].values())
    kept = sum(split["seconds"] for split in report["splits"].values()) / 3600
    megabytes = (
        f"{usage.together / 1e6:,.0f} MB together, {usage.largest / 1e6:,.0f} MB the largest"
    )
    return (
        f"{hours:g} h in {count} recordings: {usage.seconds:,.0f} s, {usage.cpu:,.0f} s of CPU; "
        f"{megabytes}; {clips:,} clips of {kept:.2f} h"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("data", type=Path)
    parser.add_argument("--tokenizer", default="openai/whisper-small")
    parser.add_argument("--hours", type=float, nargs="+", default=[1.0, 10.0])
    options = parser.parse_args()
    for hours in options.hours:
        for each in (hours * 3600, MANY_SECONDS):
            with tempfile.TemporaryDirectory() as scratch:
                print(measure(Path(scratch), hours, each, options), flush=True)


if __name__ == "__main__":
    main()
