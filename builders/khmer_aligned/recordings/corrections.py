"""corrections.jsonl: what people decided by ear of stretches of the recordings, and its use.

The file lies beside the recordings, which stay as they are. A line is one look of one person at
one stretch: its characters [first, last) in the text as the source has it, that text before and
after, its edges in seconds of the file, and the verdict. Where one text is of several recordings,
the characters are those of the whole text.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, NamedTuple

from khmer_aligned.errors import UserError
from khmer_aligned.files import write_whole
from khmer_aligned.schema import Correction, Cue, Recording
from khmer_aligned.stores import as_path
from khmer_aligned.text.spans import Edit, TextWithSpans, rewrite

FILE = "corrections.jsonl"
ACCEPT, REJECT = "accept", "reject"
CLIP, REJECTION = "clip", "rejection"  # what a stretch was
BY_EAR = "rejected by ear: "  # begins the reason of such a rejection


@dataclass(frozen=True, slots=True)
class Decision:
    """A line of the file.

    recording: the id of a Recording. span, before: of the text as the source has it. start, end:
    the edges, in seconds of the file; `moved` where they are not those that were found. changed:
    whether this look changed what the build had. kind: CLIP or REJECTION, before anybody
    corrected it. session: when the work
    in which it was decided began; a decision in the same session replaces an earlier one. sample:
    the random sample that the stretch belongs to, as JSON.
    """

    recording: str
    span: tuple[int, int]
    before: str
    after: str
    start: float
    end: float
    verdict: str
    kind: str
    reason: str = ""
    moved: bool = False
    changed: bool = False
    who: str = ""
    when: str = ""
    session: str = ""
    sample: str = ""

    @property
    def is_change(self) -> bool:
        """Whether a build without it would give something else."""
        if self.kind == REJECTION:
            return self.verdict == ACCEPT
        return self.verdict == REJECT or self.after != self.before or self.moved

    def is_of(self, other: Decision) -> bool:
        """Whether both are of one stretch: the same characters, or without any, the same time."""
        if self.recording != other.recording:
            return False
        (a, b), (c, d) = self.span, other.span
        if a == b or c == d:
            return self.span == other.span and self.start < other.end and other.start < self.end
        return a < d and c < b


class Corrected(NamedTuple):
    """A recording with its corrections, and its text with the way back to the source's: to the
    whole text where the recording speaks a passage of it."""

    recording: Recording
    text: TextWithSpans


def corrections_file(source: str, given: Path | None = None) -> Path | None:
    """The file of a source: the one that is given, else the one in its folder, if it is there.

    Raises UserError where a given one is missing.
    """
    if given is not None:
        if not given.is_file():
            raise UserError(f"{given}: no such file of corrections")
        return given
    path = as_path(source) / FILE
    return path if path.is_file() else None


def read_decisions(path: Path) -> list[Decision]:
    """The decisions of a file, in its order. Raises UserError for a line that is none."""
    names = {item.name for item in fields(Decision)}
    decisions = []
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), start=1):
        if line.strip():
            try:
                row: dict[str, Any] = json.loads(line)
                first, last = map(int, row["span"])
                values = {k: v for k, v in row.items() if k in names} | {"span": (first, last)}
                decision = Decision(**values)
                _check(decision)
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                reason = " ".join(str(error).split())
                raise UserError(
                    f"{path}: line {number} is no correction ({reason}); mend it or remove it"
                ) from error
            decisions.append(decision)
    return decisions


def _check(decision: Decision) -> None:
    if decision.verdict not in (ACCEPT, REJECT):
        raise ValueError(f"verdict {decision.verdict!r} is neither {ACCEPT} nor {REJECT}")
    first, last = decision.span
    if not 0 <= first <= last or last - first != len(decision.before):
        raise ValueError("the span is not that of the text before")
    if not 0 <= float(decision.start) <= float(decision.end):
        raise ValueError("start and end are no stretch")


def write_decisions(path: Path, decisions: Iterable[Decision]) -> None:
    """Write the file whole, so that a process that is killed loses no decision."""
    lines = [json.dumps(asdict(decision), ensure_ascii=False) + "\n" for decision in decisions]
    write_whole(path, "".join(lines))


def latest(decisions: Sequence[Decision]) -> list[Decision]:
    """Of all decisions of one stretch the last one, in the order of the file."""
    by_recording: dict[str, list[Decision]] = {}
    for decision in decisions:
        kept = by_recording.setdefault(decision.recording, [])
        kept[:] = [item for item in kept if not decision.is_of(item)]
        kept.append(decision)
    return [decision for kept in by_recording.values() for decision in kept]


def correct(recording: Recording, decisions: Sequence[Decision]) -> Corrected:
    """A recording with the corrections that its decisions, the latest of each stretch, ask for.

    What does not apply stands in its `stale`: where the text has changed since, where the
    recording speaks another passage, and where two stretches overlap in time. A recording whose
    passage is not yet found comes back as it is.
    """
    start = recording.text_start or 0
    unchanged = TextWithSpans(
        recording.text, tuple((start + i, start + i + 1) for i in range(len(recording.text)))
    )
    if not decisions:
        return Corrected(recording, unchanged)
    is_sought = recording.text_file is not None and recording.text_start is None
    if is_sought and not recording.problem:
        return Corrected(recording, unchanged)
    if recording.problem:
        stale = tuple(f"{_name(item)}: {recording.problem}" for item in decisions)
        return Corrected(replace(recording, stale=stale), unchanged)
    decisions = [
        replace(item, span=(item.span[0] - start, item.span[1] - start)) for item in decisions
    ]
    reasons = {item: _why_stale(item, recording) for item in decisions}
    stale_lines = [f"{_name(item)}: {reason}" for item, reason in reasons.items() if reason]
    changes, overlapping = _apart(
        [
            item
            for item in sorted(decisions, key=lambda item: (item.span, item.start))
            if item.is_change and not reasons[item]
        ]
    )
    stale_lines += [f"{_name(item)}: overlaps another in time" for item in overlapping]
    edits: list[Edit] = []
    corrections: list[Correction] = []
    offset = 0
    for item in changes:
        first, last = item.span
        after = item.before if item.verdict == REJECT else item.after
        edits.append((first, last, after))
        corrections.append(_correction(item, first + offset, after))
        offset += len(after) - (last - first)
    text = rewrite(recording.text, edits)
    corrected = replace(
        recording,
        text=text.text,
        cues=tuple(_shift(cue, edits) for cue in recording.cues),
        corrections=tuple(corrections),
        stale=tuple(stale_lines),
    )
    spans = tuple((start + first, start + last) for first, last in text.spans)
    return Corrected(corrected, TextWithSpans(text.text, spans))


def _why_stale(item: Decision, recording: Recording) -> str:
    """Why a decision, its span counted in the recording's text, does not apply; "" if it does."""
    first, last = item.span
    if recording.text_file and not 0 <= first <= last <= len(recording.text):
        return "outside the passage that the recording speaks"
    return "" if recording.text[first:last] == item.before else "the text has changed since"


