"""The page and the review of a large build, in a headless Chromium.

    python tests/benchmarks/bench_review.py BUILD SOURCE [--clips 5000]

A BUILD of a manifest folder SOURCE is repeated under other names until it has so many clips, audio
and transcripts included. Printed are the size of the report and the time until it can be used;
then, for the review, the time until it can be used, and from a key to the next clip with its
waveform.
"""

from __future__ import annotations

import csv
import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

ROOT = Path(__file__).parents[2]
SOURCES = [str(ROOT / name) for name in ("builders", "training")]
sys.path[:0] = [*SOURCES, str(ROOT / "tests")]

KEYS = 40
_ROWS = 100  # clips in a row group, as in a build


@click.command()
@click.argument("build", type=click.Path(path_type=Path, exists=True))
@click.argument("source", type=click.Path(path_type=Path, exists=True))
@click.option("--clips", default=5000)
def main(build: Path, source: Path, clips: int) -> None:
    """Print sizes and times of the page and the review of a build of so many clips."""
    with tempfile.TemporaryDirectory() as scratch:
        out, recordings = Path(scratch) / "build", Path(scratch) / "recordings"
        copies = repeat_build(build, out, clips)
        repeat_source(source, recordings, copies)
        measure_report(out, recordings)
        measure_review(out, recordings)


def repeat_build(build: Path, out: Path, clips: int) -> int:
    """Write a build of `clips` clips; returns how often the first one stands in it."""
    (out / "data").mkdir(parents=True)
    for name in ("README.md", "eval.yaml", "build.json"):
        shutil.copy(build / name, out)
    tables = {path.name: pq.read_table(path) for path in sorted((build / "data").glob("*.parquet"))}
    total = sum(map(len, tables.values()))
    copies = -(-clips // total)
    left = clips
    for name, table in tables.items():
        parts = []
        for k in range(copies):
            part = table.slice(0, left)
            left -= len(part)
            for column in ("id", "recording"):
                named = pa.array([f"{k}/{value}" for value in part[column].to_pylist()])
                part = part.set_column(part.schema.names.index(column), column, named)
            parts.append(part.cast(table.schema))
        pq.write_table(pa.concat_tables(parts), out / "data" / name, row_group_size=_ROWS)
    with (out / "rejected.jsonl").open("w", encoding="utf-8") as file:
        for k, line in itertools.product(
            range(copies), (build / "rejected.jsonl").read_text("utf-8").splitlines()
        ):
            row = json.loads(line)
            file.write(json.dumps(row | {"recording": f"{k}/{row['recording']}"}) + "\n")
    return copies


def repeat_source(source: Path, recordings: Path, copies: int) -> None:
    """Write the manifest folder that `repeat_build` was built from."""
    with (source / "metadata.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    recordings.mkdir()
    with (recordings / "metadata.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        for k in range(copies):
            for row in rows:
                name = f"{k}/{row['file_name']}"
                writer.writerow(row | {"file_name": name})
                (recordings / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(source / row["file_name"], recordings / name)


def measure_report(out: Path, recordings: Path) -> None:
    """Make the page, and open it."""
    began = time.monotonic()
    _, errors = _run("report", str(out), "--source", str(recordings)).communicate()
    if not (out / "report.html").is_file():
        raise SystemExit(errors)
    made = time.monotonic() - began
    page = out / "report.html"
    with _open_tab() as tab:
        began = time.monotonic()
        tab.goto(page.as_uri())
        tab.wait_for_selector("body[data-ready]")
        print(
            f"report: {page.stat().st_size / 1e6:.2f} MB, made in {made:.0f} s, usable after "
            f"{time.monotonic() - began:.1f} s",
            flush=True,
        )


def measure_review(out: Path, recordings: Path) -> None:
    """Go through clips by keyboard."""
    began = time.monotonic()
    server = _run("review", str(out), "--source", str(recordings), "--port", "0")
    assert server.stderr is not None
    try:
        lines = []
        for line in server.stderr:
            lines.append(line.strip())
            if line.startswith("open "):
                break
        else:
            raise SystemExit("\n".join(lines))
        print(f"{lines[0]} (after {time.monotonic() - began:.0f} s)")
        with _open_tab() as tab:
            began = time.monotonic()
            tab.goto(line.split()[1])
            tab.wait_for_selector("body[data-ready]")
            print(f"review: usable {time.monotonic() - began:.1f} s after it was opened")
            tab.uncheck("#autoplay")
            tab.locator("#autoplay").blur()
            for key, act in (("j", "next"), ("a", "accept, save, next")):
                waited = [_press(tab, key) for _ in range(KEYS)]
                print(
                    f"{act}: median {np.median(waited):.0f} ms, worst {max(waited):.0f} ms of "
                    f"{KEYS}",
                    flush=True,
                )
    finally:
        server.terminate()
        server.wait()


def _press(tab, key: str) -> float:
    """Milliseconds from a key to the next clip."""
    shown = tab.evaluate("document.body.dataset.shown")
    began = time.monotonic()
    tab.keyboard.press(key)
    tab.wait_for_selector(f"body:not([data-shown='{shown}'])")
    waited = 1000 * (time.monotonic() - began)
    tab.wait_for_timeout(300)  # a person looks at it, and the neighbours are fetched meanwhile
    return waited


def _run(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "khmer_aligned.cli", *arguments],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(SOURCES)},
        stderr=subprocess.PIPE,
        text=True,
    )


@contextmanager
def _open_tab() -> Iterator[Any]:
    """A page in a headless Chromium."""
    from playwright.sync_api import sync_playwright

    from browser import WAIT, launch

    with sync_playwright() as player:
        chromium = launch(player)
        page = chromium.new_page(viewport={"width": 1200, "height": 800})
        page.set_default_timeout(WAIT)
        yield page
        chromium.close()


if __name__ == "__main__":
    main()
