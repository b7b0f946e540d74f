"""Shards to published files: linked or rewritten, in any order, on any number of processes."""

from __future__ import annotations

import json
import random

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from datasets import Audio, load_dataset

from khmer_aligned import cli
from khmer_aligned.dataset import clip_files
from khmer_aligned.dataset.build import build, build_shards
from khmer_aligned.dataset.join import join
from khmer_aligned.dataset.state import State, require_plan
from khmer_aligned.dataset.verify import verify
from khmer_aligned.errors import UserError
from khmer_aligned.hub.folder import published_files

from .whole_clips import config as config
from .whole_clips import sentence, write_recording, write_recordings
from .whole_clips import whole_clips as whole_clips


@pytest.fixture
def source(tmp_path):
    write_recordings(tmp_path / "source", range(60))
    return tmp_path / "source"


def content(folder):
    return {name: path.read_bytes() for name, path in published_files(folder).items()}


def rows_of(folder):
    """The published rows by their id, each with its split."""
    loaded = load_dataset(str(folder)).cast_column("audio", Audio(decode=False))
    return {row["id"]: row | {"split": name} for name, rows in loaded.items() for row in rows}


def test_a_plain_build_passes_its_own_check(source, config, tmp_path, whole_clips):
    result = build(source, tmp_path / "out", config)
    assert len(require_plan(tmp_path / "out").shards) > 4
    findings = verify(tmp_path / "out")
    assert findings.differences == 0, findings.lines
    assert result.clips == 60 and {*result.report["splits"]} == {"train", "validation", "test"}


def test_parts_in_any_order_and_a_join_give_the_bytes_of_a_plain_build(
    source, config, tmp_path, whole_clips
):
    build(source, tmp_path / "whole", config)
    for attempt in range(3):
        out = tmp_path / f"parts-{attempt}"
        order = random.Random(attempt).sample([1, 2, 3], 3)
        for part in order:
            assert not (out / "build.json").exists()
            build_shards(source, out, (part, 3), config)
        join(out)
        assert content(out) == content(tmp_path / "whole"), order
    assert len(whole_clips.ids) == 4 * 60


def test_a_join_before_its_time_says_what_is_missing(source, config, tmp_path, whole_clips):
    with pytest.raises(UserError, match="holds no planned build; begin it with: khmer-aligned"):
        join(tmp_path / "out")
    build_shards(source, tmp_path / "out", (2, 3), config)
    count = len(require_plan(tmp_path / "out").shards)
    message = (
        rf"of {count} shards are not aligned \(number 1, 3, .*build {source} {tmp_path / 'out'}"
    )
    with pytest.raises(UserError, match=message):
        join(tmp_path / "out")
    assert not (tmp_path / "out" / "README.md").exists()


