"""Builds whose source or OUT is in an object store: the bytes of one on this machine."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from khmer_aligned import cli
from khmer_aligned.dataset.build import build, build_shards
from khmer_aligned.dataset.join import join
from khmer_aligned.dataset.state import State, require_plan
from khmer_aligned.errors import UserError
from khmer_aligned.stores import as_path

from ..object_store import bucket as bucket
from ..object_store import contents, upload
from .test_join import content
from .whole_clips import config as config
from .whole_clips import sentence, write_recording, write_recordings
from .whole_clips import whole_clips as whole_clips


@pytest.fixture
def source(tmp_path):
    write_recordings(tmp_path / "source", range(24))
    return tmp_path / "source"


@pytest.mark.slow
def test_a_build_in_a_store_has_the_bytes_of_one_in_a_folder(
    source, config, tmp_path, whole_clips, bucket
):
    build(source, tmp_path / "out", config, licence="cc0-1.0")
    stored = upload(source, f"{bucket}/source")
    result = build(stored, f"{bucket}/out", config, licence="cc0-1.0")
    assert result.clips == 24
    assert contents(f"{bucket}/out") == content(tmp_path / "out")
    whole_clips.ids.clear()
    assert build(stored, f"{bucket}/out", config).report == result.report
    assert whole_clips.ids == []


@pytest.mark.slow
def test_parts_that_share_a_bucket_alone_and_a_shard_that_was_lost(
    source, config, tmp_path, whole_clips, bucket, monkeypatch
):
    build(source, tmp_path / "whole", config)
    stored, out = upload(source, f"{bucket}/source"), f"{bucket}/deep/out"
    for part in (3, 1, 2):
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / f"machine-{part}"))
        build_shards(stored, out, (part, 3), config)
    state = State(as_path(out))
    state.outcomes(state.finished_shards()[1]).unlink()  # killed between its two files
    with pytest.raises(UserError, match=r"1 of \d+ shards are not aligned \(number 2\)"):
        join(out)
    whole_clips.ids.clear()
    build_shards(stored, out, (2, 3), config)
    assert 0 < len(whole_clips.ids) < 24
    join(out)
    assert contents(out) == content(tmp_path / "whole")


@pytest.mark.slow
def test_a_source_in_a_store_that_grew(config, tmp_path, whole_clips, bucket):
    write_recordings(tmp_path / "source", range(14))
    stored, out = upload(tmp_path / "source", f"{bucket}/source"), f"{bucket}/out"
    build(stored, out, config)
    before = contents(out)
    whole_clips.ids.clear()
    write_recordings(tmp_path / "more", range(14, 16))
    upload(tmp_path / "more", stored)
    assert build(stored, out, config).clips == 16
    assert sorted(whole_clips.ids) == ["014", "015"]
    names = set(before) - set(contents(out))
    assert all(name.startswith("data/") for name in names)  # no old file stays behind
    assert require_plan(as_path(out)).increment == 1


def test_a_manifest_in_a_store_reads_nothing_outside_of_its_folder(
    config, tmp_path, whole_clips, bucket
):
    for seed in range(12):
        write_recording(tmp_path / "source" / "audio" / f"{seed:03d}", seed, "")
    write_recording(tmp_path / "secret", 99, sentence(99))
    rows = [f"audio/{seed:03d}.wav,{sentence(seed)}" for seed in range(12)]
    outside = ["../secret.wav", "s3://voices/secret.wav", "file:///etc/passwd", "audio/none.wav"]
    rows += [f"{name},{sentence(50 + i)}" for i, name in enumerate(outside)]
    table = "\n".join(["file_name,text", *rows]) + "\n"
    (tmp_path / "source" / "metadata.csv").write_text(table, encoding="utf-8")
    (as_path(bucket) / "secret.wav").write_bytes((tmp_path / "secret.wav").read_bytes())
    stored = upload(tmp_path / "source", f"{bucket}/source")
    report = build(stored, tmp_path / "out", config).report
    assert sum(split["clips"] for split in report["splits"].values()) == 12
    counts = {reason: item["stretches"] for reason, item in report["rejected"].items()}
    assert sum(counts.values()) == 4
    assert not any("secret" in name for name in whole_clips.ids)


def test_what_is_wrong_with_a_store_is_one_line_with_the_way_out(
    source, config, tmp_path, bucket, monkeypatch
):
    def fails(*arguments) -> str:
        options = ["--aligner", config.aligner, "--tokenizer", config.tokenizer]
        result = CliRunner().invoke(cli.main, ["build", *map(str, arguments), *options])
        assert result.exit_code == 1, result.output
        return result.stderr.splitlines()[-1]

    message = fails(source, "s3://nobody/out")
    assert "s3://nobody/out" in message and "bucket does not exist" in message
    assert "nothing is there" in fails(f"{bucket}/nothing", tmp_path / "out")
    assert "nothing is there" in fails("s3://nobody/source", tmp_path / "out")
    assert "pip install 'khmer-aligned[s3]'" in fails(source, "gs://bucket/out")
    for command in ("report", "review"):
        result = CliRunner().invoke(cli.main, [command, f"{bucket}/out"])
        assert result.exit_code == 1 and "copy it to a folder first" in result.stderr
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    as_path(bucket).fs.clear_instance_cache()
    assert "credentials" in fails(source, f"{bucket}/out")
