"""Train, validation and test by speaker, else by recording; never by clip."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence

from khmer_aligned.errors import UserError

HELD_OUT = {"test": 0.05, "validation": 0.05}  # shares of the whole, by size


MIN_SPEAKERS = 3  # one for each split


def groups_of(recordings: Sequence[str], speakers: Sequence[str | None]) -> list[str]:
    """What of each recording has to stay in one split: all of its speaker, or the recording.

    By recording where the speaker is not known, and everywhere where there are fewer than
    MIN_SPEAKERS groups: a split by speaker would leave nothing to validate or to test on.
    """
    groups = [
        f"speaker {speaker}" if speaker else f"recording {recording}"
        for recording, speaker in zip(recordings, speakers, strict=True)
    ]
    if len(set(groups)) < MIN_SPEAKERS:
        return [f"recording {recording}" for recording in recordings]
    return groups


def assign(
    groups: Sequence[str],
    sizes: Sequence[int],
    source_splits: Sequence[str | None],
    seed: int = 0,
) -> list[str]:
    """The split of each recording, (n,) as the arguments.

    groups: of `groups_of`; all of a group share one split. sizes: how much the recording counts.
    source_splits: the split that the source put it into. A source that knows more than train is
    followed, and what it leaves open is for training.

    Else test and validation take groups in the order of a hash of their names, so that more
    recordings move few of the old ones, up to 5 % each and one group at least: of three groups
    or more there are all three splits, of two no validation, of one only train.

    Raises UserError where the source puts one group into two splits.
    """
    size_of: Counter[str] = Counter()
    split_of: dict[str, str] = {}
    for group, size, split in zip(groups, sizes, source_splits, strict=True):
        size_of[group] += max(1, size)
        if split and split_of.setdefault(group, split) != split:
            raise UserError(
                f"{group}: the source puts it into {split_of[group]} and into {split}; "
                "all of a speaker or recording belongs to one split"
            )
    if set(split_of.values()) <= {"train"}:
        split_of = _hold_out(size_of, seed)
    return [split_of.get(group, "train") for group in groups]


def _hold_out(size_of: Counter[str], seed: int) -> dict[str, str]:
    """The groups of test and validation."""
    free = sorted(size_of, key=lambda group: hashlib.sha256(f"{seed} {group}".encode()).digest())
    split_of: dict[str, str] = {}
    names = list(HELD_OUT)[: max(0, len(free) - 1)]
    for position, split in enumerate(names):
        to_come = len(names) - position  # the splits that still need a group, train among them
        room = HELD_OUT[split] * size_of.total()
        # One speaker may be most of the data: beyond the share only where all groups are.
        fitting = [group for group in free if size_of[group] <= room]
        taken: str | None = fitting[0] if fitting else min(free, key=lambda group: size_of[group])
        while taken is not None:
            split_of[taken] = split
            free.remove(taken)
            room -= size_of[taken]
            spare = free if len(free) > to_come else []
            taken = next((group for group in spare if size_of[group] <= room), None)
    return split_of
