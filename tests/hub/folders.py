"""Small real folders to publish, and the steps of a user who publishes and loads them."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import soundfile as sf

from khmer_aligned.schema import CLIP_FEATURES, SAMPLE_RATE

from .fixtures import Hub

CLIENT = Path(__file__).with_name("client.py")
CARD = "---\nlanguage: km\nlicense: cc-by-4.0\n---\n# Clips\n"
TEXTS = ["សួស្តី", "ខ្ញុំរៀនភាសាខ្មែរ", "ថ្ងៃនេះមេឃស្រឡះ"]


def dataset(folder: Path, shards: int = 2, *, seconds: float = 1.0, seed: int = 0) -> Path:
    """A built dataset: `shards` shards of train with two clips each, and one of test."""
    noise = np.random.default_rng(seed)
    (folder / "data").mkdir(parents=True, exist_ok=True)
    for split, count in (("train", shards), ("test", 1)):
        for shard in range(count):
            name = f"{split}-{shard:05d}-of-{count:05d}.parquet"
            clips = [_clip(f"{split}{shard}", index, seconds, noise) for index in range(2)]
            table = pa.Table.from_pylist(clips, schema=CLIP_FEATURES.arrow_schema)
            pq.write_table(table, folder / "data" / name)
    (folder / "README.md").write_text(CARD, encoding="utf-8")
    (folder / "build.json").write_text(json.dumps({"seed": seed}), encoding="utf-8")
    (folder / "rejected.jsonl").write_text("", encoding="utf-8")
    return folder


def _clip(recording: str, index: int, seconds: float, noise: np.random.Generator) -> dict:
    samples = noise.normal(scale=0.05, size=round(seconds * SAMPLE_RATE)).astype(np.float32)
    flac = io.BytesIO()
    sf.write(flac, samples, SAMPLE_RATE, format="FLAC")
    text = TEXTS[index % len(TEXTS)]
    return {
        "id": f"{recording}-{index:05d}",
        "audio": {"bytes": flac.getvalue(), "path": None},
        "text": text,
        "spoken": text,
        "words": [{"text": text, "start": 0.25, "end": 0.75, "score": 0.5}],
        "duration": seconds,
        "score": 0.5,
        "recording": recording,
        "speaker": None if index else "sokha",
        "start": index * seconds,
        "end": (index + 1) * seconds,
    }


def steps(hub: Hub, *calls: tuple[str, dict], **options) -> list[dict]:
    """Run client.py's steps in one process against the Hub; each step's answer.

    A step is done with the token of the run, or with its argument `token` where it has one.
    """
    program = [sys.executable, str(CLIENT), json.dumps(calls, default=str)]
    done = hub.run(program, **options)
    assert done.returncode == 0, done.stderr
    for token in filter(None, (arguments.get("token") for _, arguments in calls)):
        assert token not in done.stdout + done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]
