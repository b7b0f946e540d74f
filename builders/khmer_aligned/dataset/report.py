"""What a build counts: the balance, the splits, the reasons; and its table on the screen."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NotRequired, TypedDict

from khmer_aligned.alignment.lag import LagSource, count
from khmer_aligned.dataset.checked import Checked, describe_checked, describe_sample
from khmer_aligned.dataset.rights import Rights
from khmer_aligned.dataset.statistics import Statistics
from khmer_aligned.errors import UserError
from khmer_aligned.schema import SAMPLE_RATE

UNITS = ("samples", "characters")  # of audio, of raw transcript

_SHOWN_REASONS = 10
_SHOWN_LAGS = 5
_SHOWN_TEXTS = 5

Balance = TypedDict("Balance", {"in": int, "clips": int, "rejected": int})
Recordings = TypedDict("Recordings", {"in": int, "unread": int})


class Reason(TypedDict):
    """What was rejected for one reason."""

    stretches: int
    seconds: float
    characters: int


class DifferingLag(TypedDict):
    """A recording that tells another lag than the one that was used."""

    recording: str  # its id
    seconds: float


class LagReport(TypedDict):
    """The lag that was subtracted from all times, its evidence, and who disagrees.

    source: as in `Lag`; splices: the lag by the second witness, where it was asked and tells one
    """

    seconds: float
    source: LagSource
    edges: int
    recordings: int
    standard_error: float | None
    splices: float | None
    differing: list[DifferingLag]


class DuplicateReport(TypedDict):
    """Clips of train whose sentence is in validation or test, and copies of recordings."""

    equal: int
    nearly_equal: int  # or a longer text holds the sentence
    short: int  # words and greetings that are in both; they stay
    kept: bool  # whether they were left in train; else they are rejected
    recordings: list[list[str]]  # pairs that sound the same under two names


class TextReport(TypedDict):
    """What became of a text that is of several recordings.

    passages: by recording, its characters [first, last); unspoken: the characters of no passage
    """

    characters: int
    passages: dict[str, list[int]]
    unspoken: list[list[int]]


class SplitSize(TypedDict):
    """What a split holds."""

    recordings: int
    clips: int
    seconds: float
    bytes: int  # uncompressed
    stored_bytes: int


class Totals(TypedDict):
    """What all shards took in, and what became of it."""

    balance: dict[str, Balance]  # by the unit
    recordings: Recordings  # those whose audio could not be read are in no sum of samples
    rejected: dict[str, Reason]  # by the reason


class Report(Totals):
    """What build.json holds."""

    key: str  # a hash of the next three
    source: dict[str, str]
    config: dict[str, Any]
    versions: dict[str, str]
    increment: int  # how often the source grew or was corrected since the first build
    aligner_licence: str  # of its weights; `unknown` where nobody says
    texts: dict[str, TextReport]  # of those that are of several recordings, by their names
    splits: dict[str, SplitSize]
    statistics: Statistics
    rights: Rights
    files: dict[str, str]  # the sha256 of each file of clips
    lag: LagReport
    duplicates: DuplicateReport
    checked: NotRequired[Checked]  # by ear, where anything was


@dataclass(frozen=True)
class Tally:
    """What one shard took in and gave: its counts, and its lines of rejected.jsonl.

    counts: clips, recordings, those `unread`, and for each of UNITS what came in (`samples`), what
    is in clips (`clip_samples`) and what was rejected (`rejected_samples`). differing: recordings
    that tell another lag than the one that was used.
    """

    counts: dict[str, int]
    rejections: list[str]
    differing: list[DifferingLag]


def sum_tallies(tallies: Iterable[Tally]) -> Totals:
    """The balance of all shards; an error where what came in differs from what came out.

    Raises UserError where nothing became a clip.
    """
    total: Counter[str] = Counter()
    reasons: dict[str, Reason] = {}
    for tally in tallies:
        total.update(tally.counts)
        _count_reasons(tally, reasons)
    for reason in reasons.values():
        reason["seconds"] = round(reason["seconds"], 2)
    for unit in UNITS:
        out = total[f"clip_{unit}"] + total[f"rejected_{unit}"]
        if total[unit] != out:
            raise RuntimeError(f"{total[unit]} {unit} came in and {out} came out: a fault here")
    if total["clips"] == 0:
        worst = max(reasons, key=lambda reason: reasons[reason]["characters"], default="no text")
        raise UserError(f"nothing became a clip; most of the text was rejected for: {worst}")
    return {
        "balance": {
            unit: {
                "in": total[unit],
                "clips": total[f"clip_{unit}"],
                "rejected": total[f"rejected_{unit}"],
            }
            for unit in UNITS
        },
        "recordings": {"in": total["recordings"], "unread": total["unread"]},
        "rejected": dict(sorted(reasons.items())),
    }


def _count_reasons(tally: Tally, reasons: dict[str, Reason]) -> None:
    for line in tally.rejections:
        row = json.loads(line)
        empty: Reason = {"stretches": 0, "seconds": 0.0, "characters": 0}
        reason = reasons.setdefault(row["reason"], empty)
        reason["stretches"] += 1
        reason["seconds"] += (row["end"] or 0) - (row["start"] or 0)
        reason["characters"] += len(row["text"])


def reasons_by_seconds(report: Totals) -> list[tuple[str, Reason]]:
    """The reasons of a report, the one that took most audio first."""
    return sorted(report["rejected"].items(), key=lambda item: -item[1]["seconds"])


def summary(report: Report) -> str:
    """A build's numbers as a table for the screen."""
    lines = [f"{'split':<12}{'recordings':>11}{'clips':>8}{'minutes':>9}"]
    for name, size in report["splits"].items():
        minutes = size["seconds"] / 60
        lines.append(f"{name:<12}{size['recordings']:>11,}{size['clips']:>8,}{minutes:>9,.1f}")
    audio, text = (report["balance"][unit] for unit in UNITS)
    recordings = report["recordings"]
    if recordings["unread"]:
        lines.append(
            f"{recordings['unread']:,} of {recordings['in']:,} recordings could not be read: their "
            "audio is in none of these numbers, their text is in those of characters"
        )
    lines.append(
        f"kept {audio['clips'] / audio['in']:.1%} of {audio['in'] / SAMPLE_RATE / 60:,.1f} minutes "
        f"and {text['clips'] / text['in']:.1%} of {text['in']:,} characters; "
        "not kept, each with its reason in rejected.jsonl:"
    )
    reasons = reasons_by_seconds(report)
    for name, reason in reasons[:_SHOWN_REASONS]:
        minutes = reason["seconds"] / 60
        lines.append(f"{reason['stretches']:>6,} x {minutes:>7,.1f} min  {name}")
    if len(reasons) > _SHOWN_REASONS:
        lines.append(f"{'':>6}   and {len(reasons) - _SHOWN_REASONS} further reasons")
    lines += [*_text_lines(report["texts"]), *_lag_lines(report["lag"])]
    lines += describe_duplicates(report)
    if checked := report.get("checked"):
        lines.append(describe_checked(checked))
        if sample := checked["sample"]:
            lines.append(f"random sample: {describe_sample(sample)}")
    return "\n".join(lines)


