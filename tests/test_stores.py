"""Places in an object store: what they are called, and what is there."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from khmer_aligned.errors import UserError
from khmer_aligned.files import fetch, keep_copies, move_folder, replace_whole, write_whole
from khmer_aligned.stores import as_path, is_remote, list_store, require_folder, stat_file


@pytest.fixture
def store():
    """A place in a store that lives in this process."""
    place = as_path("memory://voices/out")
    yield place
    place.fs.store.clear()


def test_a_url_is_a_place_in_a_store_and_all_else_a_path():
    place = as_path("memory://voices/out")
    assert is_remote(place) and str(place / "data" / "a.txt") == "memory://voices/out/data/a.txt"
    assert pickle.loads(pickle.dumps(place)) == place
    for name in ("recordings", "org/voices", "s3:/bucket", "C:/recordings", Path("a")):
        assert as_path(name) == Path(name)


def test_a_store_that_nobody_knows_is_named_with_the_way_out():
    with pytest.raises(UserError, match=r"nowhere://a: .*pip install 'khmer-aligned\[s3\]'"):
        as_path("nowhere://a")
    with pytest.raises(UserError, match="s3://a/b: is in an object store; copy it to a folder"):
        require_folder("s3://a/b")


def test_objects_are_listed_in_the_order_in_which_a_folder_is_walked(store):
    for name in ("a.txt", "a/c.txt", "a-b/d.txt", "b.txt"):
        write_whole(store / name, name)
    assert [*list_store(store)] == ["a/c.txt", "a-b/d.txt", "a.txt", "b.txt"]
    assert list_store(store)["a.txt"] == stat_file(store / "a.txt")
    assert list_store(store / "none") == {}


def test_a_name_that_leads_out_of_a_folder_is_refused(store, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    store.fs.pipe_file("/voices/out/plan/../../x.arrow", b"")
    with pytest.raises(UserError, match="which no folder can hold"):
        keep_copies(store / "plan")
    assert not (tmp_path / "cache").exists()


def test_what_fails_leaves_the_object_as_it_was(store):
    write_whole(store / "a.txt", "before")
    with pytest.raises(ZeroDivisionError), replace_whole(store / "a.txt") as partial:
        partial.write_text("half")
        raise ZeroDivisionError
    assert (store / "a.txt").read_text() == "before"


def test_a_copy_is_there_for_a_while_and_of_what_is_missing_there_is_none(store):
    write_whole(store / "a.wav", "sound")
    with fetch(store / "a.wav") as copy:
        assert copy.read_text() == "sound" and copy.suffix == ".wav"
    assert not copy.exists()
    with fetch(store / "b.wav") as copy:
        assert not copy.exists()


def test_copies_are_kept_until_the_object_changes(store, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    write_whole(store / "plan" / "a.arrow", "one")
    first = keep_copies(store / "plan")
    assert [path.name for path in first.rglob("*.*")] == ["a.arrow"]
    assert keep_copies(store / "plan") == first
    write_whole(store / "plan" / "a.arrow", "another")
    assert (keep_copies(store / "plan") / "a.arrow").read_text() == "another"


def test_a_folder_that_is_moved_leaves_nothing_of_the_one_before(store):
    for name in ("data/old.txt", "data/kept.txt", "stage/data/kept.txt", "stage/data/new.txt"):
        write_whole(store / name, name)
    move_folder(store / "stage" / "data", store / "data")
    assert [*list_store(store)] == ["data/kept.txt", "data/new.txt"]
    assert (store / "data" / "kept.txt").read_text() == "stage/data/kept.txt"
