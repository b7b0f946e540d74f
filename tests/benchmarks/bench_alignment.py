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
from khmer_aligned.aligners import windows
from khmer_aligned.aligners.base import Aligner, frame_seconds
from khmer_aligned.alignment import viterbi
from khmer_aligned.schema import SAMPLE_RATE
from khmer_aligned.text import Transcript

_BUNDLED = Path(__file__).parents[2] / "training" / "khmer_whisper" / "demo" / "assets" / "whisper"
HOURS = 3.0
# The peak of a child begins with that of the process that forks it, so a small one has to.
_PEAK = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


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
    """Windows against the whole recording at once, a minute at a time.

    Beside it what the model alone makes of a change far away: one pass, too, but over the same
    minute without its last seconds.
    """
    waveform = concatenate(read(data / "keosaly_labelled", 0, 160)).waveform
    minute = 60 * SAMPLE_RATE
    minutes = [waveform[i : i + minute] for i in range(0, len(waveform) - minute + 1, minute)]
    with patch.object(windows, "WINDOW_SECONDS", 120.0):
        whole = [model.emissions([each])[0] for each in minutes]
        shorter = [model.emissions([each[: -2 * SAMPLE_RATE]])[0] for each in minutes]
    print(
        f"\nAgainst one pass, {len(minutes)} recordings of 60 s\n\n"
        "| | frames | same best label | within a frame | the others: better by, median "
        "| within 2 s of a seam | labels | their starts within a frame |\n"
        "|---|---|---|---|---|---|---|---|"
    )
    _compare("one pass without the last 2 s", shorter, whole, model)
    for context in sorted({windows.CONTEXT_SECONDS, 2.0, 10.0}):
        with patch.object(windows, "CONTEXT_SECONDS", context):
            windowed = [model.emissions([each])[0] for each in minutes]
        chosen = ", the default" if context == windows.CONTEXT_SECONDS else ""
        _compare(f"windows with {context:.0f} s of context{chosen}", windowed, whole, model)


def _compare(name: str, ours: list[np.ndarray], whole: list[np.ndarray], model: Aligner) -> None:
    """One row: `ours` against the beginning of `whole`, as long as it is."""
    near = labels_met = moved = 0
    same, lost, seam = [], [], []
    period = windows.WINDOW_SECONDS / frame_seconds(model)
    for emission, other in zip(ours, whole, strict=True):
        other = other[: len(emission)]
        here, there = emission.argmax(1), other.argmax(1)
        padded = np.pad(there, 1, mode="edge")
        same.append(here == there)
        near += np.count_nonzero(same[-1] | (here == padded[:-2]) | (here == padded[2:]))
        apart = np.flatnonzero(~same[-1])
        lost.append(other[apart, there[apart]] - other[apart, here[apart]])
        seam.append(np.abs(apart - period) * frame_seconds(model) < 2)
        # What the model hears in one pass, as the text.
        peaks = there[np.flatnonzero(np.diff(there, prepend=model.blank))]
        labels = peaks[peaks != model.blank]
        starts = [
            viterbi.merge(viterbi.align(e, labels, model.blank), labels).start
            for e in (emission, other)
        ]
        labels_met += len(labels)
        moved += np.count_nonzero(np.abs(starts[0] - starts[1]) > 1)
    frames = sum(map(len, ours))
    print(
        f"| {name} | {frames:,} | {np.concatenate(same).mean():.2%} | {near / frames:.2%} "
        f"| {np.median(np.concatenate(lost)):.2f} nats | {np.concatenate(seam).mean():.0%} "
        f"| {labels_met:,} | {1 - moved / labels_met:.2%} |",
        flush=True,
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
        labels = np.array([label for word in text.words for label in model.tokens(word).ids])
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
        command = [sys.executable, "-c", _PEAK, sys.executable, "-m", "khmer_aligned.cli", "align"]
        command += [recording, text, "--aligner", source, "--format", "json", "-o", out]
        begin = time.perf_counter()
        done = subprocess.run(
            list(map(str, command)), check=True, stdout=subprocess.PIPE, text=True
        )
        wall = time.perf_counter() - begin
        peak = int(done.stdout) << 10
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
