"""Read sentences joined to recordings of minutes, with the true start of every word."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from khmer_aligned import audio
from khmer_aligned.schema import SAMPLE_RATE


class SentenceWord(NamedTuple):
    """A word and its seconds in a sentence.

    Only words whose phones all matched the lexicon are trusted: the others' times are guesses.
    """

    text: str
    start: float
    end: float
    trusted: bool


@dataclass(frozen=True)
class Sentence:
    """waveform (n,) at 16 kHz; text with spaces."""

    waveform: np.ndarray
    text: str
    words: list[SentenceWord]

    @property
    def spoken(self) -> tuple[float, float]:
        """Seconds from the first word to the last."""
        if not self.words:
            return 0.0, len(self.waveform) / SAMPLE_RATE
        return min(word.start for word in self.words), max(word.end for word in self.words)


class JoinedWord(NamedTuple):
    """The first character of a trusted word in the joined text, and its seconds."""

    position: int
    start: float
    end: float


class JoinedSentence(NamedTuple):
    """A sentence's characters [first, last) in the joined text, and its seconds."""

    first: int
    last: int
    start: float
    end: float


@dataclass(frozen=True)
class Joined:
    """waveform (n,) at 16 kHz."""

    waveform: np.ndarray
    text: str
    words: list[JoinedWord]
    sentences: list[JoinedSentence]


def read(labelled: Path, first: int = 0, count: int | None = None) -> list[Sentence]:
    """Sentences of ../shared/data/keosaly_labelled."""
    words: dict[str, list[SentenceWord]] = {}
    with (labelled / "word_times.tsv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            word = SentenceWord(
                row["word"], float(row["start_s"]), float(row["end_s"]), row["ok"] == "1"
            )
            words.setdefault(row["id"], []).append(word)
    with (labelled / "metadata.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))[first : None if count is None else first + count]
    return [
        Sentence(
            audio.load(labelled / row["file_name"], name=row["file_name"]),
            row["transcription"].strip(),
            words.get(Path(row["file_name"]).stem, []),
        )
        for row in rows
    ]


def concatenate(sentences: Sequence[Sentence], *, spaced: bool = True) -> Joined:
    """One sentence after the other, a line each; unspaced, with a space between them only.

    A sentence without text is in the audio, but not in the transcript.
    """
    text, words, joined, samples = "", [], [], 0
    for sentence in sentences:
        line = sentence.text if spaced else sentence.text.replace(" ", "")
        begin, searched = samples / SAMPLE_RATE, 0
        for word in sentence.words:
            position = line.find(word.text, searched)
            if position < 0:
                continue
            searched = position + len(word.text)
            if word.trusted:
                start, end = begin + word.start, begin + word.end
                words.append(JoinedWord(len(text) + position, start, end))
        samples += len(sentence.waveform)
        end = samples / SAMPLE_RATE
        joined.append(JoinedSentence(len(text), len(text) + len(line), begin, end))
        if line:
            text += line + ("\n" if spaced else " ")
    return Joined(np.concatenate([s.waveform for s in sentences]), text, words, joined)


def join(labelled: Path, first: int, count: int, *, spaced: bool = True) -> Joined:
    """`count` of the sentences, one after the other."""
    return concatenate(read(labelled, first, count), spaced=spaced)
