"""Files of a source: read once, remembered by size and time, and compared at the end."""

import os

import pytest

from khmer_aligned.recordings import snapshot
from khmer_aligned.recordings.snapshot import (
    Snapshot,
    SourceFiles,
    changed_files,
    changed_since,
    sha256_of_file,
)


@pytest.fixture
def files(tmp_path):
    """Three files that are older than any clock's tick, one of them not read."""
    root = tmp_path / "source"
    for name in ("a.wav", "b/a.txt", "notes.md"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
        os.utime(root / name, (1_700_000_000, 1_700_000_000))
    return SourceFiles(root, lambda name: not name.endswith(".md"), lambda name: False)


@pytest.fixture
def read(monkeypatch):
    """The names of the files that are hashed."""
    names = []

    def hashed(path):
        names.append(path.name)
        return sha256_of_file(path)

    monkeypatch.setattr(snapshot, "sha256_of_file", hashed)
    return names


def test_what_did_not_change_is_not_read_again(files, read, tmp_path):
    memory = tmp_path / "files.parquet"
    first = Snapshot.take(files, memory)
    assert sorted(read) == ["a.txt", "a.wav"]
    read.clear()
    assert Snapshot.take(files, memory) == first and read == []
    (files.root / "a.wav").write_text("changed")
    changed = Snapshot.take(files, memory)
    assert read == ["a.wav"] and changed != first
    assert changed.sha256_of(files.root / "a.wav") == sha256_of_file(files.root / "a.wav")


def test_a_file_as_young_as_its_hash_is_read_again(files, read, tmp_path):
    (files.root / "new.wav").write_text("1")
    Snapshot.take(files, tmp_path / "files.parquet")
    time = (files.root / "new.wav").stat().st_mtime_ns
    (files.root / "new.wav").write_text("2")  # of the same size, in the same tick
    os.utime(files.root / "new.wav", ns=(time, time))
    read.clear()
    Snapshot.take(files, tmp_path / "files.parquet")
    assert read == ["new.wav"]


def test_a_link_that_leaves_the_folder_is_not_read(files, read, tmp_path):
    (tmp_path / "secret").write_text("secret")
    (files.root / "link.wav").symlink_to(tmp_path / "secret")
    assert Snapshot.take(files).sha256_of(files.root / "link.wav") is None
    assert "link.wav" not in read


def test_what_is_new_gone_or_changed_is_named(files, tmp_path):
    kept = tmp_path / "kept.parquet"
    Snapshot.take(files).save(kept)
    assert changed_since(files, kept) == []
    (files.root / "c.wav").write_text("new")
    (files.root / "b" / "a.txt").unlink()
    os.utime(files.root / "a.wav", (1_700_000_001, 1_700_000_001))
    (files.root / "notes.md").write_text("nobody reads this")
    assert changed_since(files, kept) == ["a.wav", "b/a.txt", "c.wav"]
    paths = [files.root / "a.wav", files.root / "b" / "a.txt"]
    assert changed_files(files.root, paths, kept) == {*paths}
    os.utime(files.root / "a.wav", (1_700_000_000, 1_700_000_000))
    assert changed_files(files.root, paths[:1], kept) == set()


def test_an_empty_folder_has_nothing_that_changed(tmp_path):
    root = tmp_path / "empty"
    root.mkdir()
    nothing = SourceFiles(root, lambda name: True, lambda name: False)
    Snapshot.take(nothing, tmp_path / "memory.parquet").save(tmp_path / "kept.parquet")
    assert changed_since(nothing, tmp_path / "kept.parquet") == []
