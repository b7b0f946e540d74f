"""End Ray's actors and its head while they align, and compare what the builds end with.

    python tests/benchmarks/bench_ray.py [--store s3://bucket/folder]

A small build of the demo's recordings is made on this machine, then on a cluster of two and of four
actors, of which one is ended while it aligns, and on a cluster whose head is ended when some shards
are done; the command is then given again under a new head. The published files have to be those of
the first build, byte for byte. --store: source and OUT of the clusters are in an object store.
"""

from __future__ import annotations

import argparse
import os

# Before torch is loaded: Ray gives an actor one thread a core, and scores depend on their number.
os.environ["OMP_NUM_THREADS"] = "1"
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
from bench_kills import ASSETS, copy_to_store, make_source, published, run

from khmer_aligned.dataset import clip_files, rows
from khmer_aligned.dataset.build import build
from khmer_aligned.dataset.state import State, require_plan
from khmer_aligned.stores import as_path
from khmer_whisper.demo.tokenizer import byte_tokenizer

PORT = 6391
RAY = Path(sys.executable).with_name("ray")
# Where a local Ray has left a token, a head asks for it, but commands do not give it.
ENVIRONMENT = {**os.environ, "RAY_AUTH_MODE": "disabled"}


@contextmanager
def cluster(cores: int) -> Iterator[None]:
    """A head with so many cores on this machine, which ends with the block."""
    command = [str(RAY), "start", "--head", f"--port={PORT}", f"--num-cpus={cores}"]
    command += ["--include-dashboard=false", "--disable-usage-stats"]
    patient = {**ENVIRONMENT, "RAY_raylet_start_wait_time_s": "300"}  # on a machine at work
    try:
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=patient)
        yield
    finally:
        end_cluster()


def cluster_processes() -> list[psutil.Process]:
    """The processes of the head, which name its port, and those that they have started."""
    named = []
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        if any(word.endswith((f"={PORT}", f":{PORT}")) for word in words):
            named.append(process)
    return list({p.pid: p for head in named for p in [head, *children(head)]}.values())


def children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def end_cluster() -> None:
    """End the head and all that it has started."""
    family = cluster_processes()
    for member in family:
        with suppress(psutil.NoSuchProcess):
            member.kill()
    psutil.wait_procs(family, timeout=10)


def start_build(source: str, out: str, tokenizer: Path) -> psutil.Popen:
    """`drive`, in a process of its own."""
    command = [sys.executable, __file__, "--drive", source, out, str(tokenizer)]
    return psutil.Popen(command, env={**ENVIRONMENT, "RAY_ADDRESS": f"127.0.0.1:{PORT}"})


def drive(source: str, out: str, tokenizer: str) -> None:
    """A build on the cluster with small shards, an actor for each core."""
    from khmer_aligned.dataset.engines import ray

    rows._SHARD_CHARACTERS, clip_files._FILE_SECONDS, ray._CPUS = 150, 20, 1
    options = {"tokenizer": tokenizer, "max_labels": 200, "lag": 0.04}
    build(source, out, aligner=str(ASSETS / "aligner"), engine="ray", **options)


def wait_for_actor(command: psutil.Popen) -> psutil.Process:
    """An actor of the cluster that is at a shard."""
    while command.poll() is None:
        for process in cluster_processes():
            try:
                if process.cmdline()[:1] == ["ray::_Worker.align"]:
                    return process
            except psutil.Error:
                continue
        time.sleep(0.02)
    sys.exit("the build ended before an actor was seen")


def wait_for_shards(command: psutil.Popen, out: str, count: int) -> int:
    """Wait until so many shards are done; returns how many are."""
    state = State(as_path(out))
    while (done := len(state.finished_shards())) < count:
        if command.poll() is not None:
            sys.exit("the build ended before the head did")
        time.sleep(0.1)
    return done


def lose_an_actor(actors: int, source: str, out: str, tokenizer: Path) -> str:
    with cluster(actors):
        command = start_build(source, out, tokenizer)
        wait_for_actor(command).send_signal(signal.SIGKILL)
        if command.wait():
            sys.exit(f"{actors} actors: the build failed")
    return f"{actors} actors, one of them ended"


def lose_the_head(source: str, out: str, tokenizer: Path) -> str:
    with cluster(2):
        command = start_build(source, out, tokenizer)
        done = wait_for_shards(command, out, 2)
        end_cluster()
        if command.wait() == 0:
            sys.exit("the build ended before the head did")
    kept = len(State(as_path(out)).finished_shards())
    count = len(require_plan(as_path(out)).shards)
    with cluster(2):
        if start_build(source, out, tokenizer).wait():
            sys.exit("the build failed under the new head")
    return f"the head ended after {done} of {count} shards, {kept} of them kept"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--store", help="A URL below which nothing is.")
    parser.add_argument("--drive", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.drive:
        drive(*options.drive)
        return
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        tokenizer, source = folder / "tokenizer", folder / "source"
        byte_tokenizer().save_pretrained(tokenizer)
        make_source(source)
        run(str(source), str(folder / "local"), tokenizer, "all")
        expected = published(folder / "local")
        given, where = str(source), str(folder)
        if options.store:
            given, where = f"{options.store}/source", options.store
            copy_to_store(source, given)
        for name in ("two", "four", "head"):
            out = f"{where}/{name}"
            if name == "head":
                case = lose_the_head(given, out, tokenizer)
            else:
                case = lose_an_actor({"two": 2, "four": 4}[name], given, out, tokenizer)
            found = published(as_path(out))
            names = sorted(expected.keys() | found.keys())
            other = [file for file in names if expected.get(file) != found.get(file)]
            print(f"{case}: {len(names)} files, not the same: {other or 'none'}", flush=True)
            if other:
                sys.exit(1)


if __name__ == "__main__":
    main()
