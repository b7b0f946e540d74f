"""What a build counts: the balance, the splits, the reasons; and its table on the screen."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from khmer_aligned.errors import UserError
from khmer_aligned.schema import SAMPLE_RATE

_SHOWN_REASONS = 10
_UNITS = ("samples", "characters")


def balance(tallies: list[dict[str, Any]]) -> dict[str, Any]:
    """What came in against what came out, of all shards; the build fails where they differ."""
    total: Counter[str] = Counter()
    reasons: dict[str, Counter[str]] = {}
    for tally in tallies:
        total.update(tally["counts"])
        for line in tally["rejections"]:
            row = json.loads(line)
            own = reasons.setdefault(row["reason"], Counter())
            own["stretches"] += 1
            own["seconds"] += (row["end"] or 0) - (row["start"] or 0)
            own["characters"] += len(row["text"])
    for unit in _UNITS:
        went = total[f"clip_{unit}"] + total[f"rejected_{unit}"]
        if total[unit] != went:
            raise RuntimeError(f"{total[unit]} {unit} came in and {went} came out: a fault here")
    if total["clips"] == 0:
        worst = max(reasons.items(), key=lambda item: item[1]["characters"])[0]
        raise UserError(f"nothing became a clip; most of the text was rejected for: {worst}")
    return {
        "balance": {
            unit: {
                "in": total[unit],
                "clips": total[f"clip_{unit}"],
                "rejected": total[f"rejected_{unit}"],
            }
            for unit in _UNITS
        },
        "rejected": {
            reason: {name: round(n, 2) for name, n in own.items()}
            for reason, own in sorted(reasons.items())
        },
    }


def by_seconds(report: dict[str, Any]) -> list[tuple[str, dict[str, float]]]:
    """The reasons of a report, that which took most audio first."""
    return sorted(report["rejected"].items(), key=lambda item: -item[1]["seconds"])


def summary(report: dict[str, Any]) -> str:
    """A build's numbers as a table for the screen."""
    lines = [f"{'split':<12}{'recordings':>11}{'clips':>8}{'minutes':>9}"]
    for name, own in report["splits"].items():
        minutes = own["seconds"] / 60
        lines.append(f"{name:<12}{own['recordings']:>11,}{own['clips']:>8,}{minutes:>9,.1f}")
    audio, text = (report["balance"][unit] for unit in _UNITS)
    lines.append(
        f"kept {audio['clips'] / audio['in']:.1%} of {audio['in'] / SAMPLE_RATE / 60:,.1f} minutes "
        f"and {text['clips'] / text['in']:.1%} of {text['in']:,} characters; "
        "not kept, each with its reason in rejected.jsonl:"
    )
    reasons = by_seconds(report)
    for reason, own in reasons[:_SHOWN_REASONS]:
        lines.append(f"{own['stretches']:>6,} x {own['seconds'] / 60:>7,.1f} min  {reason}")
    if len(reasons) > _SHOWN_REASONS:
        lines.append(f"{'':>6}   and {len(reasons) - _SHOWN_REASONS} further reasons")
    return "\n".join(lines)
