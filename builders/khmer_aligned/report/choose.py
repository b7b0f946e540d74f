"""Which clips and rejections a page plays: by rule, so that nobody picks the good ones."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from khmer_aligned.recordings.corrections import CLIP
from khmer_aligned.report.items import Item

MAX_SECONDS = 30.0  # of one item; of a longer one the beginning is played
_WORST, _MEDIAN, _RANDOM = 40, 20, 40
_OF_A_REASON = 8
_SEED = 0


@dataclass(frozen=True, slots=True)
class Example:
    """An item of the page, and the rule that chose it: worst, median, random, or a reason."""

    item: Item
    rule: str


def choose(items: Sequence[Item], budget: float) -> list[Example]:
    """Examples by each rule, as many as `budget` seconds of audio hold.

    The rules take turns, so that none is left out where there are many. An item is chosen once.
    """
    lists = [list(reversed(examples)) for examples in _by_rule(items)]
    chosen: dict[str, Example] = {}
    seconds = 0.0
    while any(lists):
        for examples in filter(None, lists):
            example = examples.pop()
            cost = min(MAX_SECONDS, example.item.seconds)
            if example.item.key not in chosen and seconds + cost <= budget:
                chosen[example.item.key] = example
                seconds += cost
    return list(chosen.values())


def _by_rule(items: Sequence[Item]) -> list[list[Example]]:
    dice = random.Random(_SEED)
    clips = sorted(
        (item for item in items if item.kind == CLIP), key=lambda item: (item.score or 0, item.key)
    )
    middle = max(0, len(clips) // 2 - _MEDIAN // 2)
    rules = [
        ("worst", clips[:_WORST]),
        ("median", clips[middle : middle + _MEDIAN]),
        ("random", dice.sample(clips, min(_RANDOM, len(clips)))),
    ]
    of_reason: dict[str, list[Item]] = {}
    for item in items:
        if item.kind != CLIP:
            of_reason.setdefault(item.reason, []).append(item)
    for reason, members in sorted(of_reason.items()):
        longest = sorted(members, key=lambda item: (-item.seconds, item.key))[: _OF_A_REASON // 2]
        others = dice.sample(members, min(_OF_A_REASON // 2, len(members)))
        rules.append((reason, [*longest, *others]))
    return [[Example(item, rule) for item in members] for rule, members in rules]
