"""A few predictions beside their references, for a reader of the numbers."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import NamedTuple

from khmer_aligned.hub.cards import escape
from khmer_whisper.metrics.counts import characters

SEEDED = 2  # samples beside the best, the median and the worst


class Sample(NamedTuple):
    """A clip whose texts are shown, and why it was chosen."""

    kind: str  # best, median, worst, or random
    clip: str
    reference: str
    hypothesis: str
    cer: float


def choose_samples(
    clips: Sequence[str], references: Sequence[str], hypotheses: Sequence[str]
) -> list[Sample]:
    """The best, the median and the worst clip by CER, and two that a fixed seed draws.

    The same clips whoever chooses, and none twice: of fewer than five clips there are fewer.
    """
    counts = characters(references, hypotheses)
    rates = (counts.errors / counts.totals.clip(min=1)).tolist()
    order = sorted(range(len(clips)), key=lambda i: (rates[i], clips[i]))
    chosen = dict.fromkeys([order[0], order[len(order) // 2], order[-1]])
    kinds = ["best", "median", "worst"] if len(chosen) == 3 else ["best", "worst"]
    rest = [i for i in sorted(order, key=clips.__getitem__) if i not in chosen]
    drawn = random.Random(0).sample(rest, min(SEEDED, len(rest)))
    return [
        Sample(kind, clips[i], references[i], hypotheses[i], rates[i])
        for kind, i in zip([*kinds, "random", "random"], [*chosen, *drawn], strict=False)
    ]


def format_samples(samples: Sequence[Sample]) -> str:
    """A table in Markdown."""
    lines = ["| | clip | CER | reference | recognized |", "|---|---|---|---|---|"]
    for sample in samples:
        texts = " | ".join(map(escape, (sample.reference, sample.hypothesis)))
        lines.append(f"| {sample.kind} | {escape(sample.clip)} | {sample.cer:.1%} | {texts} |")
    return "\n".join(lines)
