"""Where the peers' recipes put the words, on the emissions that ours are put on.

torchaudio: the tutorial "Forced alignment for multilingual data": the whole emission at once,
`forced_align`, a frame's time by dividing the duration by the frames. Its star is a column of
zeros, here in every place where ours may stand. ctc-forced-aligner has the same path in C++, and
lets a word begin half way through the blanks before it. ctc-segmentation: every word an utterance,
timed by its first label.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torchaudio.functional import forced_align, merge_tokens

from khmer_aligned.aligners.base import Aligner
from khmer_aligned.text import Break, Transcript

Starts = dict[int, float]  # a word's first character in the raw transcript -> seconds


def torchaudio(emission: np.ndarray, text: Transcript, aligner: Aligner, seconds: float) -> Starts:
    labels, firsts = _labels(text, aligner, star=None)
    return _tutorial(emission, labels, firsts, aligner.blank, seconds)


def torchaudio_star(
    emission: np.ndarray, text: Transcript, aligner: Aligner, seconds: float
) -> Starts:
    star = emission.shape[1]
    emission = np.concatenate([emission, np.zeros((len(emission), 1), np.float32)], axis=1)
    labels, firsts = _labels(text, aligner, star)
    return _tutorial(emission, labels, firsts, aligner.blank, seconds)


def _tutorial(
    emission: np.ndarray, labels: list[int], firsts: dict[int, int], blank: int, seconds: float
) -> Starts:
    path, scores = forced_align(
        torch.from_numpy(emission)[None], torch.tensor([labels], dtype=torch.int32), blank=blank
    )
    spans = merge_tokens(path[0], scores[0].exp(), blank=blank)
    ratio = seconds / len(emission)
    return {character: spans[k].start * ratio for character, k in firsts.items()}


def ctc_forced_aligner(
    emission: np.ndarray, text: Transcript, aligner: Aligner, seconds: float
) -> Starts:
    from ctc_forced_aligner import forced_align, get_spans, merge_repeats

    spelled = _spelled(text, aligner)
    labels = np.array([[label for _, ids, _ in spelled for label in ids]], np.int64)
    path, _ = forced_align(emission[None], labels, blank=aligner.blank)
    names = {column: str(column) for column in range(emission.shape[1])}
    segments = merge_repeats(np.asarray(path).reshape(-1).tolist(), names)
    words = [" ".join(map(str, ids)) for _, ids, _ in spelled]
    spans = get_spans(words, segments, str(aligner.blank))
    ratio = seconds / len(emission)
    return {
        character: span[0].start * ratio
        for (character, _, _), span in zip(spelled, spans, strict=True)
    }


def ctc_segmentation(
    emission: np.ndarray, text: Transcript, aligner: Aligner, seconds: float
) -> Starts:
    from ctc_segmentation import CtcSegmentationParameters, prepare_token_list
    from ctc_segmentation import ctc_segmentation as segment

    config = CtcSegmentationParameters(
        char_list=list(aligner.vocabulary),
        blank=aligner.blank,
        index_duration=seconds / len(emission),
    )
    spelled = _spelled(text, aligner)
    truth, begins = prepare_token_list(config, [np.array(ids) for _, ids, _ in spelled])
    times, _, _ = segment(config, emission, truth)
    return {
        character: float(times[begin + 1])
        for (character, _, _), begin in zip(spelled, begins, strict=False)
    }


PEERS: dict[str, Callable[[np.ndarray, Transcript, Aligner, float], Starts]] = {
    "torchaudio 2.11, the tutorial": torchaudio,
    "torchaudio 2.11, its star": torchaudio_star,
    "ctc-forced-aligner 1.0.2": ctc_forced_aligner,
    "ctc-segmentation": ctc_segmentation,
}


def _spelled(text: Transcript, aligner: Aligner) -> list[tuple[int, tuple[int, ...], bool]]:
    """Of each word with labels: its first character, its labels, and whether a pause may follow."""
    words = [(word, aligner.tokens(word).ids) for word in text.words]
    return [(word.span[0], ids, word.break_after >= Break.SPACE) for word, ids in words if ids]


def _labels(
    text: Transcript, aligner: Aligner, star: int | None
) -> tuple[list[int], dict[int, int]]:
    """All labels, and of each word its first character and the place of its first label."""
    labels = [] if star is None else [star]
    firsts = {}
    for character, ids, pause in _spelled(text, aligner):
        firsts[character] = len(labels)
        labels.extend(ids)
        if star is not None and pause:
            labels.append(star)
    return labels, firsts
