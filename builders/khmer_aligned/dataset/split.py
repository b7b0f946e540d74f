"""Train, validation and test by speaker, else by recording; never by clip."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence

from khmer_aligned.errors import UserError

HELD_OUT = {"test": 0.05, "validation": 0.05}  # shares of the whole, by size


MIN_GROUPS = 3  # one for each split


def find_groups(
    recordings: Sequence[str], speakers: Sequence[str | None], contents: Sequence[str | None]
) -> dict[str, str]:
    """The group of each recording, by its name: what has to stay in one split.

    Rows (n,) name a recording, its speaker and a hash of its audio. A group holds all recordings
    of its speakers and all names of its audio, and is called by the first of its speakers, else
    by the first of its recordings. Where there are fewer than MIN_GROUPS by speaker, speakers do
    not count: a split by speaker would leave nothing to validate or to test on.
    """
    groups = _join(recordings, speakers, contents)
    if len(set(groups.values())) < MIN_GROUPS:
        return _join(recordings, [None] * len(speakers), contents)
    return groups


def _join(
    recordings: Sequence[str], speakers: Sequence[str | None], contents: Sequence[str | None]
) -> dict[str, str]:
    """The group of each recording, by union-find over its name, its speaker and its audio."""
    parent: dict[str, str] = {}

    def find(key: str) -> str:
        while parent.setdefault(key, key) != key:
            parent[key] = key = parent[parent[key]]
        return key

    for recording, speaker, content in zip(recordings, speakers, contents, strict=True):
        keys = [f"recording {recording}"]
        keys += [f"speaker {speaker}"] if speaker else []
        keys += [f"audio {content}"] if content else []
        first = find(keys[0])
        for key in keys[1:]:
            parent[find(key)] = first
    names: dict[str, list[str]] = {}
    for key in parent:
        names.setdefault(find(key), []).append(key)
    # "speaker" sorts behind "recording", and a hash names nothing to a user.
    name_of = {
        root: min(keys, key=lambda key: (not key.startswith("speaker "), key))
        for root, keys in (
            (root, [key for key in keys if not key.startswith("audio ")])
            for root, keys in names.items()
        )
    }
    return {name: name_of[find(f"recording {name}")] for name in recordings}


def assign(
    groups: Sequence[str],
    sizes: Sequence[int],
    source_splits: Sequence[str | None],
    seed: int = 0,
) -> list[str]:
    """The split of each recording, (n,) as the arguments.

    groups: of `find_groups`; all of a group share one split. sizes: how much the recording counts.
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
                f"{group}: the source puts it into {split_of[group]} and into {split}; all of a "
                "speaker belongs to one split, and so does the same audio under several names"
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
