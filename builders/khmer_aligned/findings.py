"""What a check of published files found, line by line."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from typing import Any

_SHOWN = 20  # differences of one kind; the rest is counted


@dataclass
class Findings:
    """Lines to show, and whether one of them says that something is not as published."""

    lines: list[str] = field(default_factory=list)
    differences: int = 0

    def agree(self, text: str) -> None:
        """Something is as published."""
        self.lines.append(f"ok       {text}")

    def differ(self, text: str) -> None:
        """Something is not as published."""
        self.lines.append(f"DIFFERS  {text}")
        self.differences += 1

    def note(self, text: str) -> None:
        """Something to know, which is no difference."""
        self.lines.append(f"note     {text}")

    def check(self, agreed: str, differences: Iterable[str]) -> None:
        """Say what agreed, or each of the differences."""
        found = list(differences)
        for text in found[:_SHOWN]:
            self.differ(text)
        if len(found) > _SHOWN:
            self.differ(f"{agreed}: no, and {len(found) - _SHOWN} further differences like these")
        if not found:
            self.agree(agreed)

    def conclusion(self) -> str:
        """The last line."""
        if self.differences:
            return f"{self.differences} differences: not what was published"
        return "everything is as published"


def compare_tables(name: str, published: Any, expected: Any) -> list[str]:
    """The leaves of two JSON values that differ, with their paths; floats to 9 digits."""
    if isinstance(published, dict) and isinstance(expected, dict):
        keys = dict.fromkeys([*expected, *published])
        return [
            line
            for key in keys
            for line in compare_tables(f"{name}.{key}", published.get(key), expected.get(key))
        ]
    if (
        isinstance(published, list)
        and isinstance(expected, list)
        and len(published) == len(expected)
    ):
        return [
            line
            for i, (a, b) in enumerate(zip(published, expected, strict=True))
            for line in compare_tables(f"{name}[{i}]", a, b)
        ]
    if isinstance(published, float) and isinstance(expected, (int, float)):
        same = abs(published - expected) <= 1e-9 * max(1.0, abs(expected))
    else:
        same = published == expected
    return [] if same else [f"{name} says {published!r} and its data say {expected!r}"]


def compare_texts(name: str, published: str, expected: str) -> list[str]:
    """The lines of a published text that its data do not give, and those that it left out."""
    before, now = expected.splitlines(), published.splitlines()
    differences = []
    for kind, b0, b1, n0, n1 in SequenceMatcher(None, before, now, autojunk=False).get_opcodes():
        if kind == "equal":
            continue
        for offset in range(max(b1 - b0, n1 - n0)):
            says = now[n0 + offset] if n0 + offset < n1 else None
            should = before[b0 + offset] if b0 + offset < b1 else None
            if says is None:
                differences.append(f"{name}: the line {should!r} is missing")
            elif should is None:
                differences.append(f"{name} line {n0 + offset + 1}: {says!r} is not from its data")
            else:
                where = f"{name} line {n0 + offset + 1}"
                differences.append(f"{where}: {says!r}; its data say {should!r}")
    return differences
