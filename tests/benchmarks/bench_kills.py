"""Kill a build with SIGKILL at random moments, and compare what it ends with.

    python tests/benchmarks/bench_kills.py [--kills 20] [--parts] [--store s3://bucket/folder]

A small build of the demo's recordings is planned, aligned in many shards and joined, in a process
that is killed at random moments and started again, until it ends. Its published files have to be
those of a build that nobody disturbed, byte for byte. --parts: as `--shard I/3` in any order and
`join`, in place of a plain build. --store: source and OUT are in an object store, where the lock of
a process that was killed ends after three seconds in place of a minute.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
from pathlib import Path

from khmer_aligned import lease
from khmer_aligned.dataset import clip_files, rows
from khmer_aligned.dataset.build import build, build_shards
from khmer_aligned.dataset.join import join
from khmer_aligned.files import remove_folder
from khmer_aligned.stores import as_path, is_remote, list_store
from khmer_whisper.demo.tokenizer import byte_tokenizer

ROOT = Path(__file__).parents[2]
ASSETS = ROOT / "training" / "khmer_whisper" / "demo" / "assets"
SECONDS = 6.0  # of a recording
STEPS = ["plan", "shards", "join"]
KILLS_OF_A_ROUND = 5  # or some builds would never come to their end
PARTS = 3
POLL_SECONDS = 0.002
STRETCHES = 3  # of each of the demo's recordings


def make_source(folder: Path) -> None:
    """Stretches of about SECONDS of the demo's recordings, in a manifest."""
    folder.mkdir(parents=True)
    lines = []
    for audio in sorted((ASSETS / "recordings").glob("*.ogg")):
        shutil.copy(audio, folder)
        text = audio.with_suffix(".txt").read_text(encoding="utf-8")
        with audio.with_suffix(".words.tsv").open(encoding="utf-8") as file:
            words = [
                (int(r["from"]), int(r["to"]), float(r["start"]), float(r["end"]))
                for r in csv.DictReader(file, delimiter="\t")
            ]
        stretch: list[tuple[int, int, float, float]] = []
        first = len(lines)
        for word in words:
            stretch.append(word)
            if word[3] - stretch[0][2] > SECONDS:
                part = text[stretch[0][0] : word[1]].replace("\n", " ").replace('"', "")
                lines.append(f'{audio.name},"{part}",{stretch[0][2]:.2f},{word[3]:.2f}')
                stretch = []
            if len(lines) - first == STRETCHES:
                break
    table = ["file_name,text,start,end", *lines]
    (folder / "metadata.csv").write_text("\n".join(table) + "\n", encoding="utf-8")


def copy_to_store(folder: Path, url: str) -> None:
    for path in folder.iterdir():
        (as_path(url) / path.name).write_bytes(path.read_bytes())


def published(out: Path) -> dict[str, str]:
    """The sums of the published files."""
    if is_remote(out):
        names = list(list_store(out))
    else:
        names = [p.relative_to(out).as_posix() for p in sorted(out.rglob("*")) if p.is_file()]
    return {
        name: hashlib.sha256((out / name).read_bytes()).hexdigest()
        for name in names
        if not name.startswith(".build/")
    }


def run(source: str, out: str, tokenizer: Path, part: str) -> None:
    """One command, with small shards and small published files."""
    rows._SHARD_CHARACTERS, clip_files._FILE_SECONDS = 150, 20
    lease.RENEW_SECONDS, lease.EXPIRE_SECONDS = 0.5, 3.0
    options = {"tokenizer": str(tokenizer), "max_labels": 200, "lag": 0.04}
    aligner = str(ASSETS / "aligner")
    if part == "all":
        build(source, out, aligner=aligner, **options)
    elif part == "join":
        join(out)
    else:
        build_shards(source, out, (int(part), PARTS), aligner=aligner, **options)


def start(source: str, out: str, tokenizer: Path, part: str) -> int:
    """Run a command in a process of its own, which has everything imported; returns its id."""
    process = os.fork()
    if process:
        return process
    with Path(os.devnull).open("w") as null:
        os.dup2(null.fileno(), 2)
    try:
        run(source, out, tokenizer, part)
    except BaseException:
        traceback.print_exc(file=sys.stdout)
        sys.stdout.flush()
        os._exit(1)
    os._exit(0)


def step_of(out: Path) -> str:
    """Which step a build is in."""
    state = out / ".build"
    if (out / "build.json").is_file():
        return "end"
    if not (state / "plan.json").is_file():
        return "plan"
    return "join" if (state / "stage").exists() else "shards"


def run_killed(process: int, out: Path, step: str, delay: float) -> str | None:
    """Kill the process `delay` seconds after the build is in a step, or see it end.

    Returns the step in which it was killed; None where it had ended.
    """
    reached = None
    while True:
        ended, status = os.waitpid(process, os.WNOHANG)
        if ended:
            if status:
                sys.exit(f"a command failed: {status}")
            return None
        now = time.monotonic()
        if reached is None and step_of(out) == step:
            reached = now
        if reached is not None and now - reached >= delay:
            os.kill(process, signal.SIGKILL)
            os.waitpid(process, 0)
            return step_of(out)
        time.sleep(POLL_SECONDS)


def time_steps(process: int, out: Path) -> dict[str, float]:
    """Seconds of each step of a build that nobody disturbs."""
    seconds = dict.fromkeys(STEPS, 0.0)
    began = time.monotonic()
    while os.waitpid(process, os.WNOHANG)[0] == 0:
        step = step_of(out)
        time.sleep(POLL_SECONDS)
        began, before = time.monotonic(), began
        if step in seconds:
            seconds[step] += began - before
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--parts", action="store_true")
    parser.add_argument("--store", help="A URL below which nothing is.")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    random.seed(options.seed)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        tokenizer, source = folder / "tokenizer", folder / "source"
        byte_tokenizer().save_pretrained(tokenizer)
        make_source(source)
        given, where = str(source), str(folder)
        if options.store:
            given, where = f"{options.store}/source", options.store
            copy_to_store(source, given)
        whole = f"{where}/whole"
        seconds = time_steps(start(given, whole, tokenizer, "all"), as_path(whole))
        expected = published(as_path(whole))
        steps = ", ".join(f"{name} {value:.1f} s" for name, value in seconds.items())
        print(f"undisturbed: {steps}; {len(expected)} files", flush=True)
        places: list[str] = []
        rounds = 0
        while len(places) < options.kills:
            out = as_path(f"{where}/killed-{rounds}")
            order = [*random.sample([str(i + 1) for i in range(PARTS)], PARTS), "join"]
            killed: list[str] = []
            for part in order if options.parts else ["all"]:
                steps_left = STEPS if len(killed) < KILLS_OF_A_ROUND else []
                while True:
                    step = random.choice(steps_left) if steps_left else "none"
                    delay = random.uniform(0, seconds.get(step, 0.0))
                    place = run_killed(start(given, str(out), tokenizer, part), out, step, delay)
                    if place is None:
                        break
                    killed.append(place)
                    steps_left = STEPS if len(killed) < KILLS_OF_A_ROUND else []
            rounds += 1
            places += killed
            same = published(out) == expected
            print(f"round {rounds}: killed in {', '.join(killed)}; same bytes: {same}", flush=True)
            if not same:
                sys.exit(1)
            remove_folder(out)
        counts = {step: places.count(step) for step in [*STEPS, "end"]}
        print(f"{len(places)} kills {counts} in {rounds} builds: the same bytes each time")


if __name__ == "__main__":
    main()
