"""A stretch aligned again at once, as the next build will align it."""

from __future__ import annotations

import threading
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from khmer_aligned import aligners
from khmer_aligned.aligners.base import Aligner
from khmer_aligned.alignment.align import align
from khmer_aligned.clips.labels import LabelCounter
from khmer_aligned.clips.stretch import JudgedStretch, judge_stretch, keep_all
from khmer_aligned.dataset.config import BuildConfig
from khmer_aligned.errors import Failed
from khmer_aligned.report.examples import place_words
from khmer_aligned.text import Transcript


@dataclass
class Realigner:
    """Aligns one stretch at a time; the models are loaded once, before the first is asked for.

    config: with the thresholds of the build. lag: seconds, as the build had it.
    """

    config: BuildConfig
    lag: float
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _models: tuple[Aligner, LabelCounter] | None = field(default=None, repr=False)

    def load(self) -> tuple[Aligner, LabelCounter]:
        """The aligner and the tokenizer. Raises UserError where one cannot be loaded."""
        with self._lock:
            if self._models is None:
                counter = LabelCounter(self.config.tokenizer)
                self._models = aligners.load(self.config.aligner), counter
            return self._models

    def align(self, waveform: np.ndarray, text: str) -> dict[str, Any]:
        """Words and verdict for a waveform (n,) and its text, as a page shows them.

        `fits` says whether the rules of the build would keep the stretch by themselves; `problem`
        why not, or why it cannot be a clip at all.
        """
        aligner, count_labels = self.load()
        config = self.config
        with self._lock:
            (aligned,) = align(
                [waveform],
                [Transcript.from_text(text)],
                aligner,
                lag=self.lag,
                thresholds=keep_all(config.thresholds),
            )
        if isinstance(aligned, Failed):
            return {"fits": False, "problem": aligned.reason, "words": [], "spoken": text}
        judged = judge_stretch(
            aligned, len(waveform), count_labels, config.max_labels, config.thresholds
        )
        spoken = aligned.transcript.spoken_text(0, len(aligned.words))
        return {
            "fits": judged.verdict is True,
            "problem": _problem(judged, config.max_labels),
            "score": round(judged.figures.score, 4),
            "misfit": round(judged.figures.misfit, 3),
            "labels": judged.figures.labels,
            "spoken": spoken,
            "words": place_words(spoken, [asdict(word) for word in aligned.words]),
        }


def _problem(judged: JudgedStretch, max_labels: int) -> str:
    """Why the rules of the build would not keep a stretch; "" where they would."""
    if judged.verdict is True:
        return ""
    if not judged.piece.fits:
        return (
            f"{judged.piece.labels} labels, and a clip holds {max_labels}: the build cuts it at "
            "pauses, if there are any"
        )
    return judged.verdict[1]
