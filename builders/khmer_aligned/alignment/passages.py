"""Which passage of a long text a recording speaks, by the aligner's greedy tokens.

A text of a whole book goes with many recordings, in any order. Each recording's greedy tokens are
searched in the tokens of the text: short runs of tokens that both have (seeds), then the best chain
of seeds in the order of both, then its two ends token by token. This is how reads of DNA are mapped
to a genome (Li, "Minimap2: pairwise alignment for nucleotide sequences", 2018; the ends by X-drop:
Zhang et al., 2000), and like these it bears a third of the tokens being wrong.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import NamedTuple

import numpy as np
from numba import njit

from khmer_aligned.alignment.text_index import TextIndex, encode_runs
from khmer_aligned.text import Span

_MAX_PLACES = 500  # of a seed in the text; one that is in more tells nothing
_LOOKBACK = 3_000  # seeds to which a seed may be chained
_MAX_GAP = 2_000  # tokens of text between two of them: two minutes that were left out
_SKEW_COST, _MAX_SKEW_COST = 0.1, 8.0  # of tokens that one side has more of between two seeds
_GAP_COST = 0.05  # of a token between two seeds
_APART = 100  # tokens from the best chain from which a seed speaks for another place
_THIN = 1 / 3  # of a chain's own tokens per greedy token; an end that holds fewer is cut off
_ROUNDS = 3  # of that, as the rest grows denser
_REACH = 400  # tokens behind either end of a chain in which the end is looked for
_DROP = 12  # wrong tokens more than right ones, over which an end is passed
_MIN_LOOSE = 6  # greedy tokens before or behind the passage from which its end is in doubt
_MAX_MARGIN = 60  # tokens of text that are added at a doubtful end: four seconds
_PHRASE = 120  # characters within which an end moves to the end of its phrase
# Over half an hour of text, recordings of 3 to 350 s that are in it: score 46 and 2.4 times the
# second at least; in noise of 10 dB 49 and 3.2 times, from 10 s on. Others of the same voice: up to
# 146, but 1.7 times and 27 more at most; of another voice: up to 12.
_MIN_SCORE = 35.0
_MIN_RATIO = 1.8
# A part of the passage may be in the text twice; the rest of it has to tell the two apart.
_MIN_RATIO_OF_PARTS, _MIN_DIFFERENCE = 1.3, 100.0

_COSTS = np.minimum(_SKEW_COST * np.arange(1 << 16), _MAX_SKEW_COST) + 0.5 * np.log2(
    1 + np.arange(1 << 16)
)


@dataclass(frozen=True, slots=True)
class Passage:
    """The passage of a text that a recording speaks, and the evidence.

    span: its characters in the raw text, whole phrases
    score: tokens that the chain of seeds holds, less what its gaps cost
    second: the score of the best chain of the same greedy tokens elsewhere in the text
    chance: the score of the best chain of the greedy tokens in reverse order
    """

    span: Span
    score: float
    second: float
    chance: float

    @property
    def is_clear(self) -> bool:
        """Whether the evidence is enough."""
        rival = max(self.second, self.chance)
        ahead = self.score >= _MIN_RATIO * rival or (
            self.score >= _MIN_RATIO_OF_PARTS * rival and self.score >= rival + _MIN_DIFFERENCE
        )
        return self.score >= _MIN_SCORE and ahead

    def figures(self) -> dict[str, float]:
        """The evidence, for a rejection."""
        return {k: round(v, 1) for k, v in asdict(self).items() if k != "span"}


def find_passage(greedy: np.ndarray, index: TextIndex) -> Passage | None:
    """The passage of an indexed text that a recording speaks; None where there is no seed.

    greedy: int (n,), the recording's greedy tokens, repeats merged and without blanks. Speech that
    is not in the text, before, behind or inside the passage, costs little, and so do up to
    `_MAX_GAP` tokens of text that were left out. Where an end is in doubt, up to `_MAX_MARGIN`
    tokens are added. Take it only where it `is_clear`.

    O(n log m + h * _LOOKBACK) for m tokens of text and h seeds; h is about n * m / V ** size, with
    V the tokens that are in use, and the right ones.
    """
    greedy = np.asarray(greedy, np.int64)
    at_greedy, at_text = _find_seeds(greedy, index)
    if len(at_greedy) == 0:
        return None
    chain = _best_chain(at_greedy, at_text, index.size)
    expected = np.interp(at_greedy, chain.greedy, chain.text)
    rivals = (at_greedy >= chain.greedy[0]) & (at_greedy <= chain.greedy[-1])
    rivals &= np.abs(at_text - expected) > _APART
    second = _best_chain(at_greedy[rivals], at_text[rivals], index.size)
    chance = _best_chain(*_find_seeds(greedy[::-1], index), index.size)
    span = _find_ends(greedy, index, chain)
    return Passage(span, chain.score, second.score, chance.score)


def _find_seeds(greedy: np.ndarray, index: TextIndex) -> tuple[np.ndarray, np.ndarray]:
    """Where the greedy tokens and the text have the same run, (h,) each; by the place in the
    text, then in the greedy tokens."""
    codes = encode_runs(greedy, index.ids, index.size)
    lo = np.searchsorted(index.codes, codes, "left")
    counts = np.searchsorted(index.codes, codes, "right") - lo
    counts[(codes < 0) | (counts > _MAX_PLACES)] = 0
    at_greedy = np.repeat(np.arange(len(codes)), counts)
    behind = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    at_text = index.places[np.repeat(lo, counts) + behind]
    order = np.lexsort((at_greedy, at_text))
    return at_greedy[order], at_text[order]


class _Chain(NamedTuple):
    """Seeds that follow each other: where each begins, in the greedy tokens and in the text."""

    greedy: np.ndarray
    text: np.ndarray
    score: float


def _best_chain(at_greedy: np.ndarray, at_text: np.ndarray, size: int) -> _Chain:
    """The best chain of seeds (h,); one without a seed has the score 0."""
    if len(at_greedy) == 0:
        return _Chain(at_greedy, at_text, 0.0)
    scores, before = _chain(at_greedy, at_text, size, _COSTS)
    indices = [int(scores.argmax())]
    while before[indices[-1]] >= 0:
        indices.append(before[indices[-1]])
    chain = np.array(indices[::-1])
    return _trim(_Chain(at_greedy[chain], at_text[chain], 0.0), scores[chain])


def _trim(chain: _Chain, scores: np.ndarray) -> _Chain:
    """The chain without thin ends: what is not in the text is chained, too, to where it is alike.

    scores: (n,), of the chain up to each seed
    """
    gains = np.diff(scores, prepend=0.0)
    steps = np.diff(chain.greedy, prepend=chain.greedy[0])
    first, last = 0, len(gains) - 1
    for _ in range(_ROUNDS):
        length = chain.greedy[last] - chain.greedy[first] + 1
        cost = _THIN * gains[first : last + 1].sum() / length
        total = np.cumsum(gains - cost * steps)
        before = np.minimum.accumulate(np.concatenate([[0.0], total[:-1]]))
        last = int((total - before).argmax())
        first = int(np.concatenate([[0.0], total[:last]]).argmin())
    score = float(gains[first : last + 1].sum())
    return _Chain(chain.greedy[first : last + 1], chain.text[first : last + 1], score)


@njit(nogil=True, cache=True)
def _chain(
    at_greedy: np.ndarray, at_text: np.ndarray, size: int, costs: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Of each seed (h,), the score of the best chain that ends with it, and the seed before."""
    count = len(at_greedy)
    scores = np.full(count, float(size))
    before = np.full(count, -1, np.int64)
    for i in range(count):
        for j in range(i - 1, max(-1, i - 1 - _LOOKBACK), -1):
            in_text = at_text[i] - at_text[j]
            if in_text > _MAX_GAP:
                break
            in_greedy = at_greedy[i] - at_greedy[j]
            if in_greedy <= 0 or in_text <= 0:
                continue
            near = min(in_greedy, in_text)
            skew = min(abs(in_greedy - in_text), len(costs) - 1)
            score = scores[j] + min(size, near) - costs[skew] - _GAP_COST * near
            if score > scores[i]:
                scores[i], before[i] = score, j
    return scores, before


