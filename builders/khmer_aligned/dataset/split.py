"""Train, validation and test by speaker, else by recording; never by clip."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence

from khmer_aligned.errors import UserError

HELD_OUT = {"test": 0.05, "validation": 0.05}  # shares of the whole, by size


def assign(
    groups: Sequence[str], sizes: Sequence[int], given: Sequence[str | None], seed: int = 0
) -> list[str]:
    """The split of each recording.

    groups: its speaker, or the recording itself; all of a group share one split. sizes: how much
    it counts. given: the split that the source put it into. A source that knows more than train
    is followed, and what it leaves open is for training.

    Else test and validation take groups in the order of a hash of their names, so that more
    recordings move few of the old ones, up to 5 % each and one group at least: of three groups
    or more there are all three splits, of two no validation, of one train alone.
    """
    size_of: Counter[str] = Counter()
    split_of: dict[str, str] = {}
    for group, size, split in zip(groups, sizes, given, strict=True):
        size_of[group] += max(1, size)
        if split and split_of.setdefault(group, split) != split:
            raise UserError(
                f"{group}: the source puts it into {split_of[group]} and into {split}; "
                "all of a speaker or recording belongs to one split"
            )
    if set(split_of.values()) <= {"train"}:
        split_of = _held_out(size_of, seed)
    return [split_of.get(group, "train") for group in groups]


def _held_out(size_of: Counter[str], seed: int) -> dict[str, str]:
    free = sorted(size_of, key=lambda group: hashlib.sha256(f"{seed} {group}".encode()).digest())
    split_of: dict[str, str] = {}
    wanted = list(HELD_OUT)[: max(0, len(free) - 1)]
    for position, split in enumerate(wanted):
        others = len(wanted) - position  # the splits still to come, train among them
        room = HELD_OUT[split] * size_of.total()
        # One speaker may be most of the data: what is over the share is taken only where all are.
        group = next((g for g in free if size_of[g] <= room), None) or min(free, key=size_of.get)
        while group is not None:
            split_of[group] = split
            free.remove(group)
            room -= size_of[group]
            spare = free if len(free) > others else []
            group = next((g for g in spare if size_of[g] <= room), None)
    return split_of
