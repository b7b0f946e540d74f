"""How good alignments are, the peers' and ours on the same emissions in one run.

    uv run --group benchmarks python tests/benchmarks/bench_alignment.py MODEL DATA
    uv run --group benchmarks python tests/benchmarks/bench_alignment.py MODEL DATA --only gaps

MODEL is a CTC model by folder or Hub id. DATA is a folder of real speech:

    keosaly_labelled/   metadata.csv, word_times.tsv (id, word, start_s, end_s, ok), audio/
    words/              metadata.csv, audio/: single words
    keosaly/            metadata.csv, audio/: sentences, for the recording of three hours
"""

from __future__ import annotations

import argparse
import csv
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from hashlib import blake2b
from pathlib import Path
from unittest.mock import patch

import numpy as np
import soundfile as sf

sys.path.insert(0, str(Path(__file__).parents[1]))
import spoiled
import times

from joined import concatenate, read
from khmer_aligned import aligners, audio
from khmer_aligned.aligners import viterbi, windows
from khmer_aligned.aligners.base import Aligner
from khmer_aligned.schema import SAMPLE_RATE
from khmer_aligned.text import Transcript

_BUNDLED = Path(__file__).parents[2] / "training" / "khmer_whisper" / "demo" / "assets" / "whisper"
HOURS = 3.0


class Remembered:
    """An aligner that listens to the same recording once."""

    def __init__(self, aligner: Aligner) -> None:
        self._aligner = aligner
        self._known: dict[bytes, np.ndarray] = {}

    def __getattr__(self, name: str):
        return getattr(self._aligner, name)

    def emissions(self, waveforms: Sequence[np.ndarray]) -> list[np.ndarray]:
        keys = [blake2b(waveform).digest() for waveform in waveforms]
        for key, waveform in zip(keys, waveforms, strict=True):
            if key not in self._known:
                (self._known[key],) = self._aligner.emissions([waveform])
        return [self._known[key] for key in keys]


def one_pass(model: Aligner, data: Path) -> None:
    """Windows against the whole recording at once, a minute at a time."""
    waveform = concatenate(read(data / "keosaly_labelled", 0, 160)).waveform
    minute = 60 * SAMPLE_RATE
    same = near = frames = words = moved = 0
    for first in range(0, len(waveform) - minute + 1, minute):
        part = waveform[first : first + minute]
        (windowed,) = model.emissions([part])
        with patch.object(windows, "WINDOW_SECONDS", 120.0):
            (whole,) = model.emissions([part])
        here, there = windowed.argmax(1), whole.argmax(1)
        padded = np.pad(there, 1, mode="edge")
        frames += len(here)
        same += np.count_nonzero(here == there)
        near += np.count_nonzero((here == there) | (here == padded[:-2]) | (here == padded[2:]))
        # What the model hears in one pass, as the text.
        peaks = there[np.flatnonzero(np.diff(there, prepend=model.blank))]
        labels = peaks[peaks != model.blank]
        starts = [
            viterbi.merge(viterbi.align(e, labels, model.blank), labels).start
            for e in (windowed, whole)
        ]
        words += len(labels)
        moved += np.count_nonzero(np.abs(starts[0] - starts[1]) > 1)
    print(
        f"\nWindows of {windows.WINDOW_SECONDS:.0f} s with {windows.CONTEXT_SECONDS:.0f} s of "
        f"context against one pass, recordings of 60 s\n\n"
        "| frames | same best label | within a frame | labels | their starts within a frame |\n"
        "|---|---|---|---|---|\n"
        f"| {frames:,} | {same / frames:.2%} | {near / frames:.2%} "
        f"| {words:,} | {1 - moved / words:.2%} |"
    )


