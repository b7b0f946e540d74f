"""Captions that cover a part of a recording only: what the covered words lose to the rest.

    uv run python tests/benchmarks/bench_captions.py MODEL DATA

MODEL is a CTC model by folder or Hub id; DATA holds keosaly_labelled/ and sevakhum/. Each recording
is listened to once, clean and in noise. Captions of all its lines, exact, give the words that its
clips have; captions of some of the lines, and rough ones, are compared with them.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parent))
from bench_passages import add_noise
from bench_wild import BUNDLED, LAG, Line, Lines, clip_maker, compare, run

from joined import concatenate, read
from khmer_aligned import aligners, audio
from khmer_aligned.aligners.base import Aligner
from khmer_aligned.alignment.align import Failed, align
from khmer_aligned.clips.make import MakeClips
from khmer_aligned.recordings.timed import Caption, join
from khmer_aligned.text import Break, Transcript

SENTENCES = 24
FIRST = (0, 100, 300)  # of the joined recordings

PARTS: dict[str, Callable[[int, int], bool]] = {
    "all lines": lambda k, n: True,
    "the first half": lambda k, n: 2 * k < n,
    "the second half": lambda k, n: 2 * k >= n,
    "the middle": lambda k, n: n <= 4 * k < 3 * n,
    "every second line": lambda k, n: k % 2 == 0,
    "the others": lambda k, n: k % 2 == 1,
    "three of six": lambda k, n: k % 6 < 3,
    "one of four": lambda k, n: k % 4 == 1,
}


def rough(seed: int, deviation: float, held: float = 0.0) -> Callable[[Lines], Lines]:
    """Times that are off by a standard deviation, shown longer by up to `held` seconds."""
    random = np.random.default_rng(seed)
    return lambda lines: [
        Line(a + random.normal(0, deviation), b + random.normal(0, deviation)
             + random.uniform(0, held), text)
        for a, b, text in lines
    ]  # fmt: skip


def timeless(lines: Lines) -> Lines:
    """Every third line stands below the one before, in the time of that one."""
    merged: Lines = []
    for k, line in enumerate(lines):
        if k % 3 == 1:
            merged[-1] = merged[-1]._replace(text=f"{merged[-1].text}\n{line.text}")
        else:
            merged.append(line)
    return merged


TIMES: dict[str, Callable[[Lines], Lines]] = {
    "exact": lambda lines: lines,
    "off by 2 s": lambda lines: [Line(a + 2, b + 2, text) for a, b, text in lines],
    "drifting 1 %": lambda lines: [Line(1.01 * a, 1.01 * b, text) for a, b, text in lines],
    "both": lambda lines: [Line(1.01 * a + 2, 1.01 * b + 2, text) for a, b, text in lines],
    "rough by 0.3 s": rough(1, 0.3, 0.5),
    "rough by 0.7 s": rough(2, 0.7, 1.0),
    "shown for 1 s": lambda lines: [Line(a, a + 1, text) for a, _, text in lines],
    "a part of 20 s more": lambda lines: [
        Line(a + 20 * (2 * k > len(lines)), b + 20 * (2 * k > len(lines)), text)
        for k, (a, b, text) in enumerate(lines)
    ],
    "some without times": timeless,
}  # fmt: skip


class Recorded(NamedTuple):
    """A recording and its lines."""

    name: str
    waveform: np.ndarray
    lines: Lines


def read_joined(labelled: Path, first: int) -> Recorded:
    joined = concatenate(read(labelled, first, SENTENCES))
    lines = [Line(s.start, s.end, joined.text[s.first : s.last].strip()) for s in joined.sentences]
    return Recorded(f"sentences from {first} on", joined.waveform, lines)


def read_announcement(path: Path, model: Aligner) -> Recorded | None:
    """An announcement, in lines of a sentence each; their times are those of its own alignment."""
    waveform = audio.load(path, name=path.name)
    transcript = Transcript.from_text(path.with_suffix(".txt").read_bytes().decode())
    (alignment,) = align([waveform], [transcript], model, lag=LAG)
    if isinstance(alignment, Failed):
        return None
    lines: Lines = []
    first = 0
    for k, word in enumerate(alignment.transcript.words):
        if word.break_after >= Break.SENTENCE and k > first:
            a, b = alignment.words[first].start, alignment.words[k].end
            raw = transcript.raw[alignment.transcript.words[first].span[0] : word.slot[1]]
            lines.append(Line(a, b, " ".join(raw.split())))
            first = k + 1
    return Recorded(path.stem, waveform, lines) if len(lines) >= 4 else None


def try_one(recorded: Recorded, model: Aligner, make_clips: MakeClips) -> float:
    """Print a row for each part and each kind of times, and return the most that was lost."""
    emissions = model.emissions([recorded.waveform])
    worst = 0.0
    with patch.object(model, "emissions", lambda waveforms: emissions):
        clean, _ = run(make_clips, *join(map(Caption._make, recorded.lines)), recorded.waveform)
        for part, is_covered in PARTS.items():
            count = len(recorded.lines)
            covered = [line for k, line in enumerate(recorded.lines) if is_covered(k, count)]
            if not any(a <= word.start < b for a, b, _ in covered for word in clean):
                continue  # all of it is rejected whatever the captions say
            row = []
            for times in TIMES.values():
                captions = map(Caption._make, times(covered))
                words, _ = run(make_clips, *join(captions), recorded.waveform)
                lost, wrong = compare(clean, words, covered)
                worst = max(worst, lost)
                row.append(f"{lost:.1%} / {wrong:.1%}")
            print(f"| {recorded.name} | {part} | {' | '.join(row)} |", flush=True)
    return worst


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", metavar="MODEL")
    parser.add_argument("data", metavar="DATA", type=Path)
    parser.add_argument("--tokenizer", default=str(BUNDLED), help="of Whisper, for the clips")
    parser.add_argument("--noise", type=float, help="decibels of speech over noise")
    parser.add_argument("--only", help="recordings whose name holds this")
    options = parser.parse_args()
    model = aligners.load(options.model)
    make_clips = clip_maker(model, options.tokenizer)
    recordings = [read_joined(options.data / "keosaly_labelled", first) for first in FIRST]
    for path in sorted((options.data / "sevakhum").glob("*.mp3")):
        if recorded := read_announcement(path, model):
            recordings.append(recorded)
    print(
        f"Words lost / wrong words kept\n\n| recording | lines | {' | '.join(TIMES)} |\n"
        f"|---|---|{'---|' * len(TIMES)}"
    )
    worst = 0.0
    for recorded in recordings:
        if options.only and options.only not in recorded.name:
            continue
        if options.noise is not None:
            noisy = add_noise(recorded.waveform, options.noise)
            recorded = recorded._replace(waveform=noisy)
        worst = max(worst, try_one(recorded, model, make_clips))
    print(f"\nmost lost: {worst:.1%}")


if __name__ == "__main__":
    main()
