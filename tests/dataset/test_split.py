"""Splits by speaker or recording, never by clip."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from khmer_aligned.dataset import split
from khmer_aligned.errors import UserError
from khmer_aligned.schema import SPLITS

GROUPS = st.lists(st.tuples(st.sampled_from("abcdefghij"), st.integers(0, 1000)), min_size=1)


def strings(values) -> pa.ChunkedArray:
    return pa.chunked_array([list(values)], pa.string())


def lists(values) -> pa.ChunkedArray:
    return pa.chunked_array([[[value] if value else [] for value in values]], pa.list_(pa.string()))


def assign(groups, sizes, source_splits=None, seed=0, published=None) -> list[str]:
    """The split of each row; recordings of one group share a name."""
    found = split.find_groups(
        strings(groups), lists([None] * len(groups)), strings([None] * len(groups))
    )
    if published is not None:
        published = np.array([SPLITS.index(p) if p else split.NO_SPLIT for p in published])
    numbers = split.assign(
        found,
        np.maximum(1, np.array(sizes)),
        strings(source_splits or [None] * len(groups)),
        seed,
        published,
    )
    return [SPLITS[number] for number in numbers]


def find_groups(recordings, speakers, contents, **options) -> dict[str, str]:
    found = split.find_groups(strings(recordings), lists(speakers), strings(contents), **options)
    return {
        name: found.names[code].as_py() for name, code in zip(recordings, found.code, strict=True)
    }


@given(GROUPS)
def test_a_group_is_in_one_split_and_enough_groups_fill_all_three(rows):
    groups, sizes = zip(*rows, strict=True)
    splits = assign(groups, sizes)
    assert len({*zip(groups, splits, strict=True)}) == len({*groups})
    names = {1: {"train"}, 2: {"train", "test"}}
    assert {*splits} == names.get(len({*groups}), {"train", "validation", "test"})


@given(GROUPS, st.randoms())
def test_the_order_of_the_recordings_does_not_matter(rows, random):
    groups, sizes = zip(*rows, strict=True)
    first = dict(zip(groups, assign(groups, sizes), strict=True))
    random.shuffle(rows)
    groups, sizes = zip(*rows, strict=True)
    assert first == dict(zip(groups, assign(groups, sizes), strict=True))


@given(GROUPS, GROUPS)
def test_what_was_published_stays_where_it_is_when_a_source_grows(rows, more):
    groups, sizes = zip(*rows, strict=True)
    before = dict(zip(groups, assign(groups, sizes), strict=True))
    grown = [*rows, *((f"new {group}", size) for group, size in more)]
    groups, sizes = zip(*grown, strict=True)
    published = [before.get(group) for group in groups]
    after = assign(groups, sizes, published=published)
    assert all(split == p for split, p in zip(after, published, strict=True) if p)
    assert len({*zip(groups, after, strict=True)}) == len({*groups})
    if len({*groups}) >= 5:
        assert {*after} == set(SPLITS)


def test_new_groups_go_into_the_shares_that_are_open():
    groups = [f"recording {i}" for i in range(800)]
    before = [*assign(groups[:400], [10] * 400), *[None] * 400]
    after = assign(groups, [10] * 800, published=before)
    assert after.count("test") == after.count("validation") == 40
    assert after[:400] == before[:400]


def test_shares_of_many_groups():
    groups = [f"recording {i}" for i in range(400)]
    splits = assign(groups, [10] * 400)
    assert splits.count("test") == splits.count("validation") == 20
    assert assign(groups, [10] * 400, seed=1) != splits


def test_the_giant_speaker_stays_in_training():
    splits = assign(["giant", "b", "c", "d"], [10_000, 10, 10, 10])
    assert splits[0] == "train"


def test_recordings_without_clips_decide_nothing():
    found = split.find_groups(strings("abcd"), lists([None] * 4), strings([None] * 4))
    sizes = np.array([5, 0, 5, 0])
    numbers = split.assign(found, sizes, strings([None] * 4))
    assert {SPLITS[n] for n, size in zip(numbers, sizes, strict=True) if size} == {"train", "test"}


def test_what_the_source_decides_is_kept():
    source_splits = ["train", "test", None, "validation"]
    assert assign("abcd", [1] * 4, source_splits) == ["train", "test", "train", "validation"]
    only_train = assign("abc", [1] * 3, ["train"] * 3)
    assert sorted(only_train) == ["test", "train", "validation"]
    with pytest.raises(UserError, match="recording a: the source puts it into train and into test"):
        assign("aa", [1, 1], ["train", "test"])


def test_a_group_is_all_of_a_speaker_and_all_names_of_one_audio():
    recordings = ["a", "b", "c", "c", "d", "e", "f"]
    speakers = ["dara", "dara", None, "", "sokha", None, ""]
    contents = ["1", "2", "2", "2", "3", "3", None]
    assert find_groups(recordings, speakers, contents) == {
        "a": "speaker dara",
        "b": "speaker dara",
        "c": "speaker dara",  # the same audio as b
        "d": "speaker sokha",
        "e": "speaker sokha",
        "f": "recording f",
    }
    twins = np.array([[6, 4]])  # rows f and d sound the same
    assert (
        find_groups(recordings, speakers, contents, twins=twins, by_speaker=True)["f"]
        == "speaker sokha"
    )


def test_a_recording_called_as_a_speaker_is_not_that_speaker():
    assert find_groups(["dara", "b", "c"], [None, "dara", "sokha"], [None] * 3) == {
        "dara": "recording dara",
        "b": "speaker dara",
        "c": "speaker sokha",
    }


def test_fewer_than_three_groups_of_speakers_are_split_by_recording():
    """One speaker, or two: by speaker there would be nothing to validate or to test on."""
    rows = ["a", "b", "c"], ["dara"] * 3, ["1", "2", "2"]
    assert find_groups(*rows) == {
        "a": "recording a",
        "b": "recording b",
        "c": "recording b",  # the same audio
    }
    assert set(find_groups(*rows, by_speaker=True).values()) == {"speaker dara"}


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=40))
def test_groups_are_the_components_of_what_belongs_together(pairs):
    twins = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    names = [f"{i:02d}" for i in range(31)]
    group_of = find_groups(names, [None] * 31, [None] * 31, twins=twins)
    reached = {i: {i} for i in range(31)}
    for a, b in pairs:
        joined = reached[a] | reached[b]
        for member in joined:
            reached[member] = joined
    for i in range(31):
        assert group_of[names[i]] == f"recording {names[min(reached[i])]}"
