"""Memory and time of the plan, the join and a second start, by the number of recordings.

    python tests/benchmarks/bench_scale.py 1000 100000 1000000

Recordings and outcomes are synthetic: a sentence of some sixty letters, a clip and a fingerprint
for each recording, sixteen bytes in place of its audio, and copies of one recording and one
sentence in a thousand. Each step runs in a process of its own, whose peak memory is given with the
libraries that it loads.
"""

from __future__ import annotations

import os
import resource
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from pathlib import Path

import datasets
import numpy as np
import pyarrow as pa

from khmer_aligned.clips.make import OUTCOME_FEATURES
from khmer_aligned.dataset.build import build
from khmer_aligned.dataset.config import BuildConfig
from khmer_aligned.dataset.join import join
from khmer_aligned.dataset.outcomes import write_outcomes
from khmer_aligned.dataset.plan import make_plan
from khmer_aligned.dataset.state import require_plan
from khmer_aligned.recordings import sources
from khmer_aligned.schema import Recording
from khmer_whisper.demo.tokenizer import byte_tokenizer

ROOT = Path(__file__).parents[2]
ALIGNER = ROOT / "training" / "khmer_whisper" / "demo" / "assets" / "aligner"
SYLLABLES = [a + b for a in "កខគងចជញដតថទនបផពមយរលវសហអ" for b in ("", "ា", "ិ", "ុ", "េ", "ោ")]
COPIES = 1_000  # of so many recordings and sentences, one is a copy


def sentence(i: int) -> str:
    """The text of a recording: words of two syllables, as often as words are by Zipf's law."""
    rng = np.random.default_rng(i - COPIES // 2 if i % COPIES == COPIES // 2 + 1 else i)
    ranks = np.minimum(rng.zipf(1.2, 12), len(SYLLABLES) ** 2) - 1
    words = (SYLLABLES[r // len(SYLLABLES)] + SYLLABLES[r % len(SYLLABLES)] for r in ranks)
    return " ".join(words)


def recordings(count: int) -> Iterator[Recording]:
    for i in range(count):
        name = f"speaker-{i // 200:05d}/recording-{i:07d}"
        audio = i.to_bytes(16, "little")
        yield Recording(name, name, audio, sentence(i), name, speaker=f"speaker-{i // 200:05d}")


def use_synthetic(count: int) -> None:
    """Make `sources` locate and read the synthetic recordings, whatever the name."""
    source = sources.Source(lambda _: True, lambda _: recordings(count), ())
    sources.SOURCES["synthetic"] = source
    corpus = sources.Corpus("synthetic", "synthetic", str(count))
    sources.locate = lambda name: sources.Place(name, corpus.kind, corpus.content)
    sources.take = lambda *_: corpus


def plan(out: Path, count: int) -> str:
    use_synthetic(count)
    config = BuildConfig(str(ALIGNER), str(out.parent / "tokenizer"), lag=0.04)
    return f"{len(make_plan('synthetic', out, config).shards)} shards"


def fill(out: Path, count: int) -> str:
    """Write outcomes for all shards, as the aligner would."""
    del count
    planned = require_plan(out)
    rows = planned.recordings()
    for index in planned.missing:
        part = planned.rows(index)
        outcomes = _outcomes(rows.select(part["row"].to_numpy()), part)
        name = planned.shards[index]
        write_outcomes(
            outcomes, part["key"], planned.state.clips(name), planned.state.outcomes(name)
        )
    return ""


def _outcomes(rows: datasets.Dataset, part: pa.Table) -> datasets.Dataset:
    texts, ids, count = rows["text"][:], rows["id"][:], len(rows)
    rng = np.random.default_rng(part["row"][0].as_py())
    samples = rng.integers(2 * 16_000, 10 * 16_000, count)
    numbers = np.sort(rng.integers(0, 2_700_000, (count, 32), dtype=np.uint32), axis=1)
    for i, row in enumerate(part["row"].to_pylist()):
        if row % COPIES in (2, 3):  # two recordings with one sound
            copy = np.random.default_rng(row // COPIES)
            numbers[i] = np.sort(copy.integers(0, 2_700_000, 32, dtype=np.uint32))
            samples[i] = 16_000 * 3 + row // COPIES
    columns = {
        "id": [f"{id}-00000" for id in ids],
        "audio": [{"bytes": id.encode(), "path": None} for id in ids],
        "text": texts,
        "spoken": texts,
        "words": [[{"text": text[:4], "start": 0.0, "end": 1.0, "score": 0.9}] for text in texts],
        "duration": samples / 16_000,
        "score": np.full(count, 0.9),
        "recording": rows["recording"][:],
        "speaker": rows["speaker"][:],
        "start": np.zeros(count),
        "end": samples / 16_000,
        "rejection": [None] * count,
        "samples": samples,
        "characters": [len(text) for text in texts],
        "raw": texts,
        "raw_first": np.zeros(count, np.int64),
        "path": [f"{name}.flac" for name in rows["recording"][:]],
        "recording_samples": samples,
        "recording_characters": [len(text) for text in texts],
        "differing_lag": [None] * count,
        "fingerprint": [row.tobytes() for row in numbers],
    }
    features = datasets.Features({name: OUTCOME_FEATURES[name] for name in columns})
    table = pa.table(columns).cast(features.arrow_schema)
    return datasets.Dataset(datasets.table.InMemoryTable(table))


def join_all(out: Path, count: int) -> str:
    use_synthetic(count)
    report = join(out, licence="cc0-1.0").report
    found = report["duplicates"]
    linked = sum(path.stat().st_nlink > 1 for path in (out / "data").iterdir())
    return (
        f"{sum(s['clips'] for s in report['splits'].values()):,} clips, {found['equal']} equal and "
        f"{found['nearly_equal']} nearly equal taken out, {len(found['recordings'])} recordings "
        f"given twice, {linked} of {len(report['files'])} files linked"
    )


def again(out: Path, count: int) -> str:
    use_synthetic(count)
    config = BuildConfig(str(ALIGNER), str(out.parent / "tokenizer"), lag=0.04)
    return f"increment {build('synthetic', out, config).report['increment']}"


STEPS = {"plan": plan, "fill": fill, "join": join_all, "again": again}


def run(step: str, out: Path, count: int) -> None:
    """Run a step in a process of its own, which has everything imported, and print its figures."""
    process = os.fork()
    if process:
        if os.waitpid(process, 0)[1]:
            sys.exit(f"{step} failed")
        return
    try:
        began, cpu = time.monotonic(), time.process_time()
        result = STEPS[step](out, count)
        seconds, cpu = time.monotonic() - began, time.process_time() - cpu
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        if step != "fill":
            figures = f"{seconds:.1f} s ({cpu:.1f} s of CPU), {peak:,.0f} MB, {result}"
            print(f"{count:>9,} {step:<6} {figures}", flush=True)
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def main() -> None:
    for count in map(int, sys.argv[1:]):
        with tempfile.TemporaryDirectory() as scratch:
            byte_tokenizer().save_pretrained(Path(scratch) / "tokenizer")
            for step in STEPS:
                run(step, Path(scratch) / "out", count)


if __name__ == "__main__":
    main()
