"""Read sentences joined to recordings of minutes, with the true start of every word."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from datasets import Dataset, Features

from khmer_aligned import audio
from khmer_aligned.aligners.base import Aligner
from khmer_aligned.alignment.align import align
from khmer_aligned.errors import Failed
from khmer_aligned.schema import CLIP_FEATURES, RECORDING_FEATURES, SAMPLE_RATE, Clip, Word
from khmer_aligned.text import Transcript

# Over a plain struct, as encoding Audio would need torchcodec.
PLAIN_FEATURES = Features(CLIP_FEATURES | {"audio": RECORDING_FEATURES["audio"]})


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


def aligned_clips(sentences: Sequence[Sentence], aligner: Aligner, lag: float) -> Dataset:
    """Each sentence as a clip with the word times of an aligner, `lag` seconds earlier."""
    rows = []
    for first in range(0, len(sentences), 25):
        part = sentences[first : first + 25]
        texts = [Transcript.from_text(sentence.text) for sentence in part]
        alignments = align([s.waveform for s in part], texts, aligner, lag=lag)
        for k, (sentence, alignment) in enumerate(zip(part, alignments, strict=True), first):
            assert not isinstance(alignment, Failed)
            seconds = len(sentence.waveform) / SAMPLE_RATE
            clip = Clip(
                id=f"sentence{k}-00000",
                audio=audio.encode_flac(sentence.waveform),
                text=sentence.text,
                spoken=sentence.text,
                words=[Word(w.text, w.start, w.end, w.score) for w in alignment.words],
                duration=seconds,
                score=1.0,
                recording=f"sentence{k}",
                speaker=None,
                start=0.0,
                end=seconds,
            )
            rows.append(asdict(clip) | {"audio": {"bytes": clip.audio, "path": None}})
    return Dataset.from_list(rows, features=PLAIN_FEATURES)


def lateness(
    clips: Dataset, sentences: Sequence[Sentence], times: Sequence[np.ndarray]
) -> np.ndarray:
    """Seconds (N,) by which words, at times (W, 2) in each clip, begin later than the trusted label
    of the same text that is nearest."""
    found = []
    for words, sentence, known in zip(clips["words"], sentences, times, strict=True):
        starts = known[:, 0].tolist()
        for label in sentence.words:
            off = [
                start - label.start
                for w, start in zip(words, starts, strict=True)
                if w["text"] == label.text and not np.isnan(start)
            ]
            if label.trusted and off:
                found.append(min(off, key=abs))
    return np.array(found)


def join(labelled: Path, first: int, count: int, *, spaced: bool = True) -> Joined:
    """`count` of the sentences, one after the other."""
    return concatenate(read(labelled, first, count), spaced=spaced)
