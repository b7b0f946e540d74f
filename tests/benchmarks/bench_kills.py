"""Kill a build with SIGKILL at random moments, and compare what it ends with.

    python tests/benchmarks/bench_kills.py [--kills 20] [--parts]

A small build of the demo's recordings is planned, aligned in many shards and joined, in a process
that is killed at random moments and started again, until it ends. Its published files have to be
those of a build that nobody disturbed, byte for byte. --parts: as `--shard I/3` in any order and
`join`, in place of a plain build.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
ASSETS = ROOT / "training" / "khmer_whisper" / "demo" / "assets"
SECONDS = 8.0  # of a recording

# One process: small shards, and a train of small files.
STEP = """
import sys
from pathlib import Path
from khmer_aligned.dataset import clip_files, rows
rows._SHARD_CHARACTERS = 250
clip_files._FILE_SECONDS = 60
from khmer_aligned.dataset.build import build, build_shards
from khmer_aligned.dataset.join import join
source, out, aligner, tokenizer, part = sys.argv[1:]
options = dict(aligner=aligner, tokenizer=tokenizer, max_labels=200, lag=0.04)
if part == "all":
    build(source, out, **options)
elif part == "join":
    join(out)
else:
    build_shards(source, out, (int(part), 3), **options)
"""


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
        for word in words:
            stretch.append(word)
            if word[3] - stretch[0][2] > SECONDS:
                part = text[stretch[0][0] : word[1]].replace("\n", " ").replace('"', "")
                lines.append(f'{audio.name},"{part}",{stretch[0][2]:.2f},{word[3]:.2f}')
                stretch = []
    table = ["file_name,text,start,end", *lines]
    (folder / "metadata.csv").write_text("\n".join(table) + "\n", encoding="utf-8")


def published(out: Path) -> dict[str, str]:
    """The sums of the published files."""
    files = [p for p in sorted(out.rglob("*")) if p.is_file() and ".build" not in p.parts]
    return {
        p.relative_to(out).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in files
    }


def start(source: Path, out: Path, tokenizer: Path, part: str) -> subprocess.Popen[bytes]:
    arguments = [str(source), str(out), str(ASSETS / "aligner"), str(tokenizer), part]
    paths = os.pathsep.join(str(ROOT / name) for name in ("builders", "training"))
    return subprocess.Popen(
        [sys.executable, "-c", STEP, *arguments],
        env=os.environ | {"PYTHONPATH": paths, "OMP_NUM_THREADS": "1"},
        stderr=subprocess.PIPE,
    )


def finish(process: subprocess.Popen[bytes]) -> None:
    _, errors = process.communicate()
    if process.returncode:
        sys.exit(errors.decode()[-3000:])


def where(out: Path) -> str:
    """Which step a killed build was in."""
    state = out / ".build"
    if not (state / "plan.json").is_file():
        return "plan"
    return "join" if (state / "stage").is_dir() else "shards"


def run_killed(
    source: Path, out: Path, tokenizer: Path, part: str, kills: int, seconds: float
) -> list[str]:
    """Run a part to its end through at most `kills` kills; returns the steps they were in."""
    places = []
    while True:
        process = start(source, out, tokenizer, part)
        try:
            if len(places) >= kills:
                finish(process)
                return places
            process.wait(random.uniform(0.3, 1.0) * seconds)
            finish(process)
            return places
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.communicate()
            places.append(where(out))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--parts", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    random.seed(options.seed)
    sys.path.insert(0, str(ROOT / "training"))
    from khmer_whisper.demo.tokenizer import byte_tokenizer

    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        tokenizer, source = folder / "tokenizer", folder / "source"
        byte_tokenizer().save_pretrained(tokenizer)
        make_source(source)
        began = time.monotonic()
        finish(start(source, folder / "whole", tokenizer, "all"))
        seconds = time.monotonic() - began
        expected = published(folder / "whole")
        print(f"undisturbed: {seconds:.0f} s, {len(expected)} files")
        places: list[str] = []
        rounds = 0
        while len(places) < options.kills:
            out = folder / f"killed-{rounds}"
            parts = [*random.sample(["1", "2", "3"], 3), "join"] if options.parts else ["all"]
            for part in parts:
                # A few kills in each round, or it would be killed in its first seconds for ever.
                most = min(4, options.kills - len(places))
                places += run_killed(source, out, tokenizer, part, most, seconds)
            rounds += 1
            same = published(out) == expected
            print(f"round {rounds}, parts {' '.join(parts)}: killed in {places}, same: {same}")
            if not same:
                sys.exit(1)
            shutil.rmtree(out)
        counts = {step: places.count(step) for step in ("plan", "shards", "join")}
        print(f"{len(places)} kills ({counts}) in {rounds} builds: the same bytes each time")


if __name__ == "__main__":
    main()
