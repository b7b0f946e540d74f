"""Read sentences joined to recordings of minutes, with the true start of every word."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from khmer_aligned import audio
from khmer_aligned.schema import SAMPLE_RATE


@dataclass(frozen=True)
class Joined:
    """waveform (n,) at 16 kHz; text; per word its (character, start seconds, end seconds)."""

    waveform: np.ndarray
    text: str
    words: list[tuple[int, float, float]]
    sentences: list[tuple[int, int, float, float]]  # characters, seconds


def join(labelled: Path, first: int, count: int, *, spaced: bool = True) -> Joined:
    """`count` sentences of ../shared/data/keosaly_labelled, one after the other.

    Only words whose phones all matched the lexicon are in `words`: the others' times are guesses.
    """
    times: dict[str, list[dict[str, str]]] = {}
    with (labelled / "word_times.tsv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            times.setdefault(row["id"], []).append(row)
    with (labelled / "metadata.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))[first : first + count]
    parts, text, words, sentences, begin = [], "", [], [], 0
    for row in rows:
        waveform = audio.load(labelled / row["file_name"], name=row["file_name"])
        sentence = row["transcription"].strip()
        if not spaced:
            sentence = sentence.replace(" ", "")
        position = 0
        for word in times.get(Path(row["file_name"]).stem, []):
            at = sentence.find(word["word"], position)
            if at < 0:
                continue
            position = at + len(word["word"])
            if word["ok"] == "1":
                seconds = begin / SAMPLE_RATE
                words.append(
                    (
                        len(text) + at,
                        seconds + float(word["start_s"]),
                        seconds + float(word["end_s"]),
                    )
                )
        end = begin + len(waveform)
        sentences.append(
            (len(text), len(text) + len(sentence), begin / SAMPLE_RATE, end / SAMPLE_RATE)
        )
        text += sentence + ("\n" if spaced else " ")
        parts.append(waveform)
        begin = end
    return Joined(np.concatenate(parts), text, words, sentences)
