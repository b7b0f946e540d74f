"""Which format a place has, and the hash of its content."""

import pytest

from khmer_aligned.errors import UserError
from khmer_aligned.recordings import sources

from .sound import TEXT, write_sound


def test_a_place_without_recordings_says_what_to_put_there(tmp_path):
    (tmp_path / "notes.md").write_text("nothing")
    with pytest.raises(UserError, match=r"put recordings and their \.txt"):
        sources.find(str(tmp_path))


def test_a_manifest_goes_before_pairs_and_pairs_before_parquet(tmp_path):
    kinds = []
    for name in ("rows.parquet", "a.wav", "metadata.csv"):
        (tmp_path / name).write_bytes(b"")
        kinds.append(sources.find(str(tmp_path)).kind)
    assert kinds == ["dataset", "pairs", "manifest"]


def test_the_content_is_that_of_the_files_that_are_read(tmp_path):
    write_sound(tmp_path / "a.wav")
    (tmp_path / "a.txt").write_text(TEXT, encoding="utf-8")
    before = sources.find(str(tmp_path)).content
    (tmp_path / "notes.md").write_text("not read")
    assert sources.find(str(tmp_path)).content == before
    (tmp_path / "a.txt").write_text(TEXT * 2, encoding="utf-8")
    changed = sources.find(str(tmp_path)).content
    (tmp_path / "a.txt").rename(tmp_path / "b.txt")
    assert len({before, changed, sources.find(str(tmp_path)).content}) == 3


def test_the_same_files_elsewhere_are_the_same_content(tmp_path):
    for place in ("here", "there"):
        write_sound(tmp_path / place / "a.wav")
    here, there = (sources.find(str(tmp_path / place)) for place in ("here", "there"))
    assert here.content == there.content
    assert here.name != there.name
