"""A stretch of a build in the text that the source has, which decisions count in."""

from __future__ import annotations

from dataclasses import dataclass

from khmer_aligned.recordings.corrections import ACCEPT, Decision
from khmer_aligned.report.examples import text_around
from khmer_aligned.report.items import Item
from khmer_aligned.report.source import Text

MAX_WINDOW = 60.0  # seconds of a stretch that are shown; of a longer one its beginning


@dataclass(frozen=True)
class Stretch:
    """What a decision on an item needs.

    template: a decision without a verdict. text: as the build had it, with the spaces around.
    before, behind: what else is in the corrections that the stretch meets; a decision replaces
    them whole. around: the text of the recording before and behind the stretch.
    """

    template: Decision
    text: str
    before: str
    behind: str
    around: tuple[str, str]

    @property
    def edges(self) -> tuple[float, float]:
        """Seconds in the file."""
        return self.template.start, self.template.end

    def after(self, text: str) -> str:
        """The text of a decision: `text` for that of the stretch, with its spaces around."""
        inner = self.text.strip()
        lead = self.text[: self.text.index(inner)] if inner else ""
        trail = self.text[len(lead) + len(inner) :]
        return self.before + lead + text.strip() + trail + self.behind

    def shown_text(self, decision: Decision | None) -> str:
        """The text as it is now: of an accepting decision, else of the build."""
        if decision is None or decision.verdict != ACCEPT:
            return self.text.strip()
        text = decision.after.removeprefix(self.before).removesuffix(self.behind)
        return text.strip()

    def context(self) -> list[str]:
        """The text before the stretch, its own, and behind it."""
        return [self.around[0], self.text, self.around[1]]


def stretch_of(item: Item, text: Text) -> Stretch:
    """The stretch of an item whose span and times are known."""
    assert item.span is not None and item.start is not None and item.end is not None
    first, last = item.span
    built, spans = text.built.recording.text, text.built.text.spans
    # A correction is one edit: a stretch that meets it takes in all of it.
    low, high = first, last
    if low < high:
        while low > 0 and spans[low - 1] == spans[low]:
            low -= 1
        while high < len(spans) and spans[high] == spans[high - 1]:
            high += 1
    span = text.built.text.locate(low, high)
    before = text.source[span[0] : span[1]]
    template = Decision(
        item.recording_id, span, before, before, item.start, item.end, "", item.kind
    )
    around = text_around(built, first, last)
    return Stretch(template, built[first:last], built[low:first], built[last:high], around)
