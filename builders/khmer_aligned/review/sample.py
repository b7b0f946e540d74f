"""A random sample of the clips of a build, from whose verdicts the share of right clips comes."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass

from khmer_aligned.recordings.corrections import CLIP
from khmer_aligned.report.items import Item


@dataclass(frozen=True, slots=True)
class Drawn:
    """The keys of the clips in the order of the draw, and the draw as decisions name it."""

    keys: tuple[str, ...]
    name: str


def draw(items: Sequence[Item], size: int, seed: int, build: str) -> Drawn:
    """`size` clips, each with the same chance; the beginning of the sample is one, too.

    build: the key of the build. The same build, size and seed give the same clips.
    """
    keys = sorted(item.key for item in items if item.kind == CLIP)
    size = min(size, len(keys))
    name = {"size": size, "clips": len(keys), "seed": seed, "build": build[:12]}
    return Drawn(tuple(random.Random(seed).sample(keys, size)), json.dumps(name))
