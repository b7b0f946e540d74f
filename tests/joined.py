"""Read sentences joined to recordings of minutes, with the true start of every word."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from khmer_aligned import audio
from khmer_aligned.schema import SAMPLE_RATE


@dataclass(frozen=True)
class Sentence:
    """waveform (n,) at 16 kHz; text with spaces; per word its (text, start, end, trusted).

    Only words whose phones all matched the lexicon are trusted: the others' times are guesses.
    """

    waveform: np.ndarray
    text: str
    words: list[tuple[str, float, float, bool]]

    @property
    def spoken(self) -> tuple[float, float]:
        """Seconds from the first word to the last."""
        if not self.words:
            return 0.0, len(self.waveform) / SAMPLE_RATE
        return min(word[1] for word in self.words), max(word[2] for word in self.words)


@dataclass(frozen=True)
class Joined:
    """waveform (n,) at 16 kHz; text; per word its (character, start seconds, end seconds)."""

    waveform: np.ndarray
    text: str
    words: list[tuple[int, float, float]]
    sentences: list[tuple[int, int, float, float]]  # characters, seconds


def read(labelled: Path, first: int = 0, count: int | None = None) -> list[Sentence]:
    """Sentences of ../shared/data/keosaly_labelled."""
    times: dict[str, list[tuple[str, float, float, bool]]] = {}
    with (labelled / "word_times.tsv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            word = row["word"], float(row["start_s"]), float(row["end_s"]), row["ok"] == "1"
            times.setdefault(row["id"], []).append(word)
    with (labelled / "metadata.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))[first : None if count is None else first + count]
    return [
        Sentence(
            audio.load(labelled / row["file_name"], name=row["file_name"]),
            row["transcription"].strip(),
            times.get(Path(row["file_name"]).stem, []),
        )
        for row in rows
    ]


def concatenate(sentences: Sequence[Sentence], *, spaced: bool = True) -> Joined:
    """One sentence after the other, a line each; unspaced, with a space between them only.

    A sentence without text is heard, but not in the transcript.
    """
    text, words, places, begin = "", [], [], 0
    for sentence in sentences:
        own = sentence.text if spaced else sentence.text.replace(" ", "")
        position, seconds = 0, begin / SAMPLE_RATE
        for word, start, end, trusted in sentence.words:
            at = own.find(word, position)
            if at < 0:
                continue
            position = at + len(word)
            if trusted:
                words.append((len(text) + at, seconds + start, seconds + end))
        end = begin + len(sentence.waveform)
        places.append((len(text), len(text) + len(own), seconds, end / SAMPLE_RATE))
        if own:
            text += own + ("\n" if spaced else " ")
        begin = end
    return Joined(np.concatenate([s.waveform for s in sentences]), text, words, places)


def join(labelled: Path, first: int, count: int, *, spaced: bool = True) -> Joined:
    """`count` of the sentences, one after the other."""
    return concatenate(read(labelled, first, count), spaced=spaced)