def _find_ends(greedy: np.ndarray, index: TextIndex, chain: _Chain) -> Span:
    """The characters of the passage that a chain is of: to the ends of its phrases."""
    g0, t0 = int(chain.greedy[0]), int(chain.text[0])
    g1, t1 = int(chain.greedy[-1]) + index.size, int(chain.text[-1]) + index.size
    before, text_before = greedy[max(0, g0 - _REACH) : g0], index.tokens[max(0, t0 - _REACH) : t0]
    left = _extend(before[::-1], text_before[::-1])
    right = _extend(greedy[g1 : g1 + _REACH], index.tokens[t1 : t1 + _REACH])
    loose = g0 - left[0], len(greedy) - g1 - right[0]
    per_token = max(
        1.0, (t1 - t0) / (g1 - g0)
    )  # in noise many tokens are not among the greedy ones
    margins = [min(round(n * per_token), _MAX_MARGIN) if n >= _MIN_LOOSE else 0 for n in loose]
    t0 = max(0, t0 - left[1] - margins[0])
    t1 = min(len(index.tokens), t1 + right[1] + margins[1])
    start, end = int(index.spans[t0, 0]), int(index.spans[t1 - 1, 1])
    begin = int(index.phrases[np.searchsorted(index.phrases, start, "right") - 1])
    finish = int(index.phrases[np.searchsorted(index.phrases, end, "left")])
    return (
        begin if start - begin <= _PHRASE else start,
        finish if finish - end <= _PHRASE else end,
    )


@njit(nogil=True, cache=True)
def _extend(a: np.ndarray, b: np.ndarray) -> tuple[int, int]:
    """How many tokens of `a` (n,) and of `b` (m,) match from their beginnings on.

    The prefixes with the most right tokens less edits; given up where these fall `_DROP` below.
    """
    row = -np.arange(len(b) + 1)
    best, best_a, best_b = 0, 0, 0
    for i in range(len(a)):
        diagonal, row[0] = row[0], row[0] - 1
        top = row[0]
        for j in range(len(b)):
            match = diagonal + (1 if a[i] == b[j] else -1)
            diagonal = row[j + 1]
            row[j + 1] = max(match, row[j + 1] - 1, row[j] - 1)
            top = max(top, row[j + 1])
            if row[j + 1] > best:
                best, best_a, best_b = row[j + 1], i + 1, j + 1
        if top < best - _DROP:
            break
    return best_a, best_b
