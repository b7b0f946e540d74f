"""A text whose characters know the span that each came from: the one primitive of all spans."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

Span = tuple[int, int]  # [start, end) in characters
Edit = tuple[int, int, str]  # text[start:end] becomes the string


@dataclass(frozen=True, slots=True)
class TextWithSpans:
    """A text and, for each of its characters, the character's span in the source text.

    Starts and ends never decrease. Characters of one edit share the span of the whole edit:
    inside a reordered cluster or a verbalized number no finer origin exists.
    """

    text: str
    spans: tuple[Span, ...]

    def locate(self, start: int, end: int) -> Span:
        """Span of `text[start:end]` in the source text; a point where that slice is empty."""
        if start < end:
            return self.spans[start][0], self.spans[end - 1][1]
        if start < len(self.spans):
            return self.spans[start][0], self.spans[start][0]
        end_of_text = self.spans[-1][1] if self.spans else 0
        return end_of_text, end_of_text

    def compose(self, source: TextWithSpans) -> TextWithSpans:
        """The same text with spans into the source of `source`, whose text this one rewrote."""
        return TextWithSpans(self.text, tuple(source.locate(*span) for span in self.spans))


def rewrite(text: str, edits: Iterable[Edit]) -> TextWithSpans:
    """Apply edits, which are in order and do not overlap. Other characters stay as they are."""
    parts: list[str] = []
    spans: list[Span] = []
    position = 0
    for start, end, replacement in edits:
        parts += text[position:start], replacement
        spans += [(i, i + 1) for i in range(position, start)]
        spans += [(start, end)] * len(replacement)
        position = end
    parts.append(text[position:])
    spans += [(i, i + 1) for i in range(position, len(text))]
    return TextWithSpans("".join(parts), tuple(spans))