def test_the_commands_do_the_same(source, config, tmp_path, whole_clips):
    models = ["--aligner", config.aligner, "--tokenizer", config.tokenizer, "--lag", "0.04"]
    arguments = ["build", str(source), str(tmp_path / "out"), *models]
    for part in ("2/2", "1/2"):
        done = CliRunner().invoke(cli.main, [*arguments, "--shard", part])
        assert done.exit_code == 0, done.output
    assert f"all are there: khmer-aligned join {tmp_path / 'out'}" in done.output
    done = CliRunner().invoke(cli.main, ["join", str(tmp_path / "out"), "--licence", "cc0-1.0"])
    assert done.exit_code == 0, done.output
    assert "license: cc0-1.0" in (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    for wrong in ("0/3", "4/3", "1", "a/b"):
        done = CliRunner().invoke(cli.main, [*arguments, "--shard", wrong])
        assert done.exit_code == 2 and "give I/N with I from 1 to N" in done.output


def test_a_shard_of_one_split_is_linked_and_its_state_is_not_published(
    source, config, tmp_path, whole_clips, monkeypatch
):
    monkeypatch.setattr(clip_files, "_FILE_SECONDS", 20)
    build(source, tmp_path / "out", config)
    files = sorted((tmp_path / "out" / "data").glob("train-*.parquet"))
    linked = [path for path in files if path.stat().st_nlink == 2]
    assert len(linked) >= 3
    assert sum(pq.read_metadata(path).num_rows for path in files) > 50
    names = set(published_files(tmp_path / "out"))
    assert not any(".build" in name for name in names)
    assert str(tmp_path) in (tmp_path / "out" / ".build" / "source.json").read_text()


def test_a_join_that_was_cut_off_is_done_again(source, config, tmp_path, whole_clips, monkeypatch):
    build(source, tmp_path / "whole", config)
    out = tmp_path / "out"
    build_shards(source, out, (1, 1), config)
    for name in ("write_rights", "measure", "_publish_stage"):
        with monkeypatch.context() as patched:
            patched.setattr(f"khmer_aligned.dataset.join.{name}", _stop)
            with pytest.raises(KeyboardInterrupt):
                join(out)
        assert not (out / "build.json").exists()
    join(out)
    assert content(out) == content(tmp_path / "whole")
    assert not State(out).stage.exists()


def _stop(*_arguments):
    raise KeyboardInterrupt


def test_the_same_sentence_is_taken_out_of_train_and_the_balance_holds(
    config, tmp_path, whole_clips, capsys
):
    source = tmp_path / "source"
    for split, seeds in (("train", range(40)), ("test", range(40, 50))):
        for seed in seeds:
            write_recording(source / split / f"{seed:03d}", seed, sentence(seed))
    equal = sentence(40).replace(" ", "\u200b").replace("។", "!")
    write_recording(source / "train" / "equal", 100, equal)
    write_recording(source / "train" / "nearly", 101, sentence(41).replace(" ", "", 3)[4:])
    write_recording(source / "train" / "holds", 102, sentence(200) + sentence(42) + sentence(201))
    write_recording(source / "train" / "greeting", 103, "អរគុណ")
    write_recording(source / "test" / "greeting", 104, "អរគុណ")
    result = build(source, tmp_path / "out", config)
    assert {row for row in rows_of(tmp_path / "out") if not row[-9].isdigit()} == {
        "train/greeting-00000",
        "test/greeting-00000",
    }
    duplicates = result.report["duplicates"]
    assert duplicates == {
        "equal": 1, "nearly_equal": 2, "short": 1, "kept": False, "recordings": [],
    }  # fmt: skip
    assert "3 clips taken out of train: the sentence is in validation or test, too" in (
        result.summary()
    )
    lines = [json.loads(line) for line in (tmp_path / "out" / "rejected.jsonl").open()]
    by_recording = {row["recording"]: row for row in lines}
    assert {row["reason"] for row in lines} == {"the same sentence is in test"}
    assert by_recording["train/equal"]["text"] == equal
    assert by_recording["train/equal"]["figures"] == {
        "clip": "train/equal-00000", "held_out": "test/040-00000", "similarity": 1.0,
    }  # fmt: skip
    assert by_recording["train/holds"]["figures"]["held_out"] == "test/042-00000"
    assert verify(tmp_path / "out").differences == 0
    assert "3 clips taken out of train" in (tmp_path / "out" / "README.md").read_text()

    aligned = len(whole_clips.ids)
    kept = build(source, tmp_path / "out", config, keep_duplicates=True)
    assert kept.clips == result.clips + 3 and kept.report["duplicates"]["kept"] is True
    assert len(whole_clips.ids) == aligned  # only the join was done again
    assert "3 clips kept in train" in kept.summary()


def test_a_copy_of_a_recording_stays_in_its_split_and_is_named(
    source, config, tmp_path, whole_clips
):
    import soundfile as sf

    from .whole_clips import sound

    for seed in range(60):  # a copy of each: another level, another format
        sf.write(source / f"copy-{seed:03d}.flac", 0.5 * sound(seed), 16_000)
        (source / f"copy-{seed:03d}.txt").write_text(sentence(500 + seed), encoding="utf-8")
    report = build(source, tmp_path / "out", config).report
    assert report["duplicates"]["recordings"] == [[f"{s:03d}", f"copy-{s:03d}"] for s in range(60)]
    split_of = {row["recording"]: row["split"] for row in rows_of(tmp_path / "out").values()}
    assert {*split_of.values()} == {"train", "validation", "test"}
    for seed in range(60):
        assert split_of[f"{seed:03d}"] == split_of[f"copy-{seed:03d}"]
