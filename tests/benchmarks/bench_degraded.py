"""What is kept of degraded recordings, what of that is wrong, and how far its times are off.

    uv run --group benchmarks python tests/benchmarks/bench_degraded.py MODEL DATA TOKENIZER

MODEL and DATA are as for bench_conditions.py; TOKENIZER is a Whisper's, for the clips. Of each
recording the lines are spoiled in three ways, 10 % each: missing from the text, exchanged with
their neighbour, never spoken. Times are of the clips that are kept; ends are those of the last
words of clips, against what the clip's audio still holds.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
import spoiled
from conditions import CONDITIONS, DEGRADED, Condition

from joined import Joined, Sentence, read
from khmer_aligned import aligners
from khmer_aligned.aligners.base import Aligner
from khmer_aligned.alignment import align
from khmer_aligned.alignment.thresholds import Thresholds
from khmer_aligned.clips.labels import LabelCounter
from khmer_aligned.clips.make import MakeClips
from khmer_aligned.dataset.config import MAX_CLIP_LABELS

SENTENCES, FIRST = 45, (0, 170)  # in a recording, and where each of them begins
SEEDS = 2
KINDS = (spoiled.MISSING, spoiled.SWAPPED, spoiled.NEVER)
HEAD = (
    "| condition | kept of right lines | clips | wrong text | unwritten speech | together "
    "| starts off, median and p90, ms | ends of clips | cut by over 50 ms |\n"
    "|---|---|---|---|---|---|---|---|---|"
)


class OneEmission:
    """An aligner that remembers the emission of its one recording."""

    def __init__(self, aligner: Aligner) -> None:
        self._aligner = aligner
        self._emissions: list[np.ndarray] = []

    def __getattr__(self, name: str) -> object:
        return getattr(self._aligner, name)

    def emissions(self, waveforms: list[np.ndarray]) -> list[np.ndarray]:
        if not self._emissions:
            self._emissions = self._aligner.emissions(waveforms)
        return self._emissions


@dataclass
class Found:
    """Of one condition: shares of right lines kept; of each clip whether it holds text that was not
    spoken, and over 0.3 s of unwritten speech; seconds that words start late, and that the last
    words of clips end behind their clip."""

    sentences: list[Sentence]
    kept: list[float] = field(default_factory=list)
    wrong: list[bool] = field(default_factory=list)
    leaks: list[bool] = field(default_factory=list)
    starts: list[float] = field(default_factory=list)
    ends: list[float] = field(default_factory=list)

    def row(self, name: str) -> str:
        leaks = sum(leak and not wrong for leak, wrong in zip(self.leaks, self.wrong, strict=True))
        together = (sum(self.wrong) + leaks) / max(1, len(self.wrong))
        off = np.abs(self.starts or [np.nan]) * 1000
        cut = sum(end > 0.05 for end in self.ends)
        return (
            f"| {name} | {np.mean(self.kept):.1%} | {len(self.wrong)} | {sum(self.wrong)} "
            f"| {leaks} | {together:.1%} | {np.median(off):.0f}, {np.percentile(off, 90):.0f} "
            f"| {len(self.ends)} | {cut} |"
        )


@dataclass(frozen=True)
class TrueWord:
    """A trusted word of a right line: its first character in the spoiled text, its seconds, and
    behind which character its line ends if it is the last one there."""

    position: int
    start: float
    end: float
    line_end: int | None


def true_words(
    recording: spoiled.Recording, joined: Joined, speed: float, lines: list[spoiled.Line]
) -> Iterator[TrueWord]:
    places = dict(zip(recording.spoken, range(len(recording.spoken)), strict=True))
    begin = 0
    for line in lines:
        first, begin = begin, begin + len(line.text) + 1
        if line.kind != spoiled.RIGHT:
            continue
        k = places[line.spoken]
        words, searched = recording.sentences[k].words, 0
        for word in words:
            at = line.text.find(word.text, searched)
            if at < 0:
                continue
            searched = at + len(word.text)
            if word.trusted:
                start, end = (joined.sentences[k].start + t / speed for t in word[1:3])
                yield TrueWord(first + at, start, end, begin if word is words[-1] else None)


def measure(
    found: Found, make_clips: MakeClips, others: list[str], condition: Condition, index: int
) -> None:
    """Add what becomes of one recording, spoiled `SEEDS` times."""
    part = found.sentences[FIRST[index] : FIRST[index] + SENTENCES]
    joined = condition.make(part, index)
    recording = spoiled.Recording.of(part, joined, condition.speed)
    alignments, align_unpatched = [], align.align

    def align_and_keep(*args: Any, **options: Any) -> list:
        alignments.extend(align_unpatched(*args, **options))
        return alignments[-1:]

    for seed in range(SEEDS):
        lines, unwritten = spoiled.spoil(recording, KINDS, others, 1000 * seed + index)
        with patch.object(align, "align", align_and_keep):
            outcomes = spoiled.run(make_clips, recording, lines)
        fates = spoiled.fates(lines, outcomes)
        found.kept += [fate.kept for fate in fates if fate.line.kind == spoiled.RIGHT]
        clips = [outcome for outcome in outcomes if outcome.reason is None]
        wrong = {id(o) for fate in fates for o, spoken in fate.pieces if not spoken}
        for clip in clips:
            leaked = sum(spoiled.overlap(clip.seconds, stretch) for stretch in unwritten)
            found.wrong.append(id(clip) in wrong)
            found.leaks.append(leaked > spoiled.TOUCH)
        starts = {word.span[0]: word.start for word in alignments[-1].words}
        for word in true_words(recording, joined, condition.speed, lines):
            for clip in clips:
                if not clip.span[0] <= word.position < clip.span[1]:
                    continue
                if word.position in starts:
                    found.starts.append(starts[word.position] - word.start)
                if word.line_end is not None and clip.span[1] <= word.line_end:
                    found.ends.append(word.end - clip.seconds[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", metavar="MODEL")
    parser.add_argument("data", metavar="DATA", type=Path)
    parser.add_argument("tokenizer", metavar="TOKENIZER")
    parser.add_argument("--only", default="", help="conditions whose name holds this")
    parser.add_argument("--lag", type=float, required=True, help="of the model, in seconds")
    options = parser.parse_args()
    model = aligners.load(options.model)
    count_labels = LabelCounter(options.tokenizer)
    sentences = read(options.data / "keosaly_labelled")
    with (options.data / "keosaly" / "metadata.csv").open(encoding="utf-8") as file:
        others = [row["transcription"].strip() for row in csv.DictReader(file)]
    print(HEAD)
    for condition in [*CONDITIONS, *DEGRADED]:
        if condition.gaps != "room" or options.only not in condition.name:
            continue
        found = Found(sentences)
        for index in range(len(FIRST)):
            make_clips = MakeClips(
                aligner="",
                tokenizer=options.tokenizer,
                max_labels=MAX_CLIP_LABELS,
                lag=options.lag,
                thresholds=Thresholds(),
                _models=(OneEmission(model), count_labels),
            )
            measure(found, make_clips, others, condition, index)
        print(found.row(condition.name), flush=True)


if __name__ == "__main__":
    main()
