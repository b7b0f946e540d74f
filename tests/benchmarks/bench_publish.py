"""A publish to a Hub that fails: `python -m tests.benchmarks.bench_publish faults kills bytes`.

Faults: each request of a publish goes wrong in turn, in each of the ways of KINDS. Kills: the
program is ended with SIGKILL at a request. After each the repository must be whole or unchanged.
Bytes: what Xet uploads of a dataset that is new, unchanged, and changed in 1 % of its rows, from
one machine (which remembers what it has sent).
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections import Counter
from pathlib import Path

import datasets
import numpy as np
from tests.hub import folders
from tests.hub.fixtures import Hub
from tests.hub.handler import Fault
from tests.hub.server import Server

from khmer_aligned.dataset.parquet import write_clips
from khmer_aligned.schema import CLIP_FEATURES

KINDS = {
    "500": {"status": 500},
    "429": {"status": 429, "headers": {"Retry-After": "0"}},
    "409": {"status": 409},
    "412": {"status": 412},
    "reset": {"cut_after": 0},
    "answer lost": {"late": True},
}
REQUESTS = 16  # at most, of a publish of a small dataset
KILLS = 20
ROWS = 400


def start() -> Hub:
    """A loopback Hub in a fresh folder."""
    folder = Path(tempfile.mkdtemp(prefix="bench-publish-"))
    server = Server(folder)
    server.start()
    return Hub(server, folder)


def state(hub: Hub, folder: Path, repo_id: str) -> str:
    """What a repository holds: nothing new, the whole folder, or a part of it."""
    titles = [commit.title for commit in hub.commits("dataset", repo_id)]
    if titles in ([], ["initial commit"]):
        return "unchanged"
    names = [path.relative_to(folder).as_posix() for path in folder.rglob("*.*")]
    there = hub.files("dataset", repo_id)
    whole = all(
        name in there and hub.read("dataset", repo_id, name) == (folder / name).read_bytes()
        for name in names
    )
    return "whole" if whole and titles == ["Publish", "initial commit"] else f"BROKEN {titles}"


def faults(hub: Hub, kinds: list[str], requests: int = REQUESTS) -> Counter[tuple[str, str, str]]:
    """Each request of a publish wrong in turn: (kind, "done" or "refused", state) -> how often."""
    cases = [(kind, index) for kind in kinds for index in range(requests)]
    calls: list[tuple[str, dict]] = [("hurry", {})]
    built = {}
    for number, (kind, index) in enumerate(cases):
        repo_id = f"org/case{number}x"
        built[repo_id] = folders.dataset(
            hub.server.folder / f"case{number}", 1, seconds=0.1, seed=number
        )
        calls.append(
            ("publish", {"folder": built[repo_id], "repo_id": repo_id, "repo_type": "dataset"})
        )
        _arm(hub, repo_id, KINDS[kind], index)
    counts: Counter[tuple[str, str, str]] = Counter()
    for (kind, _), answer, (repo_id, folder) in zip(
        cases, folders.steps(hub, *calls)[1:], built.items(), strict=True
    ):
        outcome = "refused" if "user_error" in answer else "done"
        counts[kind, outcome, state(hub, folder, repo_id)] += 1
    return counts


def _arm(hub: Hub, repo_id: str, settings: dict, index: int) -> None:
    """Let request `index` after the first that names the repository fail."""
    if index == 0:
        hub.server.faults.append(Fault("", repo_id, **settings))
        return

    def arm() -> None:
        hub.server.faults[:] = [f for f in hub.server.faults if f.part]  # of the case before
        hub.server.faults.append(Fault("", "", skip=index - 1, **settings))

    hub.server.faults.append(Fault("", repo_id, action=arm))


def kills(hub: Hub, count: int = KILLS) -> Counter[str]:
    """A publish that is killed at one request after the other, and then finished."""
    counts: Counter[str] = Counter()
    for index in range(count):
        repo_id = f"org/killed{index}x"
        folder = folders.dataset(hub.server.folder / f"killed{index}", 2, seed=1000 + index)
        call = ("publish", {"folder": folder, "repo_id": repo_id, "repo_type": "dataset"})

        def kill() -> None:
            hub._process.kill()

        hub.server.faults[:] = [Fault("", "", skip=index, cut_after=0, action=kill)]
        program = [sys.executable, str(folders.CLIENT), json.dumps([call], default=str)]
        done = hub.run(program)
        hub.server.faults.clear()
        how = "killed" if done.returncode < 0 else "done"
        counts[f"{how}, {state(hub, folder, repo_id)}"] += 1
        folders.steps(hub, call)
        counts[f"again, {state(hub, folder, repo_id)}"] += 1
    return counts


def write_rows(folder: Path, changed: range) -> Path:
    """A dataset of ROWS clips of 4 s, of which those in `changed` have other audio and text."""
    folders.dataset(folder, 1)
    rows = []
    for index in range(ROWS):
        noise = np.random.default_rng(index + (10_000 if index in changed else 0))
        rows.append(folders._clip(f"r{index}", 0, 4.0, noise))
        if index in changed:
            rows[-1] |= {"text": "ថ្មី", "spoken": "ថ្មី"}
    columns = {name: [row[name] for row in rows] for name in CLIP_FEATURES}
    table = datasets.Dataset.from_dict(columns).cast_column("audio", CLIP_FEATURES["audio"])
    clips = table.cast(CLIP_FEATURES).data.table
    write_clips([clips], folder / "data" / "train-00000-of-00001.parquet")
    return folder


def bytes_sent(hub: Hub) -> dict[str, tuple[int, int]]:
    """Bytes in the files and bytes sent to storage, for a new, the same and a changed dataset."""
    sizes = {}
    scratch, home = hub.server.folder, hub.server.folder / "home"
    some = len(range(0, ROWS, 100))
    versions = {
        "new": write_rows(scratch / "new", range(0)),
        "unchanged": scratch / "new",
        f"1 % changed, in one place ({some} rows)": write_rows(
            scratch / "one", range(50, 50 + some)
        ),
        f"1 % changed, spread ({some} rows)": write_rows(scratch / "spread", range(0, ROWS, 100)),
    }
    for name, folder in versions.items():
        before = len(hub.requests)
        folders.steps(
            hub,
            ("publish", {"folder": folder, "repo_id": "org/bytes", "repo_type": "dataset"}),
            xet=True,
            home=home,
        )
        sent = sum(r.received for r in hub.requests[before:] if r in hub.uploads)
        size = sum(path.stat().st_size for path in (folder / "data").iterdir())
        sizes[name] = (size, sent)
    return sizes


def main(asked: list[str]) -> None:
    if "faults" in asked or not asked:
        for (kind, outcome, result), count in sorted(faults(start(), list(KINDS)).items()):
            print(f"{kind:<12} {outcome:<8} {result:<10} {count:>4}")
    if "kills" in asked or not asked:
        for name, count in sorted(kills(start()).items()):
            print(f"{name:<24} {count:>4}")
    if "bytes" in asked or not asked:
        for name, (size, sent) in bytes_sent(start()).items():
            print(f"{name:<40} {size:>12,} bytes in files {sent:>12,} sent")


if __name__ == "__main__":
    main(sys.argv[1:])