def _apart(changes: list[Decision]) -> tuple[list[Decision], list[Decision]]:
    """Changes in order that do not overlap in time, and those that had to be left out.

    An edge that was found gives way to one that a person moved.
    """
    kept: list[Decision] = []
    overlapping: list[Decision] = []
    for item in changes:
        before = kept[-1] if kept else None
        if before is None or before.end <= item.start + 1e-3:
            kept.append(item)
        elif not item.moved and before.end < item.end:
            kept.append(replace(item, start=before.end))
        elif not before.moved and before.start < item.start:
            kept[-1] = replace(before, end=item.start)
            kept.append(item)
        else:
            overlapping.append(item)
    return kept, overlapping


def _correction(item: Decision, first: int, after: str) -> Correction:
    reason = BY_EAR + item.reason if item.verdict == REJECT else ""
    return Correction(first, first + len(after), item.start, item.end, item.verdict, reason)


def _name(item: Decision) -> str:
    return f"{item.recording} {item.start:.2f}-{item.end:.2f} s"


def _shift(cue: Cue, edits: Sequence[Edit]) -> Cue:
    """A cue whose span is that of the corrected text; it takes in an edit that it meets."""
    first, last, offset = cue.first, cue.last, 0
    for start, end, after in edits:
        grown = len(after) - (end - start)
        if start < cue.last and cue.first < end:
            first = min(first, start + offset) if start < cue.first else first
            last = max(last, end + offset) + grown
        elif end <= cue.first:
            first, last = first + grown, last + grown
        offset += grown
    return replace(cue, first=first, last=last)