def batch(model: Aligner, data: Path) -> None:
    """Sentences side by side in padded batches against each alone."""
    sentences = read(data / "keosaly_labelled", 0, 60)
    waveforms = [sentence.waveform for sentence in sentences]
    sizes, run = [], windows._run

    def counted(front_end, inputs, group, device):
        sizes.append(len(group))
        return run(front_end, inputs, group, device)

    with (
        patch.dict(windows._BATCH_SECONDS, {"cpu": 600.0}),
        patch.object(windows, "_run", counted),
    ):
        together = model.emissions(waveforms)
    alone = [model.emissions([waveform])[0] for waveform in waveforms]
    furthest, paths = 0.0, 0
    for sentence, one, other in zip(sentences, together, alone, strict=True):
        furthest = max(furthest, float(np.abs(one - other).max()))
        text = Transcript.from_text(sentence.text)
        labels = np.array([label for word in text.words for label in model.labels(word).ids])
        found = [viterbi.align(e, labels, model.blank).position for e in (one, other)]
        paths += np.array_equal(*found)
    print(
        "\n| recordings | in batches of | same path | furthest log-probability |\n"
        "|---|---|---|---|\n"
        f"| {len(waveforms)} | {min(sizes)} to {max(sizes)} | {paths} | {furthest:.1e} |"
    )


def long(source: str, data: Path) -> None:
    """`khmer-aligned align` on three hours, as a process of its own."""
    with (data / "keosaly" / "metadata.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    with tempfile.TemporaryDirectory() as folder:
        recording, text = Path(folder) / "long.flac", Path(folder) / "long.txt"
        lines, samples, k = [], 0, 0
        with sf.SoundFile(recording, "w", SAMPLE_RATE, 1, "PCM_16") as file:
            while samples < HOURS * 3600 * SAMPLE_RATE:
                each = rows[k % len(rows)]
                waveform = audio.load(data / "keosaly" / each["file_name"], name="keosaly")
                file.write(np.clip(waveform, -1, 1))
                lines.append(each["transcription"].replace(" ", ""))
                samples, k = samples + len(waveform), k + 1
        text.write_text("\n".join(lines) + "\n", encoding="utf-8")
        out = Path(folder) / "long.json"
        command = [sys.executable, "-m", "khmer_aligned.cli", "align", recording, text]
        command += ["--aligner", source, "--format", "json", "-o", out]
        begin = time.perf_counter()
        subprocess.run(list(map(str, command)), check=True)
        wall = time.perf_counter() - begin
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss << 10
        found = json.loads(out.read_text(encoding="utf-8"))
    scores = np.array([word["score"] for word in found["words"]])
    print(
        "\n| audio | words | mean score | rejected | time | peak memory of the process |\n"
        "|---|---|---|---|---|---|\n"
        f"| {samples / SAMPLE_RATE / 3600:.2f} h | {len(scores):,} | {scores.mean():.3f} "
        f"| {len(found['rejected'])} | {wall:.0f} s | {peak / 1e9:.2f} GB |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", metavar="MODEL")
    parser.add_argument("data", metavar="DATA", type=Path)
    parser.add_argument("--only", action="append", help="a section; may be given again")
    parser.add_argument("--tokenizer", default=str(_BUNDLED), help="of Whisper, for the clips")
    parser.add_argument("--seeds", type=int, default=2, help="of spoiled transcripts")
    options = parser.parse_args()
    data = options.data
    model = aligners.load(options.model)
    remembered = Remembered(model)
    sections = {
        "sentences": partial(times.sentences, remembered, data),
        "words": partial(times.words, remembered, data),
        "gaps": partial(times.gaps, remembered, data),
        "spoiled": partial(spoiled.report, remembered, options.tokenizer, data, options.seeds),
        "windows": partial(one_pass, model, data),
        "batch": partial(batch, model, data),
        "long": partial(long, options.model, data),
    }
    unknown = set(options.only or ()) - set(sections)
    if unknown:
        parser.error(f"--only is one of {', '.join(sections)}")
    for name in options.only or sections:
        print(f"\n## {name}", flush=True)
        sections[name]()


if __name__ == "__main__":
    main()
