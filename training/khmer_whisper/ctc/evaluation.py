"""How well an aligner knows letters, and how far its word starts are from a dataset's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from datasets import Dataset
from rapidfuzz.distance import Levenshtein
from tqdm import tqdm

from khmer_aligned.aligners.ctc import CtcAligner
from khmer_aligned.alignment import viterbi
from khmer_aligned.errors import UserError
from khmer_aligned.schema import SAMPLE_RATE
from khmer_whisper.ctc.examples import Spelling, spell, words_of
from khmer_whisper.ctc.loss import BLANK
from khmer_whisper.examples.rows import waveform

_CLIPS = 64  # whose audio is read at a time


@dataclass(frozen=True, slots=True)
class Judgement:
    """Of one split: greedy letters against those of the text, aligned word starts against those
    that were learned, the dataset's or moved, in seconds. Lag is the median of the differences, and
    the distances are what is left without it; None where the dataset has no word times."""

    clips: int
    letters: int
    errors: int
    words: int
    lag: float | None
    median: float | None
    percentile90: float | None

    @property
    def letter_error_rate(self) -> float:
        return self.errors / max(1, self.letters)

    def summary(self) -> str:
        """The figures in a line."""
        line = f"letter error rate {self.letter_error_rate:.1%} on {self.clips} clips"
        if self.lag is None or self.median is None or self.percentile90 is None:
            return line
        return (
            f"{line}; word starts against those learned {1000 * self.lag:+.0f} ms, without that "
            f"half within {1000 * self.median:.0f} ms and 90 % within "
            f"{1000 * self.percentile90:.0f} ms"
        )


@dataclass(frozen=True, slots=True)
class Aligned:
    """A clip: its tokens at the times that were learned, the greedy tokens of its emission, and
    where its own tokens lie by forced alignment, (L, 2) in seconds; None where they do not fit into
    the audio."""

    expected: Spelling
    greedy: np.ndarray
    times: np.ndarray | None


def align_clips(
    aligner: CtcAligner, rows: Dataset, label: str, times: Sequence[np.ndarray] | None = None
) -> Iterator[Aligned]:
    """Align the clips of a split with their own words; `times` as in `Utterances`."""
    ids = {token: i for i, token in enumerate(aligner.vocabulary) if i != BLANK}
    frame = aligner.stride / SAMPLE_RATE
    with tqdm(total=len(rows), desc=label, unit="clip", delay=2) as bar:
        for start in range(0, len(rows), _CLIPS):
            numbers = range(start, min(start + _CLIPS, len(rows)))
            part = [rows[i] for i in numbers]
            emissions = aligner.emissions([waveform(row) for row in part])
            for i, row, emission in zip(numbers, part, emissions, strict=True):
                spelling = spell(words_of(row, times[i] if times else None), ids)
                yield Aligned(
                    spelling,
                    viterbi.collapse(emission.argmax(axis=1), BLANK),
                    _times(emission, spelling.ids, frame),
                )
            bar.update(len(part))


def judge(
    aligner: CtcAligner, rows: Dataset, times: Sequence[np.ndarray] | None = None
) -> Judgement:
    """Judge an aligner on the clips of one split; `times` as in `Utterances`."""
    letters = errors = 0
    differences: list[np.ndarray] = []
    for clip in align_clips(aligner, rows, "judging the aligner", times):
        expected = clip.expected
        letters += len(expected.ids)
        errors += Levenshtein.distance(expected.ids.tolist(), clip.greedy.tolist())
        if clip.times is not None:
            first = np.diff(expected.words, prepend=-1) > 0  # tokens that begin a word
            starts = clip.times[first, 0] - expected.times[first, 0]
            differences.append(starts[~np.isnan(starts)])
    found = np.concatenate(differences) if differences else np.zeros(0)
    if len(found) == 0:
        return Judgement(len(rows), letters, errors, 0, None, None, None)
    lag = float(np.median(found))
    distances = np.abs(found - lag)
    return Judgement(
        clips=len(rows),
        letters=letters,
        errors=errors,
        words=len(found),
        lag=lag,
        median=float(np.median(distances)),
        percentile90=float(np.percentile(distances, 90)),
    )


def _times(emission: np.ndarray, tokens: np.ndarray, frame: float) -> np.ndarray | None:
    """Seconds (L, 2) of tokens in an emission, audio that they do not hold left to the blank."""
    if len(tokens) == 0 or len(emission) == 0:
        return None
    try:
        spans = viterbi.merge(viterbi.align(emission, tokens, BLANK, threads=1), tokens)
    except UserError:
        return None
    return np.stack([spans.start, spans.end], axis=1) * frame
