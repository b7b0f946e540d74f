"""A source that grew or was corrected: only what is new is aligned, all else stays as it was."""

from __future__ import annotations

import os
import shutil

import pytest

from khmer_aligned.dataset.build import build, build_shards
from khmer_aligned.dataset.join import join
from khmer_aligned.dataset.reproduce import reproduce
from khmer_aligned.dataset.state import State, read_plan
from khmer_aligned.dataset.verify import verify
from khmer_aligned.errors import UserError
from khmer_aligned.recordings import snapshot

from .test_join import rows_of
from .whole_clips import config as config
from .whole_clips import sentence, write_recording, write_recordings
from .whole_clips import whole_clips as whole_clips


@pytest.fixture
def built(tmp_path, config, whole_clips):
    """A finished build of fifty recordings; `whole_clips` has forgotten them."""
    write_recordings(tmp_path / "source", range(50))
    build(tmp_path / "source", tmp_path / "out", config, licence="cc0-1.0", title="Voices")
    whole_clips.ids.clear()
    return tmp_path / "source", tmp_path / "out"


def test_only_what_is_new_is_aligned_and_old_rows_stay_as_they_are(built, config, whole_clips):
    source, out = built
    before = rows_of(out)
    write_recordings(source, range(50, 55))
    report = build(source, out, config).report
    assert sorted(whole_clips.ids) == [f"{i:03d}" for i in range(50, 55)]
    after = rows_of(out)
    assert {name: after[name] for name in before} == before  # bytes and splits
    assert len(after) == 55 and report["increment"] == 1
    assert verify(out).differences == 0
    card = (out / "README.md").read_text(encoding="utf-8")
    assert "license: cc0-1.0" in card and "# Voices" in card
    assert build(source, out, config).report == report
    assert len(whole_clips.ids) == 5


def test_a_corrected_transcript_redoes_its_recording_only(built, config, whole_clips):
    source, out = built
    before = rows_of(out)
    (source / "007.txt").write_text(sentence(999), encoding="utf-8")
    build(source, out, config)
    assert whole_clips.ids == ["007"]
    after = rows_of(out)
    changed = [name for name in before if after[name] != before[name]]
    assert changed == ["007-00000"]
    assert after["007-00000"]["text"] == sentence(999)
    assert after["007-00000"]["split"] == before["007-00000"]["split"]
    assert verify(out).differences == 0


def test_a_build_that_grew_is_reproduced_clip_by_clip(built, config, whole_clips):
    source, out = built
    write_recordings(source, range(50, 55))
    (source / "049.txt").write_text((source / "050.txt").read_text("utf-8"), encoding="utf-8")
    build(source, out, config)
    models = {"aligner": config.aligner, "tokenizer": config.tokenizer}
    findings = reproduce(str(out), str(source), **models)
    assert findings.differences == 0, findings.lines
    assert any("grew or was corrected 1 times" in line for line in findings.lines)
    write_recording(source / "020", 99, sentence(20))
    findings = reproduce(str(out), str(source), **models)
    assert any("clip 020-00000: is not the same here" in line for line in findings.lines)


def test_what_is_gone_from_the_source_drops_out_and_comes_back_for_nothing(
    built, config, whole_clips
):
    source, out = built
    before = rows_of(out)
    shutil.move(source / "003.wav", source.parent / "003.wav")
    shutil.move(source / "003.txt", source.parent / "003.txt")
    assert build(source, out, config).clips == 49
    assert "003-00000" not in rows_of(out)
    assert verify(out).differences == 0
    shutil.move(source.parent / "003.wav", source / "003.wav")
    shutil.move(source.parent / "003.txt", source / "003.txt")
    build(source, out, config)
    assert rows_of(out) == before
    assert whole_clips.ids == []


def test_a_build_that_was_cut_off_goes_on_after_its_source_grew(tmp_path, config, whole_clips):
    source, out = tmp_path / "source", tmp_path / "out"
    write_recordings(source, range(50))
    build_shards(source, out, (1, 2), config)
    done = list(whole_clips.ids)
    write_recordings(source, range(50, 55))
    build(source, out, config)
    assert len(whole_clips.ids) == 55 and set(done) < set(whole_clips.ids)
    assert len(rows_of(out)) == 55


def test_other_settings_or_another_source_are_refused_with_what_differs(
    built, config, tmp_path, whole_clips
):
    source, out = built
    with pytest.raises(UserError, match=r"holds a build with max_labels 200, not 150; name a new"):
        build(source, out, config, max_labels=150)
    with pytest.raises(UserError, match=r"with max_misfit 0\.\d+, not 0\.9; seed 0, not 5; name"):
        build(source, out, config, max_misfit=0.9, seed=5)
    write_recordings(tmp_path / "other", range(80, 90))
    with pytest.raises(UserError, match="holds a build of other recordings; name a new folder"):
        build(tmp_path / "other", out, config)
    assert build(source, out, config).clips == 50
    assert whole_clips.ids == []


def test_a_finished_build_is_started_again_without_reading_a_file(
    built, config, whole_clips, monkeypatch
):
    source, out = built
    for path in source.iterdir():  # older than the tick of the file system's clock
        os.utime(path, (1_700_000_000, 1_700_000_000))
    build(source, out, config)

    def read(*_arguments):
        raise AssertionError("a file was read")

    monkeypatch.setattr(snapshot, "sha256_of_file", read)
    assert build(source, out, config).clips == 50


def test_a_source_that_changes_while_it_is_read_is_noticed_before_anything_is_published(
    tmp_path, config, whole_clips, monkeypatch
):
    source, out = tmp_path / "source", tmp_path / "out"
    write_recordings(source, range(30))
    build_shards(source, out, (1, 2), config)
    names = [f"{i:03d}" for i in range(30)]
    changed = next(name for name in names if name not in whole_clips.ids)
    kept = whole_clips.ids[0]
    whole_clips.ids.clear()
    write_recording(source / changed, 77, sentence(int(changed)))
    # It changes after the plan was found to be the source's.
    plan = read_plan(out)
    monkeypatch.setattr("khmer_aligned.dataset.build.make_plan", lambda *_: plan)
    build_shards(source, out, (2, 2), config)
    write_recording(source / kept, 78, sentence(int(kept)))
    with pytest.raises(UserError, match=f"changed while the build read it: .*{kept}.wav.*again"):
        join(out)
    assert not (out / "build.json").exists()
    monkeypatch.undo()
    fresh = type(whole_clips)()
    monkeypatch.setattr(
        "khmer_aligned.clips.make.MakeClips.__call__", lambda self, batch: fresh(batch)
    )
    build(source, out, config)
    assert sorted(fresh.ids) == sorted([changed, kept])  # only what changed is aligned anew
    assert len(rows_of(out)) == 30
    assert State(out).finished_shards()[-1].startswith("01-")
