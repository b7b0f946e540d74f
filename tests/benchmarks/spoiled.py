"""Transcripts with lines missing, swapped or never spoken: what of them gets into clips.

A sentence is a line. The recording stays as it was read and the text is spoiled, so that a
recording is listened to once. The pipeline is the build's own, from the recording's bytes to
clips and rejections.
"""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from unittest.mock import patch

import numpy as np

from joined import Joined, Sentence, concatenate, read
from khmer_aligned import audio
from khmer_aligned.aligners.base import Aligner
from khmer_aligned.alignment.align import locate
from khmer_aligned.alignment.lag import recording_lag
from khmer_aligned.alignment.thresholds import Thresholds
from khmer_aligned.clips import quality
from khmer_aligned.clips.labels import LabelCounter
from khmer_aligned.clips.make import MakeClips
from khmer_aligned.dataset.config import MAX_CLIP_LABELS
from khmer_aligned.errors import Failed
from khmer_aligned.schema import RECORDING_FEATURES, SAMPLE_RATE
from khmer_aligned.text import Transcript

SHARE = 0.1  # of the lines, spoiled in one way
MINUTES = 8.0  # of a recording
TOUCH = 0.3  # seconds of a missing line that a clip may hold: its own margin
RIGHT, MISSING, SWAPPED, NEVER = "right", "missing", "swapped", "never spoken"
CASES = {
    "nothing": (),
    MISSING: (MISSING,),
    SWAPPED: (SWAPPED,),
    NEVER: (NEVER,),
    "all three": (MISSING, SWAPPED, NEVER),
}


@dataclass(frozen=True)
class Line:
    """A line of the spoiled transcript, and the seconds in which it is spoken, if it is."""

    text: str
    kind: str
    spoken: tuple[float, float] | None


@dataclass(frozen=True)
class Recording:
    """Sentences in the order they are spoken, each with its seconds, and the file they make."""

    sentences: list[Sentence]
    spoken: list[tuple[float, float]]
    flac: bytes

    @classmethod
    def of(cls, sentences: list[Sentence], joined: Joined, speed: float = 1.0) -> Recording:
        """Sentences that were joined, and changed in speed."""
        spoken = [
            (place.start + sentence.spoken[0] / speed, place.start + sentence.spoken[1] / speed)
            for sentence, place in zip(sentences, joined.sentences, strict=True)
        ]
        return cls(sentences, spoken, audio.encode_flac(joined.waveform))


def recordings(sentences: Sequence[Sentence]) -> list[Recording]:
    """The sentences in their order, in recordings of about `MINUTES`."""
    total = sum(len(sentence.waveform) for sentence in sentences) / SAMPLE_RATE / 60
    parts = np.array_split(np.arange(len(sentences)), max(1, round(total / MINUTES)))
    chosen = [[sentences[i] for i in part] for part in parts]
    return [Recording.of(part, concatenate(part)) for part in chosen]


def spoil(
    recording: Recording, kinds: Sequence[str], others: Sequence[str], seed: int
) -> tuple[list[Line], list[tuple[float, float]]]:
    """Lines of a transcript spoiled in each of `kinds`, and the seconds that it does not hold."""
    rng = np.random.default_rng(seed)
    lines = [
        Line(sentence.text.replace(" ", ""), RIGHT, spoken)
        for sentence, spoken in zip(recording.sentences, recording.spoken, strict=True)
    ]
    count = round(SHARE * len(lines))
    missing, swapped = set(), set()
    if SWAPPED in kinds:
        while len(swapped) < count:
            k = int(rng.integers(len(lines) - 1))
            if not {k, k + 1} & swapped:
                swapped |= {k, k + 1}
                lines[k], lines[k + 1] = (
                    Line(lines[j].text, SWAPPED, lines[j].spoken) for j in (k + 1, k)
                )
    if MISSING in kinds:
        whole = sorted(set(range(len(lines))) - swapped)
        missing = set(rng.choice(whole, count, replace=False).tolist())
    unwritten = [lines[k].spoken for k in sorted(missing)]
    # A line never spoken stands before line k, or at the very end.
    before = set()
    if NEVER in kinds:
        free = [k for k in range(len(lines) + 1) if not {k - 1, k} <= swapped]
        before = set(rng.choice(free, count, replace=False).tolist())
    strange = iter(rng.choice(len(others), len(before), replace=False).tolist())
    spoiled = []
    for k in range(len(lines) + 1):
        if k in before:
            spoiled.append(Line(others[next(strange)].replace(" ", ""), NEVER, None))
        if k < len(lines) and k not in missing:
            spoiled.append(lines[k])
    return spoiled, unwritten


