"""Word starts of each way to time words, against known ones.

    python tests/benchmarks/bench_word_times.py MODEL [--aligner FOLDER] [--clips 40]

The recordings are the labelled ones of `shared/`, whose words were placed by a phone aligner (trust
to about 50 ms; only words that are marked ok count). The reference text is given to every way, so
that errors of recognition decide nothing. MODEL is a folder; its own heads stand beside those of an
untuned model (the upper half of the layers, as CTranslate2 takes them), its CTC head if it has one,
and forced alignment with an aligner. Prints the CER of MODEL on the same recordings as well.
"""

from __future__ import annotations

import argparse
import csv
from collections import defaultdict
from pathlib import Path

import jiwer
import numpy as np
from transformers import GenerationConfig

from khmer_aligned import audio
from khmer_aligned.schema import Word
from khmer_whisper import model as models
from khmer_whisper.attention.heads import current_heads
from khmer_whisper.decode import recognize
from khmer_whisper.transcription.attention_words import AttentionWords
from khmer_whisper.transcription.torch_engine import TorchEngine
from khmer_whisper.transcription.word_times import find_aligner, read_lag
from khmer_whisper.transcription.words import AlignWords, TimeWords

SHARED = Path(__file__).parents[3] / "shared"
LABELLED = SHARED / "data" / "keosaly_labelled"
ALIGNER = SHARED / "models" / "khmer-ctc-micro"


def read_clips(count: int) -> list[tuple[np.ndarray, str, list[Word]]]:
    """Waveforms, texts and trusted words of the first recordings."""
    words = defaultdict(list)
    with (LABELLED / "word_times.tsv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            if row["ok"] == "1":
                times = float(row["start_s"]), float(row["end_s"])
                words[row["id"]].append(Word(row["word"], *times, 1.0))
    clips = []
    with (LABELLED / "metadata.csv").open(encoding="utf-8") as file:
        for row in list(csv.DictReader(file))[:count]:
            path = LABELLED / row["file_name"]
            clips.append((audio.load(path, name=path.name), row["transcription"], words[path.stem]))
    return clips


def distances(found: list[Word] | None, expected: list[Word]) -> list[float]:
    """Seconds by which words come late; words of the same spelling are matched in order."""
    late, position = [], 0
    for word in expected:
        for k in range(position, len(found or [])):
            if found[k].text == word.text:
                late.append(found[k].start - word.start)
                position = k + 1
                break
    return late


def show(name: str, time_words: TimeWords, clips: list) -> None:
    results = time_words([waveform for waveform, _, _ in clips], [text for _, text, _ in clips])
    late = np.array(
        [
            each
            for found, (_, _, words) in zip(results, clips, strict=True)
            for each in distances(found, words)
        ]
    )
    apart = np.abs(late)
    print(
        f"{name:<34} {len(late):>5} words  lag {1000 * np.median(late):+5.0f} ms  median "
        f"{1000 * np.median(apart):4.0f} ms  90 % within {1000 * np.percentile(apart, 90):5.0f} ms",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("--aligner", default=str(ALIGNER))
    parser.add_argument("--lag", type=float, default=0.188, help="of the aligner, seconds")
    parser.add_argument("--clips", type=int, default=40)
    options = parser.parse_args()
    clips = read_clips(options.clips)
    whisper = models.load(options.model)
    texts = [recognize(whisper, [waveform])[0].text for waveform, _, _ in clips[:20]]
    rate = jiwer.cer([text for _, text, _ in clips[:20]], texts)
    print(f"CER of {options.model} on {len(texts)} of them: {rate:.1%}")
    engine = TorchEngine(whisper)
    own = current_heads(whisper)
    show(f"attention, {len(own)} heads chosen anew", AttentionWords(engine), clips)
    if (head := find_aligner(engine)) is not None:
        show("CTC head on its encoder", AlignWords(str(head), read_lag(head) or 0.0), clips)
    settings = whisper.model.generation_config.to_dict()
    settings.pop("alignment_heads", None)
    whisper.model.generation_config = GenerationConfig(**settings)
    show(f"attention, all {len(current_heads(whisper))} upper heads", AttentionWords(engine), clips)
    show("forced alignment", AlignWords(options.aligner, options.lag), clips)


if __name__ == "__main__":
    main()
