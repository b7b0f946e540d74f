"""Phrases of a transcript that may not be spoken: the audio decides, as over a number's reading.

Each phrase is left out first, with a star in its place, and then tried there, together with the
words around it. Paths through the same frames can be compared whatever their tokens: a phrase that
was spoken is more probable than the star, and one that was not is less probable. A long phrase with
a wrong word may be less probable than the star, too, so it counts as spoken also where most of its
tokens are those of the audio.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from rapidfuzz.distance import Levenshtein

from khmer_aligned.aligners.base import Aligner, frame_seconds
from khmer_aligned.alignment import viterbi
from khmer_aligned.alignment.target import Target, make_target, star_id
from khmer_aligned.errors import UserError
from khmer_aligned.text import SpokenWord, Transcript, Unread

_CONTEXT = 1.0  # seconds of words on either side that are aligned anew
_NEAR = 3  # contexts between a star and another one that may hold the phrase, too
_FURTHEST = 30  # contexts on either side
_LONG = 8  # tokens from which the distance of a phrase tells something
_MAX_DISTANCE = 0.45  # edits per token from the greedy tokens, up to which a long phrase is spoken


def drop_optional(transcript: Transcript, emission: np.ndarray, aligner: Aligner) -> Target:
    """The target of a transcript with those of its optional phrases that were spoken.

    emission: float32 (T, V). Raises UserError where the transcript cannot be aligned.
    """
    silent = [phrase.span for phrase in transcript.optional if phrase.silent]
    transcript = transcript.omit(silent)
    phrases = [phrase for phrase in transcript.optional if not phrase.silent]
    if not phrases:
        return make_target(transcript, aligner)
    try:
        target = make_target(transcript, aligner, [phrase.span for phrase in phrases])
        path = viterbi.align(emission, target.ids, aligner.blank, star_id(aligner))
    except UserError:  # nothing is left without these phrases, or it is too long by itself
        return make_target(transcript, aligner)
    search = _Search(target, viterbi.merge(path, target.ids), emission, aligner)
    unread = [phrase.span for phrase in phrases if not search.is_spoken(phrase)]
    return make_target(transcript.omit(unread), aligner)


@dataclass(frozen=True)
class _Search:
    """The path of a target that leaves all optional phrases out."""

    target: Target
    spans: viterbi.Spans
    emission: np.ndarray
    aligner: Aligner

    def is_spoken(self, phrase: Unread) -> bool:
        """Whether the audio holds the phrase in its place."""
        words = self.target.transcript.words
        first = next((k for k, word in enumerate(words) if word.span[0] >= phrase.span[0]), 0)
        last = next(
            (k for k in range(first, len(words)) if words[k].span[0] >= phrase.span[1]), len(words)
        )
        if first == last:
            return False
        star = self.target.ranges[first][0]
        left, right = self._around(star)
        start = int(self.spans.start[left]) if left else 0
        whole = right == len(self.target.ids)
        end = len(self.emission) if whole else int(self.spans.end[right - 1])
        before, after = self.target.ids[left : star + 1], self.target.ids[star:right]
        emission = self.emission[start:end]
        without = self._align(emission, np.concatenate([before, after[1:]]))
        for tokens in self._readings(first, last):
            ids = np.concatenate([before, tokens, after])
            path = self._align(emission, ids)
            if path is None:
                continue
            if without is None or path.score > without.score:
                return True
            if len(tokens) >= _LONG:
                spans = viterbi.merge(path, ids)
                lo, hi = len(before), len(before) + len(tokens)
                frames = emission[spans.start[lo] : spans.end[hi - 1]].argmax(axis=1)
                actual = viterbi.collapse(frames, self.aligner.blank).tolist()
                if Levenshtein.distance(tokens.tolist(), actual) <= _MAX_DISTANCE * len(tokens):
                    return True
        return False

    def _around(self, star: int) -> tuple[int, int]:
        """The tokens [left, right) in whose frames a phrase is tried in place of a star.

        Without the phrase, a word like one of its words may stand in its speech; the star beside
        that word took the rest, so stars near by that took audio belong to the frames.
        """
        spans = self.spans
        context = round(_CONTEXT / frame_seconds(self.aligner))
        taken = self.target.stars[spans.end[self.target.stars] > spans.start[self.target.stars]]
        start, end = spans.start[star], spans.end[star]
        first, last = start - _FURTHEST * context, end + _FURTHEST * context
        for k in taken[taken < star][::-1]:
            if spans.end[k] >= max(start - _NEAR * context, first):
                start = max(min(start, spans.start[k]), first)
        for k in taken[taken > star]:
            if spans.start[k] <= min(end + _NEAR * context, last):
                end = min(max(end, spans.end[k]), last)
        left = min(int(np.searchsorted(spans.start, start - context)), star)
        right = int(np.searchsorted(spans.end, end + context, "right"))
        return left, max(right, star + 1)

    def _readings(self, first: int, last: int) -> Iterator[np.ndarray]:
        """The tokens of words [first, last), in each reading of a number among them."""
        words = self.target.transcript.words
        yield self._tokens(words[first:last])
        for ambiguity in self.target.transcript.ambiguities:
            if first <= ambiguity.first and ambiguity.last <= last:
                for reading in ambiguity.readings[1:]:
                    head, tail = words[first : ambiguity.first], words[ambiguity.last : last]
                    yield self._tokens((*head, *reading, *tail))

    def _tokens(self, words: tuple[SpokenWord, ...]) -> np.ndarray:
        tokens = [token for word in words for token in self.aligner.tokens(word).ids]
        return np.array(tokens, np.int32)

    def _align(self, emission: np.ndarray, ids: np.ndarray) -> viterbi.Path | None:
        """The best path; None where there is none."""
        star = star_id(self.aligner)
        with suppress(UserError):
            return viterbi.align(emission, ids, self.aligner.blank, star, threads=1)
        return None