@dataclass(frozen=True)
class Outcome:
    """A clip or a rejection: characters of the transcript, seconds, and why it was rejected."""

    span: tuple[int, int]
    seconds: tuple[float, float]
    reason: str | None  # None for a clip
    figures: dict[str, float]


@dataclass(frozen=True)
class Fate:
    """What became of a line, in shares of its characters.

    kept: in clips that hold as much of its speech; wrong: in clips that do not.
    pieces: the clips and rejections that hold it, each with whether it holds its speech.
    """

    line: Line
    kept: float
    wrong: float
    pieces: tuple[tuple[Outcome, bool], ...]


def run(make_clips: MakeClips, recording: Recording, lines: list[Line]) -> list[Outcome]:
    """The build's own step on one recording: its clips and rejections, which tile the text."""
    text = "".join(line.text + "\n" for line in lines)
    row = dict.fromkeys(RECORDING_FEATURES) | {
        "id": "joined",
        "recording": "joined",
        "path": "joined",
        "audio": {"bytes": recording.flac, "path": None},
        "text": text,
    }
    measured = []

    def measure(*args):
        measured.append(quality_measure(*args))
        return measured[-1]

    quality_measure = quality.measure
    with patch.object(quality, "measure", measure):  # a clip does not tell its figures
        columns = make_clips({name: [value] for name, value in row.items()})
    outcomes, at, pieces = [], 0, iter(measured)
    for values in zip(*columns.values(), strict=True):
        one = dict(zip(columns, values, strict=True))
        span = at, at + one["characters"]
        at = span[1]
        figures = next(pieces).as_row() if one["characters"] else {}
        if one["rejection"] is None:
            outcomes.append(Outcome(span, (one["start"], one["end"]), None, figures))
        else:
            told = json.loads(one["rejection"])
            outcomes.append(Outcome(span, (told["start"], told["end"]), told["reason"], figures))
    assert at == len(text), "the outcomes of a build tile its text"
    return outcomes


def overlap(a: tuple[float, float], b: tuple[float, float]) -> float:
    return max(0.0, min(a[1], b[1]) - max(a[0], b[0]))


def fates(lines: list[Line], outcomes: list[Outcome]) -> list[Fate]:
    """What became of each line of the transcript."""
    found, begin = [], 0
    for line in lines:
        span = begin, begin + len(line.text)
        begin = span[1] + 1
        kept = wrong = 0.0
        pieces = []
        for each in outcomes:
            share, said = overlap(each.span, span) / len(line.text), 0.0
            if not share:
                continue
            if line.spoken:
                said = overlap(each.seconds, line.spoken) / (line.spoken[1] - line.spoken[0])
            spoken = said >= share / 2
            pieces.append((each, spoken))
            if each.reason is None:
                kept, wrong = kept + share * spoken, wrong + share * (not spoken)
        found.append(Fate(line, kept, wrong, tuple(pieces)))
    return found


@dataclass
class Tally:
    """Over recordings and seeds: lines, and of each missing one its seconds and those in clips."""

    fates: list[Fate] = field(default_factory=list)
    missing: list[tuple[float, float]] = field(default_factory=list)

    def of(self, kind: str) -> list[Fate]:
        return [fate for fate in self.fates if fate.line.kind == kind]


def tally(
    make_clips: MakeClips,
    parts: Sequence[Recording],
    kinds: Sequence[str],
    others: Sequence[str],
    seeds: int,
) -> Tally:
    """Every recording spoiled `seeds` times."""
    found = Tally()
    for seed in range(seeds):
        for k, recording in enumerate(parts):
            lines, unwritten = spoil(recording, kinds, others, 1000 * seed + k)
            outcomes = run(make_clips, recording, lines)
            found.fates += fates(lines, outcomes)
            clips = [each.seconds for each in outcomes if each.reason is None]
            for stretch in unwritten:
                leaked = sum(overlap(clip, stretch) for clip in clips)
                found.missing.append((stretch[1] - stretch[0], leaked))
    return found