def _text_lines(reports: dict[str, TextReport]) -> list[str]:
    """How much of each text that is of several recordings is spoken."""
    lines = []
    for name, report in list(reports.items())[:_SHOWN_TEXTS]:
        left = sum(last - first for first, last in report["unspoken"])
        lines.append(
            f"{name}: {len(report['passages'])} recordings speak "
            f"{1 - left / max(1, report['characters']):.1%} of its {report['characters']:,} "
            f"characters; {len(report['unspoken'])} parts are of none"
        )
    if len(reports) > _SHOWN_TEXTS:
        lines.append(f"and {len(reports) - _SHOWN_TEXTS} further texts")
    return lines


def describe_duplicates(report: Report) -> list[str]:
    """What train shares with validation and test, in words; nothing where they share nothing."""
    duplicates = report["duplicates"]
    lines = []
    if clips := duplicates["equal"] + duplicates["nearly_equal"]:
        verb = "kept in train" if duplicates["kept"] else "taken out of train"
        lines.append(
            f"{count(clips, 'clip')} {verb}: the sentence is in validation or test, too "
            f"({duplicates['equal']:,} equal, {duplicates['nearly_equal']:,} nearly)"
        )
    if pairs := duplicates["recordings"]:
        shown = "; ".join(f"{first} is {second}" for first, second in pairs[:_SHOWN_LAGS])
        more = "; ..." if len(pairs) > _SHOWN_LAGS else ""
        lines.append(f"{count(len(pairs), 'recording')} given twice, in one split: {shown}{more}")
    return lines


def _lag_lines(lag: LagReport) -> list[str]:
    """The lag, where it is from, and the recordings that tell another one."""
    lines = [f"lag of the aligner: {describe_lag(lag)}"]
    if differing := lag["differing"]:
        shown = [f"{d['recording']} {d['seconds'] * 1000:.0f} ms" for d in differing]
        more = f" and {len(shown) - _SHOWN_LAGS} more" if len(shown) > _SHOWN_LAGS else ""
        tells = "tells" if len(shown) == 1 else "tell"
        lines.append(
            f"{count(len(shown), 'recording')} {tells} another lag, check the times by ear: "
            f"{', '.join(shown[:_SHOWN_LAGS])}{more}"
        )
    return lines


def describe_lag(lag: LagReport) -> str:
    """The lag of a build and where it is from, in words."""
    milliseconds = f"{lag['seconds'] * 1000:.0f} ms"
    evidence = f"{count(lag['edges'], 'edge')} of speech in {count(lag['recordings'], 'recording')}"
    return {
        "given": f"{milliseconds}, as given",
        "stated": f"{milliseconds}, as the aligner's config.json states",
        "measured": f"{milliseconds}, measured on {evidence}",
        "kept": f"{milliseconds}, kept from an earlier calibration ({evidence})",
        "none": f"unknown, {milliseconds} taken; {evidence} are too little",
    }[lag["source"]]
