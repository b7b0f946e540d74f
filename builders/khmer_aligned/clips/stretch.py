"""A stretch that a person gave its text and its edges: one clip, whatever its figures say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from khmer_aligned.alignment.align import Alignment
from khmer_aligned.alignment.thresholds import Thresholds
from khmer_aligned.clips import quality
from khmer_aligned.clips.cut import Piece
from khmer_aligned.clips.quality import Figures, Verdict
from khmer_aligned.schema import MAX_CLIP_SAMPLES

_MOST = 2.0  # the highest misfit that a threshold may have


@dataclass(frozen=True, slots=True)
class JudgedStretch:
    """The stretch as one piece, its figures, and what the rules would say of it.

    is_kept: whether it is within the budget of labels and seconds, which nobody can overrule
    """

    piece: Piece
    figures: Figures
    verdict: Verdict
    is_kept: bool


def keep_all(thresholds: Thresholds) -> Thresholds:
    """The thresholds under which no phrase counts as unspoken."""
    return replace(thresholds, unspoken_misfit=_MOST, misfit_margin=_MOST)


def judge_stretch(
    alignment: Alignment,
    samples: int,
    count_labels: Callable[[str, str], int],
    max_labels: int,
    thresholds: Thresholds,
) -> JudgedStretch:
    """All words of an alignment and all samples of its audio as one piece."""
    transcript, count = alignment.transcript, len(alignment.words)
    labels = count_labels(transcript.written(0, count), transcript.spoken_text(0, count))
    fits = labels <= max_labels and 0 < samples <= MAX_CLIP_SAMPLES
    piece = Piece(0, count, 0, samples, (0, samples), labels, fits)
    figures = quality.measure(alignment, piece)
    is_kept = fits and not figures.unspoken
    return JudgedStretch(piece, figures, quality.judge(figures, thresholds), is_kept)