def _lag(recording: Recording, aligner: Aligner) -> float:
    """The aligner's lag, as one recording with its right text tells it."""
    whole = concatenate(recording.sentences, spaced=False)
    (located,) = locate([whole.waveform], [Transcript.from_text(whole.text)], aligner)
    assert not isinstance(located, Failed)
    seconds = recording_lag(located.edges)
    assert seconds is not None
    return seconds


def report(aligner: Aligner, tokenizer: str, data: Path, seeds: int) -> None:
    """Print what becomes of each kind of line, each kind alone and all together."""
    parts = recordings(read(data / "keosaly_labelled"))
    with (data / "keosaly" / "metadata.csv").open(encoding="utf-8") as file:
        others = [row["transcription"].strip() for row in csv.DictReader(file)]
    make_clips = MakeClips(
        aligner="",
        tokenizer=tokenizer,
        max_labels=MAX_CLIP_LABELS,
        lag=_lag(parts[0], aligner),
        thresholds=Thresholds(),
        _models=(aligner, LabelCounter(tokenizer)),
    )
    minutes = sum(recording.spoken[-1][1] for recording in parts) / 60
    print(
        f"\n{len(parts)} recordings, {minutes:.0f} min, {seeds} seeds, "
        f"{SHARE:.0%} of the lines spoiled in each way; goals 95 % and 90 %\n\n"
        "| spoiled | wrong stretches | in no clip | of their length | right lines "
        "| kept | lost beside a wrong line | lost alone |\n|---|---|---|---|---|---|---|---|"
    )
    for name, kinds in CASES.items():
        found = tally(make_clips, parts, kinds, others, seeds)
        print(f"| {name} | {_wrong(found)} | {_right(found)} |", flush=True)
    reasons = {
        kind: Counter(_told(*piece) for fate in found.of(kind) for piece in fate.pieces)
        for kind in (RIGHT, SWAPPED, NEVER)
    }
    print(f"\n| {name}: what became of it | " + " | ".join(reasons) + " |\n|---|---|---|---|")
    for reason in sorted(set().union(*reasons.values())):
        print(f"| {reason} | " + " | ".join(str(each[reason]) for each in reasons.values()) + " |")


def _wrong(found: Tally) -> str:
    """Stretches, the share of them that is in no clip, and the share of their length."""
    lines = [fate for fate in found.fates if fate.line.kind != RIGHT]
    whole = [len(fate.line.text) for fate in lines]
    if not lines and not found.missing:
        return "0 | - | -"
    absent = [fate.wrong == 0 for fate in lines] + [s <= TOUCH for _, s in found.missing]
    lengths = []
    if lines:
        share = sum(fate.wrong * n for fate, n in zip(lines, whole, strict=True)) / sum(whole)
        lengths.append(f"{1 - share:.1%} of characters")
    if found.missing:
        seconds, leaked = np.sum(found.missing, axis=0)
        lengths.append(f"{1 - leaked / seconds:.1%} of seconds")
    return f"{len(absent)} | {np.mean(absent):.1%} | {', '.join(lengths)}"


def _right(found: Tally) -> str:
    """Right lines, the share kept, and of the others whether a wrong line is in their piece."""
    tainted = {id(o) for f in found.fates if f.line.kind != RIGHT for o, _ in f.pieces}
    right = found.of(RIGHT)
    beside = alone = 0.0
    for fate in right:
        guilty = any(o.reason and id(o) in tainted for o, _ in fate.pieces)
        beside, alone = (
            (beside + 1 - fate.kept, alone) if guilty else (beside, alone + 1 - fate.kept)
        )
    kept = sum(fate.kept for fate in right)
    return f"{len(right)} | {kept / len(right):.1%} | {beside:.0f} | {alone:.0f}"


def _told(outcome: Outcome, spoken: bool) -> str:
    if outcome.reason is not None:
        return outcome.reason
    return "in a clip, spoken there" if spoken else "in a clip, not spoken there"
