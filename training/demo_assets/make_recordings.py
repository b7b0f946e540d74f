"""Read the demo's transcripts aloud: recordings, their manifest, and the exact times of the words.

The transcripts are written by hand, as assets/recordings/*.txt, and are only read here.
"""

from __future__ import annotations

import csv
import random
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from khmer_aligned.schema import SAMPLE_RATE
from khmer_aligned.text import SpokenWord

from .corpus import Reading, disturb, read
from .synthesize import Espeak, Voice

ACCENT = "hr"  # the language whose phonemes are used; the demo's Whisper learned other ones


@dataclass(frozen=True, slots=True)
class Script:
    """How a transcript is read. Two readings differ from theirs, as in real recordings."""

    speaker: str
    voice: Voice
    split: str
    unspoken: str = ""  # a part of the transcript that is not read
    untranscribed: str = ""  # a sentence that is read and is not in the transcript
    before: str = ""  # the part of the transcript that the sentence is read before


SCRIPTS = {
    "market": Script(
        "sokha",
        Voice(ACCENT, "f2", rate=160, pitch=55),
        "train",
        untranscribed="សូមអភ័យទោស ទូរស័ព្ទខ្ញុំរោទ៍ ចាំបន្តិចសិន។",
        before="បន្ទាប់មក ម្តាយខ្ញុំ",
    ),
    "school": Script(
        "dara",
        Voice(ACCENT, "m3", rate=160, pitch=45),
        "train",
        unspoken="ពួកគេស្រលាញ់សាលា និងមិត្តភក្តិ។",
    ),
    "farm": Script("bopha", Voice(ACCENT, "f4", rate=145, pitch=45), "validation"),
    "journey": Script("vichet", Voice(ACCENT, "m7", rate=155, pitch=50), "test"),
}


@dataclass(frozen=True, slots=True)
class TimedWord:
    """A spoken word, its span in the transcript's characters, and its time in seconds."""

    word: SpokenWord
    span: tuple[int, int]
    start: float
    end: float


def perform(
    espeak: Espeak, text: str, script: Script, seed: int
) -> tuple[np.ndarray, list[TimedWord]]:
    """Samples (n,) at 16 kHz of a transcript, and its words that are read, with their times."""
    chance = random.Random(seed)
    # Parts of text with their offset in the transcript.
    parts: list[tuple[int | None, str]] = [(0, text)]
    if script.unspoken:
        at = text.index(script.unspoken)
        after = at + len(script.unspoken)
        parts = [(0, text[:at]), (after, text[after:])]
    if script.untranscribed:
        at = text.index(script.before)
        parts = [(0, text[:at]), (None, script.untranscribed), (at, text[at:])]
    pause = np.zeros(round(0.7 * SAMPLE_RATE), np.float32)
    samples: list[np.ndarray] = [pause]
    timed: list[TimedWord] = []
    for offset, part in parts:
        reading = read(espeak, part, script.voice, chance)
        shift = sum(map(len, samples)) / SAMPLE_RATE
        if offset is not None:
            for word, (start, end) in zip(reading.words, reading.times, strict=True):
                span = (word.span[0] + offset, word.span[1] + offset)
                timed.append(TimedWord(word, span, start + shift, end + shift))
        samples += [reading.samples, pause]
    whole = Reading(np.concatenate(samples), (), [])
    return disturb(whole, chance, silence=0.0).samples, timed


def make_recordings(folder: Path) -> None:
    """Write NAME.ogg and NAME.words.tsv beside each NAME.txt of `folder`, and metadata.csv."""
    espeak = Espeak()
    rows = []
    for seed, (name, script) in enumerate(SCRIPTS.items()):
        text = (folder / f"{name}.txt").read_text(encoding="utf-8")
        samples, timed = perform(espeak, text, script, seed)
        soundfile.write(folder / f"{name}.ogg", samples, SAMPLE_RATE, format="OGG", subtype="OPUS")
        with (folder / f"{name}.words.tsv").open("w", encoding="utf-8", newline="") as file:
            table = csv.writer(file, delimiter="\t", lineterminator="\n")
            table.writerow(["word", "from", "to", "start", "end"])
            for item in timed:
                times = f"{item.start:.4f}", f"{item.end:.4f}"
                table.writerow([item.word.text, *item.span, *times])
        rows.append([f"{name}.ogg", text, script.speaker, script.split])
    with (folder / "metadata.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["file_name", "transcription", "speaker", "split"])
        table.writerows(rows)
