"""One text for several recordings: whether each finds its passage, and what that costs in words.

    uv run python tests/benchmarks/bench_passages.py MODEL DATA

MODEL is a CTC model by folder or Hub id; DATA holds keosaly/ and sevakhum/. Six recordings of one
text are made of read sentences: in any order, two that overlap, one that leaves out lines, one that
begins and ends with speech that is not in the text, one that says its first lines twice. Two more
are not in the text: other sentences of the same voice, and another voice. Each is compared with the
same audio and its right text.

With `--index CHARACTERS`, instead: what it costs to index a text of that length, made of the same
sentences, and to find a passage of a minute in it.
"""

from __future__ import annotations

import argparse
import csv
import resource
import sys
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

import numpy as np
from rapidfuzz.distance import Levenshtein

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parent))
from bench_wild import BUNDLED, clip_maker, run

from khmer_aligned import aligners, audio
from khmer_aligned.aligners.base import Aligner
from khmer_aligned.alignment import viterbi
from khmer_aligned.alignment.passages import find_passage
from khmer_aligned.alignment.text_index import TextIndex, index_text
from khmer_aligned.clips.make import MakeClips
from khmer_aligned.schema import SAMPLE_RATE

SENTENCES = 520  # of the text: half an hour
FOREIGN = 2_000  # from here on they are not in the text


class Spoken(NamedTuple):
    """A recording: the sentences that are spoken, and the lines of the text that it covers."""

    name: str
    sentences: list[int]
    lines: tuple[int, int] | None


RECORDINGS = [
    Spoken("plain", [*range(350, 430)], (350, 430)),
    Spoken("overlaps the next", [*range(0, 90)], (0, 90)),
    Spoken("leaves out lines", [*range(180, 210), *range(220, 270)], (180, 270)),
    Spoken("overlaps the one before", [*range(80, 180)], (80, 180)),
    Spoken(
        "speech around it", [*range(2100, 2110), *range(430, 520), *range(2110, 2120)], (430, 520)
    ),
    Spoken("lines said twice", [*range(270, 276), *range(270, 350)], (270, 350)),
    Spoken("not in the text", [*range(FOREIGN, FOREIGN + 60)], None),
]


class Book(NamedTuple):
    """A text, a line for each sentence, and where the lines begin and the text ends."""

    text: str
    starts: list[int]
    index: TextIndex


def add_noise(waveform: np.ndarray, decibels: float) -> np.ndarray:
    power = float(np.mean(waveform**2)) / 10 ** (decibels / 10)
    noise = np.random.default_rng(0).normal(0, np.sqrt(power), len(waveform))
    return (waveform + noise).astype(np.float32)


def make_book(lines: list[str], model: Aligner) -> Book:
    starts = np.cumsum([0, *(len(line) + 1 for line in lines)]).tolist()
    text = "".join(f"{line}\n" for line in lines)
    return Book(text, starts, index_text(text, model))


def try_one(
    spoken: Spoken, waveform: np.ndarray, book: Book, model: Aligner, make_clips: MakeClips
) -> None:
    """Print a row of the table."""
    emissions = model.emissions([waveform])
    greedy = viterbi.collapse(emissions[0].argmax(axis=1).astype(np.int32), model.blank)
    passage = find_passage(greedy, book.index)
    minutes = f"{len(waveform) / SAMPLE_RATE / 60:.1f}"
    if passage is None:
        print(f"| {spoken.name} | {minutes} | | | | refused | | |", flush=True)
        return
    figures = " | ".join(f"{n:.0f}" for n in (passage.score, passage.second, passage.chance))
    row = f"| {spoken.name} | {minutes} | {figures}"
    if not passage.is_clear or spoken.lines is None:
        print(f"{row} | {'refused' if not passage.is_clear else 'TAKEN'} | | |", flush=True)
        return
    first, last = (book.starts[line] for line in spoken.lines)
    ends = f"{passage.span[0] - first:+} | {passage.span[1] - last:+}"
    with patch.object(model, "emissions", lambda waveforms: emissions):
        right, words = (
            [word.text for word in run(make_clips, book.text[slice(*span)], (), waveform).words]
            for span in ((first, last), passage.span)
        )
    edits = Counter(edit.tag for edit in Levenshtein.editops(right, words))
    lost = (edits["delete"] + edits["replace"]) / len(right)
    wrong = (edits["insert"] + edits["replace"]) / len(right)
    print(f"{row} | {ends} | {lost:.1%} of {len(right)} | {wrong:.1%} |", flush=True)


def measure_index(lines: list[str], characters: int, model: Aligner) -> None:
    """Print processor seconds and memory; the sentences come in other words' places when they come
    again, so that no passage is in the text twice."""
    random = np.random.default_rng(0)
    words = " ".join(lines).split()
    text = "\n".join(lines) + "\n"
    while len(text) < characters:
        random.shuffle(words)
        text += "\n".join(
            "".join(words[k : k + 12]) for k in range(0, len(words), 12)
        ) + "\n"  # fmt: skip
    before, started = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    index = index_text(text[:characters], model)
    seconds = time.process_time() - started
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    middle = len(index.tokens) // 2
    started = time.process_time()
    passage = find_passage(index.tokens[middle : middle + 800], index)
    print(
        f"{characters:,} characters, {len(index.tokens):,} tokens: {seconds:.0f} s of one core, "
        f"{(most - before) / 1024:.0f} MB more, {most / 1024:.0f} MB in all; a passage of a minute "
        f"in {time.process_time() - started:.2f} s: {passage}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", metavar="MODEL")
    parser.add_argument("data", metavar="DATA", type=Path)
    parser.add_argument("--tokenizer", default=str(BUNDLED), help="of Whisper, for the clips")
    parser.add_argument("--noise", type=float, help="decibels of speech over noise")
    parser.add_argument("--index", type=int, help="characters of a text to index")
    options = parser.parse_args()
    folder = options.data / "keosaly"
    with (folder / "metadata.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    lines = [row["transcription"].replace(" ", "") for row in rows[:SENTENCES]]
    model = aligners.load(options.model)
    if options.index:
        measure_index([row["transcription"] for row in rows], options.index, model)
        return
    book = make_book(lines, model)
    make_clips = clip_maker(model, options.tokenizer)
    print(
        f"{len(book.text):,} characters\n\n| recording | minutes | score | elsewhere | backwards "
        "| start | end | words lost | wrong words kept |\n|---|---|---|---|---|---|---|---|---|"
    )
    waveforms = [
        (spoken, [folder / rows[k]["file_name"] for k in spoken.sentences]) for spoken in RECORDINGS
    ]
    waveforms.append(
        (Spoken("another voice", [], None), sorted((options.data / "sevakhum").glob("*.mp3")))
    )
    for spoken, files in waveforms:
        waveform = np.concatenate([audio.load(path, name=path.name) for path in files])
        if options.noise is not None:
            waveform = add_noise(waveform, options.noise)
        try_one(spoken, waveform, book, model, make_clips)


if __name__ == "__main__":
    main()
