"""How strong the boundary after each spoken word is, which decides where a clip may be cut."""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import IntEnum
from itertools import pairwise

from khmer_aligned.text.spans import Span


class Break(IntEnum):
    """Strength of the boundary after a word.

    NEVER stands inside one expression (a number read as several words, before ៗ) and inside a
    name. A spaced ។ belongs to the word before it, so the break after that word is a SENTENCE.
    """

    NEVER = 0
    WORD = 1
    SPACE = 2
    COLON = 3
    SENTENCE = 4
    PARAGRAPH = 5


_TITLES = frozenset({"លោក", "លោកស្រី", "លោកជំទាវ", "ឯកឧត្តម", "អ្នកស្រី", "អ្នកនាង", "កញ្ញា", "សម្តេច"})
_MAX_FAMILY_NAME = 3  # words of the segmenter; what is longer is no name
_MAX_CAPITALIZED = 4  # words of a name in Latin letters; what is longer is a heading
_STRENGTHS = (
    (re.compile(r"\A-\Z"), Break.NEVER),  # COVID-19
    (re.compile(r"\A/\Z"), Break.WORD),
    (re.compile("[\n៕៚]"), Break.PARAGRAPH),
    (re.compile(r"[។!?…]|\.(?!\S)"), Break.SENTENCE),
    (re.compile("[៖:;]"), Break.COLON),
    (re.compile("."), Break.SPACE),
)


def find_breaks(spoken: str, words: Sequence[Span], joined: Sequence[bool]) -> list[Break]:
    """The break after each word but the last.

    `words` are spans in `spoken`; `joined[k]` where words k and k + 1 belong to one expression.
    """
    breaks = []
    for (left, right), is_joined in zip(pairwise(words), joined, strict=True):
        between = spoken[left[1] : right[0]]
        if is_joined:
            breaks.append(Break.NEVER)
        elif between == ". " and _is_initial(spoken[slice(*left)]):
            breaks.append(Break.SPACE)
        else:
            breaks.append(_strength(between))
    texts = [spoken[start:end] for start, end in words]
    for k in range(len(breaks)):
        if breaks[k] == Break.SPACE and words[k + 1][0] - words[k][1] == 1:
            _keep_name(texts, breaks, k)
    return breaks


def _strength(between: str) -> Break:
    for pattern, strength in _STRENGTHS:
        if pattern.search(between):
            return strength
    return Break.WORD


def _is_initial(word: str) -> bool:
    return len(word) == 1 and word.isupper()


def _keep_name(texts: list[str], breaks: list[Break], k: int) -> None:
    """No break after word k, before one space, where it stands in a name.

    Capitalized words in a row are a name, and so are the two parts after a title.
    """
    if texts[k][0].isupper() and texts[k + 1][0].isupper():
        before = breaks[max(k - _MAX_CAPITALIZED + 1, 0) : k]
        if before != [Break.NEVER] * (_MAX_CAPITALIZED - 1):
            breaks[k] = Break.NEVER
    elif texts[k] in _TITLES:
        end = k + 1  # of the family name, as the segmenter cut it
        while end < len(breaks) and breaks[end] == Break.WORD:
            end += 1
        if end - k <= _MAX_FAMILY_NAME:
            breaks[k:end] = [Break.NEVER] * (end - k)
            if end < len(breaks) and breaks[end] == Break.SPACE:
                breaks[end] = Break.NEVER
