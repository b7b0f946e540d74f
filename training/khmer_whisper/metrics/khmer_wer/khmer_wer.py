"""Khmer error rates as an `evaluate` module: `evaluate.load("<this folder>")` works offline."""

import datasets
import evaluate

from khmer_whisper.metrics import score

DESCRIPTION = """\
Error rates of Khmer speech recognition on canonical text read aloud (digits and the repetition \
sign in words), without spaces and punctuation. `cer` counts characters. `wer` counts words, both \
sides segmented by khmercut. `projected_wer` segments the reference alone, aligns characters, and \
counts the reference words with an edit: the fewest over all cheapest alignments. Each comes with \
its counts and a 95 % interval over the clips.
"""

INPUTS = """\
Args:
    predictions: list of str, what was recognized, one per clip.
    references: list of str, what was said, one per clip.
Returns:
    cer, wer, projected_wer: float. For each also NAME_errors and NAME_total (counts), NAME_low
    and NAME_high (the interval, None with fewer than five clips). segmenter: str, with its
    version.
Examples:
    >>> khmer_wer = evaluate.load("training/khmer_whisper/metrics/khmer_wer")
    >>> khmer_wer.compute(predictions=["ភាសា ខ្មែរ"], references=["ភាសាខ្មែរ"])["cer"]
    0.0
"""

CITATION = """\
@inproceedings{bisani2004bootstrap,
    title = {Bootstrap estimates for confidence intervals in {ASR} performance evaluation},
    author = {Bisani, Maximilian and Ney, Hermann},
    booktitle = {ICASSP},
    year = {2004}
}
"""


class KhmerWer(evaluate.Metric):
    """`khmer_whisper.metrics.score` with the signature that `evaluate` calls."""

    def _info(self) -> evaluate.MetricInfo:
        text = datasets.Value("string")
        return evaluate.MetricInfo(
            description=DESCRIPTION,
            citation=CITATION,
            inputs_description=INPUTS,
            features=datasets.Features({"predictions": text, "references": text}),
        )

    def _compute(self, predictions: list, references: list) -> dict:
        scores = score(references, predictions)
        result = {"segmenter": scores.segmenter}
        for name in ("cer", "wer", "projected_wer"):
            rate = getattr(scores, name)
            result |= {
                name: rate.rate,
                f"{name}_errors": rate.errors,
                f"{name}_total": rate.total,
                f"{name}_low": rate.low,
                f"{name}_high": rate.high,
            }
        return result
