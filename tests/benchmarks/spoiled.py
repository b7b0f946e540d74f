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

from joined import Sentence, read
from khmer_aligned import audio, quality
from khmer_aligned.aligners.base import Aligner
from khmer_aligned.clips import MakeClips
from khmer_aligned.schema import MAX_CLIP_TOKENS, RECORDING_FEATURES, SAMPLE_RATE
from khmer_aligned.tokens import TokenCounter

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


@dataclass
class Recording:
    """Sentences in the order they are spoken, each with its seconds, and the file they make."""

    sentences: list[Sentence]
    spoken: list[tuple[float, float]] = field(default_factory=list)
    flac: bytes = b""

    def __post_init__(self) -> None:
        begin = 0.0
        for sentence in self.sentences:
            start, end = sentence.spoken
            self.spoken.append((begin + start, begin + end))
            begin += len(sentence.waveform) / SAMPLE_RATE
        waveform = np.concatenate([sentence.waveform for sentence in self.sentences])
        self.flac = audio.encode_flac(waveform)


def recordings(sentences: Sequence[Sentence]) -> list[Recording]:
    """The sentences in their order, in recordings of about `MINUTES`."""
    total = sum(len(sentence.waveform) for sentence in sentences) / SAMPLE_RATE / 60
    parts = np.array_split(np.arange(len(sentences)), max(1, round(total / MINUTES)))
    return [Recording([sentences[i] for i in part]) for part in parts]


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
    """What became of a line, in shares of its characters, and the outcomes that hold it.

    kept: in clips that hold as much of its speech; wrong: in clips that do not.
    """

    line: Line
    kept: float
    wrong: float
    held_by: tuple[Outcome, ...]


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
        held_by = tuple(each for each in outcomes if overlap(each.span, span))
        kept = wrong = 0.0
        for each in held_by:
            if each.reason is not None:
                continue
            share, said = overlap(each.span, span) / len(line.text), 0.0
            if line.spoken:
                said = overlap(each.seconds, line.spoken) / (line.spoken[1] - line.spoken[0])
            if said >= share / 2:
                kept += share
            else:
                wrong += share
        found.append(Fate(line, kept, wrong, held_by))
    return found


@dataclass
class Tally:
    """Sums over recordings and seeds, by kind of line."""

    lines: Counter = field(default_factory=Counter)
    kept: Counter = field(default_factory=Counter)  # lines' shares
    leaked: Counter = field(default_factory=Counter)  # lines with a share in a wrong clip
    characters: Counter = field(default_factory=Counter)
    leaked_characters: Counter = field(default_factory=Counter)
    seconds: float = 0.0  # of speech that the transcript does not hold
    leaked_seconds: float = 0.0
    reasons: Counter = field(default_factory=Counter)  # (kind, reason)
    fates: list[Fate] = field(default_factory=list)
    unwritten: list[tuple[float, float, tuple[Outcome, ...]]] = field(default_factory=list)

    def add(
        self, lines: list[Line], unwritten: list[tuple[float, float]], outcomes: list[Outcome]
    ) -> None:
        for fate in fates(lines, outcomes):
            kind, length = fate.line.kind, len(fate.line.text)
            self.lines[kind] += 1
            self.kept[kind] += fate.kept
            self.leaked[kind] += fate.wrong > 0
            self.characters[kind] += length
            self.leaked_characters[kind] += fate.wrong * length
            for each in fate.held_by:
                self.reasons[kind, each.reason or "kept"] += 1
            self.fates.append(fate)
        for stretch in unwritten:
            length = stretch[1] - stretch[0]
            within = [each for each in outcomes if each.reason is None]
            heard = tuple(each for each in within if overlap(each.seconds, stretch))
            leaked = sum(overlap(each.seconds, stretch) for each in heard)
            self.lines[MISSING] += 1
            self.leaked[MISSING] += leaked > TOUCH
            self.seconds += length
            self.leaked_seconds += leaked
            self.unwritten.append((*stretch, heard))


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
            found.add(lines, unwritten, run(make_clips, recording, lines))
    return found


def report(aligner: Aligner, tokenizer: str, data: Path, seeds: int) -> None:
    """Print what becomes of each kind of line, each kind alone and all together."""
    parts = recordings(read(data / "keosaly_labelled"))
    with (data / "keosaly" / "metadata.csv").open(encoding="utf-8") as file:
        others = [row["transcription"].strip() for row in csv.DictReader(file)]
    make_clips = MakeClips(
        aligner="",
        tokenizer=tokenizer,
        max_tokens=MAX_CLIP_TOKENS,
        offset=None,
        thresholds=quality.Thresholds(),
        _loaded=(aligner, TokenCounter(tokenizer)),
    )
    minutes = sum(recording.spoken[-1][1] for recording in parts) / 60
    print(
        f"\n{len(parts)} recordings, {minutes:.0f} min, {seeds} seeds, "
        f"{SHARE:.0%} of the lines each\n"
    )
    print("| spoiled | wrong stretches | in no clip | of their length | right lines kept |")
    print("|---|---|---|---|---|")
    for name, kinds in CASES.items():
        found = tally(make_clips, parts, kinds, others, seeds)
        for kind in kinds:
            count = found.lines[kind]
            if kind == MISSING:
                share = found.leaked_seconds / found.seconds
            else:
                share = found.leaked_characters[kind] / found.characters[kind]
            print(
                f"| {name}: {kind} | {count} | {1 - found.leaked[kind] / count:.1%} "
                f"| {1 - share:.1%} | |"
            )
        right = found.lines[RIGHT]
        print(
            f"| {name}: right | {found.leaked[RIGHT]} of {right} misplaced | | "
            f"| {found.kept[RIGHT] / right:.1%} |",
            flush=True,
        )
    print("\n| all together: reason | " + " | ".join((RIGHT, *kinds[1:])) + " |")
    print("|---|" + "---|" * len(kinds))
    for reason in sorted({reason for _, reason in found.reasons}):
        cells = [str(found.reasons[kind, reason]) for kind in (RIGHT, *kinds[1:])]
        print(f"| {reason} | " + " | ".join(cells) + " |")
