"""Splits by speaker or recording, never by clip."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from khmer_aligned.dataset.split import assign, find_groups
from khmer_aligned.errors import UserError

GROUPS = st.lists(st.tuples(st.sampled_from("abcdefghij"), st.integers(0, 1000)), min_size=1)


@given(GROUPS)
def test_a_group_is_in_one_split_and_enough_groups_fill_all_three(rows):
    groups, sizes = zip(*rows, strict=True)
    splits = assign(groups, sizes, [None] * len(rows))
    assert len({*zip(groups, splits, strict=True)}) == len({*groups})
    names = {1: {"train"}, 2: {"train", "test"}}
    assert {*splits} == names.get(len({*groups}), {"train", "validation", "test"})


@given(GROUPS, st.randoms())
def test_the_order_of_the_recordings_does_not_matter(rows, random):
    groups, sizes = zip(*rows, strict=True)
    first = dict(zip(groups, assign(groups, sizes, [None] * len(rows)), strict=True))
    random.shuffle(rows)
    groups, sizes = zip(*rows, strict=True)
    assert first == dict(zip(groups, assign(groups, sizes, [None] * len(rows)), strict=True))


def test_shares_of_many_groups():
    groups = [f"recording {i}" for i in range(400)]
    splits = assign(groups, [10] * 400, [None] * 400)
    assert splits.count("test") == splits.count("validation") == 20
    assert assign(groups, [10] * 400, [None] * 400, seed=1) != splits


def test_the_giant_speaker_stays_in_training():
    splits = assign(["giant", "b", "c", "d"], [10_000, 10, 10, 10], [None] * 4)
    assert splits[0] == "train"


def test_what_the_source_decides_is_kept():
    source_splits = ["train", "test", None, "validation"]
    assert assign("abcd", [1] * 4, source_splits) == ["train", "test", "train", "validation"]
    only_train = assign("abc", [1] * 3, ["train"] * 3)
    assert sorted(only_train) == ["test", "train", "validation"]
    with pytest.raises(UserError, match="one split"):
        assign("aa", [1, 1], ["train", "test"])


def test_a_group_is_all_of_a_speaker_and_all_names_of_one_audio():
    recordings = ["a", "b", "c", "c", "d", "e", "f"]
    speakers = ["dara", "dara", None, None, "sokha", None, None]
    contents = ["1", "2", "2", "2", "3", "3", None]
    group_of = find_groups(recordings, speakers, contents)
    assert group_of == {
        "a": "speaker dara",
        "b": "speaker dara",
        "c": "speaker dara",  # the same audio as b
        "d": "speaker sokha",
        "e": "speaker sokha",
        "f": "recording f",
    }


def test_a_recording_called_as_a_speaker_is_not_that_speaker():
    assert find_groups(["dara", "b", "c"], [None, "dara", "sokha"], [None] * 3) == {
        "dara": "recording dara",
        "b": "speaker dara",
        "c": "speaker sokha",
    }


def test_fewer_than_three_groups_of_speakers_are_split_by_recording():
    """One speaker, or two: by speaker there would be nothing to validate or to test on."""
    assert find_groups(["a", "b", "c"], ["dara"] * 3, ["1", "2", "2"]) == {
        "a": "recording a",
        "b": "recording b",
        "c": "recording b",  # the same audio
    }
