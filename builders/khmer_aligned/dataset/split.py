"""Train, validation and test by speaker, else by recording; never by clip."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from khmer_aligned.errors import UserError
from khmer_aligned.schema import SPLITS

HELD_OUT = {"test": 0.05, "validation": 0.05}  # shares of the whole, by size
MIN_GROUPS = 3  # one for each split

TRAIN, NO_SPLIT = SPLITS.index("train"), -1  # splits are numbers: places in SPLITS

Strings: TypeAlias = pa.Array | pa.ChunkedArray


@dataclass(frozen=True)
class Groups:
    """What has to stay in one split.

    code (n,): the group of each row, a place in `names` (g,).
    """

    code: np.ndarray
    names: Strings
    by_speaker: bool

    def hashes(self, seed: int) -> np.ndarray:
        """The order in which groups are held out, (g,) uint64: so more groups move few others."""
        digests = (
            hashlib.sha256(f"{seed} {name}".encode()).digest()[:8]
            for name in self.names.to_pylist()
        )
        return np.frombuffer(b"".join(digests), ">u8").astype(np.uint64)


def find_groups(
    recordings: Strings,
    speakers: Strings,
    contents: Strings,
    twins: np.ndarray | None = None,
    by_speaker: bool | None = None,
    is_recording: pa.ChunkedArray | None = None,
) -> Groups:
    """The group of each row: what has to stay in one split.

    Rows (n,) name a recording, its speakers (a list) and a hash of its audio; twins (m, 2) are
    pairs of rows with the same sound. A group holds all rows of its speakers, recordings and
    audio, and is called by the first of its speakers, else by the first of its recordings. Where
    there are fewer than MIN_GROUPS by speaker, speakers do not count: a split by speaker would
    leave nothing to validate or to test on. by_speaker: decides instead whether speakers count.
    is_recording (n,): rows that count as groups, by default all.
    """
    flat = speakers.combine_chunks() if isinstance(speakers, pa.ChunkedArray) else speakers
    voices = Voices(pc.list_flatten(flat), pc.list_parent_indices(flat).to_numpy())
    edges = [_edges(recordings), _edges(contents)]
    if twins is not None:
        edges.append(twins)
    if by_speaker is not False:
        code = _components(len(recordings), [*edges, _edges(voices.names, voices.rows)])
        counted = code if is_recording is None else code[is_recording.to_numpy()]
        if by_speaker or len(np.unique(counted)) >= MIN_GROUPS:
            return _name_groups(code, recordings, voices)
    return _name_groups(_components(len(recordings), edges), recordings, None)


class Voices(NamedTuple):
    """The speakers of all rows: a name and the row of each, (v,)."""

    names: pa.Array
    rows: np.ndarray


def _edges(column: Strings, rows: np.ndarray | None = None) -> np.ndarray:
    """Pairs of rows (m, 2) that have the same value, which is not "": each and the first of it.

    rows: of each value, by default its place.
    """
    column = pc.if_else(pc.equal(column, ""), None, column)
    codes = pc.dictionary_encode(column, null_encoding="mask")
    codes = codes.combine_chunks() if isinstance(codes, pa.ChunkedArray) else codes
    indices = codes.indices if isinstance(codes, pa.DictionaryArray) else pa.array([], pa.int32())
    places = np.flatnonzero(pc.is_valid(indices).to_numpy(zero_copy_only=False))
    values = pc.drop_null(indices).to_numpy()
    places = places if rows is None else rows[places]
    _, first, inverse = np.unique(values, return_index=True, return_inverse=True)
    pairs = np.stack((places, places[first[inverse]]), axis=1)
    return pairs[pairs[:, 0] != pairs[:, 1]]


def _components(count: int, edges: list[np.ndarray]) -> np.ndarray:
    """The component of each of `count` rows, (n,): its smallest row."""
    pairs = np.concatenate(edges).astype(np.int64)
    label = np.arange(count)
    while True:
        low = np.minimum(label[pairs[:, 0]], label[pairs[:, 1]])
        before = label.copy()
        for side in (0, 1):
            np.minimum.at(label, before[pairs[:, side]], low)
            np.minimum.at(label, pairs[:, side], low)
        while not np.array_equal(label, label[label]):
            label = label[label]
        if np.array_equal(label, before):
            return label


def _name_groups(component: np.ndarray, recordings: Strings, voices: Voices | None) -> Groups:
    _, code = np.unique(component, return_inverse=True)
    names = pc.binary_join_element_wise("recording", _first_names(code, recordings), " ")
    if voices is not None:
        # A speaker without a name is nobody.
        speakers = pc.if_else(pc.equal(voices.names, ""), None, voices.names)
        every_code = pa.array(np.concatenate([code, code[voices.rows]]))
        every_name = pa.concat_arrays([pa.nulls(len(code), pa.string()), speakers])
        firsts = _first_names(every_code, every_name)
        names = pc.coalesce(pc.binary_join_element_wise("speaker", firsts, " "), names)
    return Groups(code, names, voices is not None)


def _first_names(code: np.ndarray | pa.Array, names: Strings) -> pa.ChunkedArray:
    """The first name of each code, by the codes."""
    table = pa.table({"code": code, "name": names})
    return table.group_by("code").aggregate([("name", "min")]).sort_by("code")["name_min"]


def is_decided(source_splits: Strings) -> bool:
    """Whether the source knows more splits than train, and is followed."""
    return bool(pc.any(pc.is_in(source_splits, pa.array([*HELD_OUT]))).as_py())


def check_source_splits(groups: Groups, splits: Strings) -> np.ndarray:
    """The split that the source gives each group, (g,) as a place in SPLITS, or NO_SPLIT.

    splits (n,): names. Raises UserError where the source puts one group into two splits.
    """
    numbers = pc.fill_null(pc.index_in(splits, pa.array(SPLITS)), NO_SPLIT).to_numpy()
    given = numbers >= 0
    first = np.full(len(groups.names), len(SPLITS))
    last = np.full(len(groups.names), NO_SPLIT)
    np.minimum.at(first, groups.code[given], numbers[given])
    np.maximum.at(last, groups.code[given], numbers[given])
    for group in np.flatnonzero(first < last)[:1]:
        name = groups.names[int(group)].as_py()
        raise UserError(
            f"{name}: the source puts it into {SPLITS[first[group]]} and into "
            f"{SPLITS[last[group]]}; all of a speaker belongs to one split, and so does the same "
            "audio under several names"
        )
    return last


def assign(
    groups: Groups,
    sizes: np.ndarray,
    source_splits: Strings,
    seed: int = 0,
    published: np.ndarray | None = None,
) -> np.ndarray:
    """The split of each row, (n,) as places in SPLITS; all of a group share one.

    sizes (n,): how much the row counts; rows of size 0 decide nothing. source_splits (n,): the
    split that the source put it into. A source that knows more than train is followed, and what it
    leaves open is for training. published (n,): the split in which an earlier build published the
    row, or NO_SPLIT; it keeps that, and its group follows.

    Else test and validation take groups in the order of `Groups.hashes`, up to 5 % each and one
    group at least: of three groups or more there are all three splits, of two no validation, of
    one only train.

    Raises UserError where the source puts one group into two splits.
    """
    by_source = check_source_splits(groups, source_splits)
    if is_decided(source_splits):
        return np.where(by_source == NO_SPLIT, TRAIN, by_source)[groups.code]
    size_of = np.zeros(len(groups.names), np.int64)
    np.add.at(size_of, groups.code, sizes)
    split_of = np.full(len(groups.names), NO_SPLIT)
    if published is not None:
        # Where two groups became one, test goes before validation and that before train.
        np.maximum.at(split_of, groups.code, published)
    _hold_out(split_of, size_of, groups.hashes(seed))
    split = np.where(split_of == NO_SPLIT, TRAIN, split_of)[groups.code]
    if published is not None:
        split = np.where(published == NO_SPLIT, split, published)
    return split


def _hold_out(split_of: np.ndarray, size_of: np.ndarray, hashes: np.ndarray) -> None:
    """Put groups that have no split into test and validation; (g,) each."""
    total = int(size_of.sum())
    open_groups = np.flatnonzero((split_of == NO_SPLIT) & (size_of > 0))
    free = open_groups[np.argsort(hashes[open_groups], kind="stable")].tolist()
    taken = {SPLITS[number] for number in np.unique(split_of[split_of >= 0])}
    missing = [name for name in HELD_OUT if name not in taken]
    to_come = len(missing) + ("train" not in taken)  # splits that need a group
    for name, share in HELD_OUT.items():
        number = SPLITS.index(name)
        room = share * total - int(size_of[split_of == number].sum())
        chosen: list[int] = []
        if name in missing and free:
            if len(free) < 2 and "train" not in taken:
                return
            to_come -= 1
            # One speaker may be most of the data: beyond the share only where all groups are.
            fitting = next((group for group in free if size_of[group] <= room), None)
            first = min(free, key=lambda g: int(size_of[g])) if fitting is None else fitting
            chosen, room = [first], room - int(size_of[first])
        spare = len(free) - len(chosen) - to_come
        for group in free:
            if spare > 0 and group not in chosen[:1] and size_of[group] <= room:
                chosen.append(group)
                room -= int(size_of[group])
                spare -= 1
        split_of[chosen] = number
        held_out = set(chosen)
        free = [group for group in free if group not in held_out]
