"""Word starts of each way to time words, against known ones.

    python tests/benchmarks/bench_word_times.py MODEL [--aligner FOLDER] [--clips 80]

The recordings are the labelled ones of `shared/`, whose words were placed by a phone aligner (trust
to about 50 ms; only words that are marked ok count), as long as MODEL reads in one window, or with
--longer those that are longer. The reference text is given to every way, so that errors of
recognition decide nothing, and every way is judged on the same words. MODEL is a folder; its own
heads stand beside those of an untuned model (the upper half of the layers, as CTranslate2 takes
them), its CTC head if it has one, and forced alignment with an aligner. For attention, the words
that MODEL finds more and less probable than the median one stand below. Prints the CER of MODEL on
the first of the recordings, too.
"""

from __future__ import annotations

import argparse
import csv
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

import jiwer
import numpy as np
from transformers import GenerationConfig

from khmer_aligned import audio
from khmer_aligned.schema import SAMPLE_RATE, Word
from khmer_whisper import model as models
from khmer_whisper.attention.heads import current_heads
from khmer_whisper.decode import recognize
from khmer_whisper.transcription.attention_words import AttentionWords
from khmer_whisper.transcription.engine import longest_stretch
from khmer_whisper.transcription.torch_engine import TorchEngine
from khmer_whisper.transcription.word_times import find_aligner
from khmer_whisper.transcription.words import AlignWords, TimeWords

SHARED = Path(__file__).parents[3] / "shared"
LABELLED = SHARED / "data" / "keosaly_labelled"
ALIGNER = SHARED / "models" / "khmer-ctc-micro"
RECOGNIZED = 20  # clips, for the CER


class LabelledClip(NamedTuple):
    """A recording (n,), its text, and its words with trusted times."""

    waveform: np.ndarray
    text: str
    words: list[Word]


class Starts(NamedTuple):
    """For each expected word of all clips: the seconds by which a way places it late, NaN where it
    does not place it, and the score that the way gives it."""

    late: np.ndarray
    scores: np.ndarray


def read_clips(count: int, longest: float, longer: bool) -> list[LabelledClip]:
    """The first recordings of at most `longest` seconds, or of more."""
    words = defaultdict(list)
    with (LABELLED / "word_times.tsv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            if row["ok"] == "1":
                times = float(row["start_s"]), float(row["end_s"])
                words[row["id"]].append(Word(row["word"], *times, 1.0))
    clips: list[LabelledClip] = []
    with (LABELLED / "metadata.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            path = LABELLED / row["file_name"]
            waveform = audio.load(path, name=path.name)
            if (len(waveform) > longest * SAMPLE_RATE) == longer and len(clips) < count:
                clips.append(LabelledClip(waveform, row["transcription"], words[path.stem]))
    return clips


def place(result: list[Word] | None, expected: list[Word]) -> list[tuple[float, float]]:
    """How late each expected word comes, and its score; words of one spelling match in order."""
    placed, position = [], 0
    for word in expected:
        late, score = float("nan"), 0.0
        for k in range(position, len(result or [])):
            if result[k].text == word.text:
                late, score = result[k].start - word.start, result[k].score
                position = k + 1
                break
        placed.append((late, score))
    return placed


def run(time_words: TimeWords, clips: list[LabelledClip]) -> Starts:
    results = time_words([clip.waveform for clip in clips], [clip.text for clip in clips])
    placed = [
        pair
        for result, clip in zip(results, clips, strict=True)
        for pair in place(result, clip.words)
    ]
    return Starts(*np.array(placed).T)


def show(name: str, late: np.ndarray, missing: int | None = None) -> None:
    apart = 1000 * np.abs(late)
    print(
        f"| {name} | {len(late)} | {np.median(apart):.0f} ms | {np.percentile(apart, 90):.0f} ms | "
        f"{1000 * np.median(late):+.0f} ms | {'' if missing is None else missing} |",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("--aligner", default=str(ALIGNER))
    parser.add_argument("--lag", type=float, default=0.188, help="of the aligner, seconds")
    parser.add_argument("--clips", type=int, default=80)
    parser.add_argument("--longer", action="store_true")
    options = parser.parse_args()
    whisper = models.load(options.model)
    engine = TorchEngine(whisper)
    longest = longest_stretch(engine)
    clips = read_clips(options.clips, longest, options.longer)
    seconds = sum(len(clip.waveform) for clip in clips) / SAMPLE_RATE
    texts = [recognize(whisper, [clip.waveform])[0].text for clip in clips[:RECOGNIZED]]
    rate = jiwer.cer([clip.text for clip in clips[:RECOGNIZED]], texts)
    print(
        f"{len(clips)} recordings {'over' if options.longer else 'of at most'} {longest:.1f} s, "
        f"{seconds / 60:.1f} min; CER of {options.model} on {len(texts)} of them: {rate:.1%}"
    )
    own = current_heads(whisper)
    ways = {f"attention, {len(own)} of the heads, chosen anew": run(AttentionWords(engine), clips)}
    settings = whisper.model.generation_config.to_dict()
    settings.pop("alignment_heads", None)
    whisper.model.generation_config = GenerationConfig(**settings)
    upper = len(current_heads(whisper))
    ways[f"attention, all {upper} upper heads"] = run(AttentionWords(engine), clips)
    if (head := find_aligner(engine)) is not None:
        aligner = AlignWords(str(head))
        ways["CTC head on its encoder"] = run(aligner, clips)
    ways["forced alignment"] = run(AlignWords(options.aligner, options.lag), clips)
    placed = np.all([~np.isnan(starts.late) for starts in ways.values()], axis=0)
    print("\n| | words | median | 90th percentile | bias | not placed |\n" + "|---" * 6 + "|")
    for name, starts in ways.items():
        late, scores = starts.late[placed], starts.scores[placed]
        show(name, late, int(np.isnan(starts.late).sum()))
        if name.startswith("attention"):
            probable = scores > np.median(scores)
            show("- the more probable half", late[probable])
            show("- the less probable half", late[~probable])


if __name__ == "__main__":
    main()
