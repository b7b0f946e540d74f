"""What people checked by ear, in numbers, and the share of right clips in a random sample."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from typing import TypedDict

from khmer_aligned.recordings.corrections import (
    ACCEPT,
    CLIP,
    REJECT,
    REJECTION,
    Decision,
    latest,
)

_Z = 1.959964  # the normal quantile of a 95 % interval


class Sample(TypedDict):
    """A random sample of the clips of a build, and how many of those that were checked are right.

    low, high: the 95 % interval of the share of right clips in that build
    """

    size: int
    clips: int  # of the build
    seed: int
    build: str  # the beginning of its key
    checked: int
    right: int
    low: float
    high: float


class Checked(TypedDict):
    """Stretches that were checked by ear, each counted once by its last decision."""

    clips: int
    corrected: int  # of the clips: another text, or other edges
    rejected: int  # of the clips
    recovered: int  # rejections that a person accepted
    stale: int  # decisions that do not apply to what the source holds now
    second_looks: int  # stretches that were looked at in two sessions or more
    agreed: int  # of these: the last two looks have the same verdict and the same text
    sample: Sample | None


def count_checked(decisions: Sequence[Decision], stale: int = 0) -> Checked | None:
    """The numbers of a file of corrections; None where nobody decided anything."""
    if not decisions:
        return None
    last = latest(decisions)
    clips = [item for item in last if item.kind == CLIP]
    looks = [_looks(item, decisions) for item in last]
    twice = [pair for pair in looks if len(pair) > 1]
    return {
        "clips": len(clips),
        "corrected": sum(item.verdict == ACCEPT and item.is_change for item in clips),
        "rejected": sum(item.verdict == REJECT for item in clips),
        "recovered": sum(item.kind == REJECTION and item.is_change for item in last),
        "stale": stale,
        "second_looks": len(twice),
        "agreed": sum(
            (first.verdict, first.after) == (second.verdict, second.after)
            for *_, first, second in twice
        ),
        "sample": _count_sample(decisions),
    }


def _looks(item: Decision, decisions: Iterable[Decision]) -> list[Decision]:
    """The looks at one stretch, the last one of each session, in order."""
    by_session = {
        other.session: other
        for other in decisions
        if (other.recording, other.span) == (item.recording, item.span) and other.is_of(item)
    }
    return list(by_session.values())


def _count_sample(decisions: Sequence[Decision]) -> Sample | None:
    """The share of right clips in the sample that was worked on last."""
    named = [item for item in decisions if item.sample]
    if not named:
        return None
    # A stretch counts by its first look: the second one sees what the first corrected.
    seen: dict[tuple[str, tuple[int, int]], Decision] = {}
    for item in named:
        if item.sample == named[-1].sample:
            seen.setdefault((item.recording, item.span), item)
    drawn = json.loads(named[-1].sample)
    right = sum(item.verdict == ACCEPT and not item.changed for item in seen.values())
    low, high = wilson_interval(right, len(seen))
    return {
        "size": drawn["size"],
        "clips": drawn["clips"],
        "seed": drawn["seed"],
        "build": drawn["build"],
        "checked": len(seen),
        "right": right,
        "low": round(low, 4),
        "high": round(high, 4),
    }


def wilson_interval(right: int, checked: int) -> tuple[float, float]:
    """The 95 % interval of a share, right of checked (Wilson 1927)."""
    share, square = right / checked, _Z**2 / checked
    middle = share + square / 2
    reach = _Z * math.sqrt(share * (1 - share) / checked + square / (4 * checked))
    return max(0.0, (middle - reach) / (1 + square)), min(1.0, (middle + reach) / (1 + square))


def describe_checked(checked: Checked) -> str:
    """The numbers in words."""
    parts = [
        f"{_count(checked['clips'], 'clip')} checked by ear, of them {checked['corrected']:,} "
        f"corrected and {checked['rejected']:,} rejected"
    ]
    if checked["recovered"]:
        parts.append(f"{_count(checked['recovered'], 'rejected stretch', 'es')} made a clip by ear")
    if checked["second_looks"]:
        parts.append(
            f"on a second look at {checked['second_looks']:,}, {checked['agreed']:,} agreed"
        )
    if checked["stale"]:
        parts.append(f"{checked['stale']:,} decisions do not apply to the recordings of now")
    return "; ".join(parts) + "."


def describe_sample(sample: Sample) -> str:
    """The share of right clips with its interval, in words."""
    low, high = (f"{100 * bound:.1f}" for bound in (sample["low"], sample["high"]))
    return (
        f"of {_count(sample['checked'], 'clip')} checked, {sample['right']:,} right "
        f"(95 %: {low}-{high})"
    )


def _count(number: int, noun: str, ending: str = "s") -> str:
    return f"{number:,} {noun}{'' if number == 1 else ending}"
