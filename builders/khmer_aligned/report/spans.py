"""Where the clips of a recording stand in its text: a clip does not say it, its text does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from khmer_aligned.recordings.corrections import CLIP
from khmer_aligned.report.items import Item
from khmer_aligned.text.normalize import normalize_with_spans
from khmer_aligned.text.spans import Span, TextWithSpans

_ENDS = 12  # characters of a clip that place it where phrases in it were not read aloud
_LONGER = 400  # characters that such phrases take at most


def locate(items: Sequence[Item], raw: str) -> list[Item]:
    """The clips and rejections of one recording with their spans in its text `raw`.

    The order is that of time. The span of a clip stays None where its text is not there.
    """
    canonical = normalize_with_spans(raw)
    text = _Squeezed(canonical)
    ordered = sorted(items, key=lambda item: (item.start or 0.0, item.end or 0.0))
    located = []
    for item in ordered:
        if item.kind == CLIP:
            item = replace(item, span=text.find(item.text))
        elif item.span and item.text:
            text.pass_by(item.span[1])
        located.append(item)
    return _to_their_slots(located, raw)


def _to_their_slots(items: list[Item], raw: str) -> list[Item]:
    """Spans that reach to the next one over signs and spaces, as those of rejections do."""
    result: list[Item] = []
    last = 0
    for item, following in zip(items, [*items[1:], None], strict=True):
        if item.span is None or item.kind != CLIP:
            last = item.span[1] if item.span else last
            result.append(item)
            continue
        start, end = item.span
        start = last if not raw[last:start].strip() else start
        limit = following.span[0] if following and following.span else len(raw)
        end = limit if end <= limit and not raw[end:limit].strip() else end
        result.append(replace(item, span=(start, end)))
        last = end
    return result


class _Squeezed:
    """A canonical text without its spaces, searched from front to back."""

    def __init__(self, canonical: TextWithSpans) -> None:
        self._canonical = canonical
        self._places = [i for i, char in enumerate(canonical.text) if not char.isspace()]
        self._text = "".join(canonical.text[i] for i in self._places)
        self._position = 0

    def find(self, written: str) -> Span | None:
        """The raw span of the next place that has this text."""
        wanted = "".join(written.split())
        first = self._text.find(wanted, self._position) if wanted else -1
        last = first + len(wanted)
        if first < 0 and wanted:
            first = self._text.find(wanted[:_ENDS], self._position)
            tail = wanted[-_ENDS:]
            last = self._text.find(tail, max(first, 0)) + len(tail)
            if first < 0 or not len(tail) <= last - first <= len(wanted) + _LONGER:
                return None
        if first < 0:
            return None
        self._position = last
        return self._canonical.locate(self._places[first], self._places[last - 1] + 1)

    def pass_by(self, raw_end: int) -> None:
        """Go on behind a raw character."""
        spans = self._canonical.spans
        while self._position < len(self._places):
            if spans[self._places[self._position]][0] >= raw_end:
                return
            self._position += 1
