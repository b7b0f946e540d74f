"""One person's work on a build: what there is to check, what was decided, saved at every act."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from khmer_aligned.errors import UserError
from khmer_aligned.recordings.corrections import (
    ACCEPT,
    CLIP,
    REJECT,
    Decision,
    correct,
    latest,
    read_decisions,
    write_decisions,
)
from khmer_aligned.report.examples import place_words
from khmer_aligned.report.items import Item, read_clip
from khmer_aligned.report.source import Source
from khmer_aligned.review.stretches import MAX_WINDOW, Stretch, stretch_of
from khmer_aligned.schema import MAX_CLIP_SECONDS

REASONS = (
    "wrong text",
    "words cut off",
    "noise or music",
    "several voices at once",
    "not Khmer",
    "names or private matters",
)
_AROUND = 2.0  # seconds of the recording that are shown before and behind
_SAME = 0.005  # seconds; edges that are closer are the same


@dataclass
class Act:
    """A decision that was made here, and the one of this session that it replaced."""

    made: Decision
    before: Decision | None


class Session:
    """The stretches of a build that can be checked, by their index, and the decisions on them.

    The file of corrections is read again before each act and written whole after it, so that
    nothing is lost where the process is killed, nor what another person decides meanwhile.
    """

    def __init__(
        self,
        items: Sequence[Item],
        source: Source,
        file: Path,
        *,
        who: str,
        sample: str = "",
        again: bool = False,
    ) -> None:
        self.items, self.source, self.file = list(items), source, file
        self.who, self.sample, self.again = who, sample, again
        self.started = _now()
        self._acts: list[Act] = []
        self._lock = threading.Lock()
        self.decisions = self._read()

    def _read(self) -> list[Decision]:
        return read_decisions(self.file) if self.file.is_file() else []

    def _stretch(self, index: int) -> Stretch:
        if not 0 <= index < len(self.items):
            raise UserError(f"there is no stretch {index}")
        item = self.items[index]
        return stretch_of(item, self.source.texts[item.recording_id])

    def decision_on(self, index: int) -> Decision | None:
        """The latest decision on a stretch; with `again`, the latest of this session."""
        template = self._stretch(index).template
        return _Index(self.decisions).find(template, self.started if self.again else None)

    def states(self) -> list[str]:
        """The verdict on each stretch, "" where there is none."""
        found = _Index(self.decisions)
        since = self.started if self.again else None
        decided = (found.find(self._stretch(i).template, since) for i in range(len(self.items)))
        return [decision.verdict if decision else "" for decision in decided]

    def rows(self) -> list[dict[str, Any]]:
        """What the list shows of each stretch."""
        return [
            {
                "key": item.key,
                "kind": item.kind,
                "recording": item.recording,
                "speaker": item.speaker or "",
                "reason": item.reason,
                "score": item.score,
                "seconds": round(item.seconds, 2),
                "text": item.text[:80],
                "state": state,
            }
            for item, state in zip(self.items, self.states(), strict=True)
        ]

    def view(self, index: int) -> dict[str, Any]:
        """All that the page shows of one stretch; `fit` as the build has it, where it is a clip."""
        stretch, item, decision = self._stretch(index), self.items[index], self.decision_on(index)
        start, end = (decision.start, decision.end) if decision else stretch.edges
        low, high = self.window(index)
        text = stretch.shown_text(decision)
        return {
            "index": index,
            "key": item.key,
            "kind": item.kind,
            "recording": item.recording,
            "speaker": item.speaker or "",
            "split": item.split or "",
            "score": item.score,
            "reason": item.reason,
            "figures": item.figures,
            "found": stretch.edges,
            "start": start,
            "end": end,
            "low": low,
            "high": high,
            "built": stretch.text.strip(),
            "text": text,
            "context": stretch.context(),
            "state": decision.verdict if decision else "",
            "why": decision.reason if decision else "",
            "who": decision.who if decision else "",
            "fit": None if decision else _built_fit(item),
        }

    def window(self, index: int) -> tuple[float, float]:
        """The seconds of the file that are shown with a stretch."""
        item = self.items[index]
        decision = self.decision_on(index)
        start, end = self._stretch(index).edges
        if decision:
            start, end = min(start, decision.start), max(end, decision.end)
        low = max(0.0, start - _AROUND)
        first, last = self.source.bounds(item.recording_id)
        high = min(last, min(end, start + MAX_WINDOW) + _AROUND)
        return max(first, low), max(first, low, high)

    def waveform(self, index: int, start: float, end: float) -> np.ndarray:
        """Seconds [start, end) of the file that a stretch is in, float32 (n,) at 16 kHz."""
        self._stretch(index)
        if not 0 <= start <= end <= start + MAX_WINDOW + 2 * _AROUND:
            raise UserError(f"{start} s to {end} s are no stretch that can be shown")
        return self.source.waveform(self.items[index].recording_id, start, end)

    def decide(
        self, index: int, verdict: str, text: str, edges: tuple[float, float], reason: str = ""
    ) -> Decision:
        """Decide on a stretch between two edges, seconds of the file, and save the file.

        Raises UserError for edges that leave the file, overlap another corrected stretch or are
        more than a clip can hold, and for an accepted stretch without text.
        """
        with self._lock:
            self._check(index, verdict, text, edges)
            made = self._make_decision(index, verdict, text, edges)
            made = replace(made, reason=" ".join(reason.split()))
            decisions = self._read()
            kept = [d for d in decisions if not (d.session == self.started and made.is_of(d))]
            replaced = [d for d in decisions if d not in kept]
            self._check_overlap(made, [*kept, made])
            self._save([*kept, made])
            self._acts.append(Act(made, replaced[-1] if replaced else None))
            return made

    def _make_decision(
        self, index: int, verdict: str, text: str, edges: tuple[float, float]
    ) -> Decision:
        stretch, before = self._stretch(index), self.decision_on(index)
        shown_edges = stretch.edges if before is None else (before.start, before.end)
        shown = stretch.shown_text(None)
        moved = any(abs(a - b) > _SAME for a, b in zip(edges, shown_edges, strict=True))
        changed = verdict == ACCEPT  # of a rejection
        if self.items[index].kind == CLIP:
            changed = verdict == REJECT or moved or text.strip() != shown
        # What the build has of an earlier correction stays corrected by a look that agrees.
        earlier = _Index(self._read()).find(stretch.template, None)
        return replace(
            stretch.template,
            after=stretch.after(text if verdict == ACCEPT else shown),
            start=round(edges[0], 4),
            end=round(edges[1], 4),
            verdict=verdict,
            moved=moved or (earlier is not None and earlier.moved),
            changed=changed,
            kind=stretch.template.kind if earlier is None else earlier.kind,
            who=self.who,
            when=_now(),
            session=self.started,
            sample=self.sample,
        )

    def _check(self, index: int, verdict: str, text: str, edges: tuple[float, float]) -> None:
        start, end = edges
        if verdict not in (ACCEPT, REJECT):
            raise UserError(f"{verdict!r} is no verdict")
        first, last = self.source.bounds(self.items[index].recording_id)
        if not first - _SAME <= start < end <= last + _SAME:
            raise UserError(f"the edges {start:.2f} s and {end:.2f} s are not in the recording")
        if verdict == ACCEPT and end - start > MAX_CLIP_SECONDS:
            raise UserError(f"a clip holds {MAX_CLIP_SECONDS:.0f} s at most: move the edges")
        if verdict == ACCEPT and not text.strip():
            raise UserError("a clip needs a text: write what is said, or reject the stretch")

    def _check_overlap(self, made: Decision, decisions: list[Decision]) -> None:
        of_recording = [d for d in latest(decisions) if d.recording == made.recording]
        recording = self.source.uncorrected(made.recording)
        if stale := correct(recording, of_recording).recording.stale:
            raise UserError(f"not saved: {stale[0]}")

    def undo(self) -> int | None:
        """Take back the last act, also of an earlier session of this person; returns its stretch.

        None where there is nothing to take back.
        """
        with self._lock:
            decisions = self._read()
            if self._acts:
                act = self._acts.pop()
                position = next((i for i, d in enumerate(decisions) if d == act.made), None)
                if position is None:
                    return None
                decisions[position : position + 1] = [act.before] if act.before else []
                undone = act.made
            else:
                own = [i for i, d in enumerate(decisions) if d.who == self.who]
                if not own:
                    return None
                undone = decisions.pop(own[-1])
            self._save(decisions)
        stretches = (self._stretch(i).template for i in range(len(self.items)))
        return next((i for i, template in enumerate(stretches) if undone.is_of(template)), None)

    def _save(self, decisions: list[Decision]) -> None:
        try:
            write_decisions(self.file, decisions)
        except OSError as error:
            raise UserError(
                f"{self.file}: cannot be written ({error.strerror}); name another --corrections"
            ) from error
        self.decisions = decisions


class _Index:
    """Decisions by their recordings."""

    def __init__(self, decisions: Sequence[Decision]) -> None:
        self._of: dict[str, list[Decision]] = {}
        for decision in decisions:
            self._of.setdefault(decision.recording, []).append(decision)

    def find(self, template: Decision, session: str | None) -> Decision | None:
        """The last decision on a stretch, of one session where it is named."""
        for decision in reversed(self._of.get(template.recording, [])):
            if session in (None, decision.session) and template.is_of(decision):
                return decision
        return None


def _built_fit(item: Item) -> dict[str, Any] | None:
    """The alignment of a clip in the build, in the form that `Realigner.align` gives."""
    if item.place is None:
        return None
    row = read_clip(item.place, ("spoken", "words"))
    return {
        "fits": True,
        "problem": "",
        "score": item.score,
        "spoken": row["spoken"],
        "words": place_words(row["spoken"], row["words"]),
    }


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
