"""A text that remembers where each of its characters came from: the one primitive of all spans."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

Span = tuple[int, int]  # [start, end) in characters
Edit = tuple[int, int, str]  # text[start:end] becomes the string


@dataclass(frozen=True, slots=True)
class Traced:
    """A text and, for each of its characters, its span in the level before.

    Starts and ends never decrease. Characters of one edit share the span of the whole edit:
    inside a reordered cluster or a verbalized number no finer origin exists.
    """

    text: str
    spans: tuple[Span, ...]

    def locate(self, start: int, end: int) -> Span:
        """The span, in the level before, of `text[start:end]`; a point where that is empty."""
        if start < end:
            return self.spans[start][0], self.spans[end - 1][1]
        if start < len(self.spans):
            return self.spans[start][0], self.spans[start][0]
        end_of_text = self.spans[-1][1] if self.spans else 0
        return end_of_text, end_of_text

    def onto(self, before: Traced) -> Traced:
        """The same text with spans into the level before `before`, whose text this one rewrote."""
        return Traced(self.text, tuple(before.locate(start, end) for start, end in self.spans))


def rewrite(text: str, edits: Iterable[Edit]) -> Traced:
    """Apply edits, given in order and not overlapping; untouched characters keep their own span."""
    parts: list[str] = []
    spans: list[Span] = []
    done = 0
    for start, end, replacement in edits:
        parts += text[done:start], replacement
        spans += [(i, i + 1) for i in range(done, start)]
        spans += [(start, end)] * len(replacement)
        done = end
    parts.append(text[done:])
    spans += [(i, i + 1) for i in range(done, len(text))]
    return Traced("".join(parts), tuple(spans))
