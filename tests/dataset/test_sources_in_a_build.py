"""What is not the user's to read or to publish, and what a source says, from folder to folder."""

import errno
import json
import platform
import re
import shutil
import socket
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import soundfile as sf
from click.testing import CliRunner
from datasets import Audio, load_dataset

from khmer_aligned import cli
from khmer_aligned.clips.make import MakeClips
from khmer_aligned.dataset import rows as plan_rows
from khmer_aligned.dataset.build import build
from khmer_aligned.dataset.config import BuildConfig
from khmer_aligned.dataset.state import State
from khmer_aligned.errors import UserError
from khmer_aligned.hub.folder import published_files
from khmer_aligned.recordings import pairs
from khmer_aligned.schema import SAMPLE_RATE

pytestmark = pytest.mark.slow
MAX_LABELS = 420
NAMES = ("farm", "journey", "market", "school")


@pytest.fixture(scope="module")
def config(aligner_folder, tokenizer_folder):
    return BuildConfig(str(aligner_folder), str(tokenizer_folder), MAX_LABELS)


def copy(recordings: Path, name: str, to: Path) -> None:
    """A recording of the demo and its text, as `to`.ogg and .txt."""
    to.parent.mkdir(parents=True, exist_ok=True)
    for ending in (".ogg", ".txt"):
        shutil.copy(recordings / f"{name}{ending}", to.with_suffix(ending))


def splits_of(folder: Path) -> dict[str, set[str | None]]:
    """The speakers of each split, or the recordings where there is none."""
    loaded = load_dataset(str(folder)).cast_column("audio", Audio(decode=False))
    return {
        split: {row["speaker"] or row["recording"] for row in rows}
        for split, rows in loaded.items()
    }


PRIVATE = ("alices-laptop", "alice", "nobody-at-home", "secret")


@pytest.fixture
def alice(tmp_path, monkeypatch):
    """The home of a user whose names are looked for in what is published."""
    home = tmp_path / "nobody-at-home"
    home.mkdir()
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(home))
    for name in ("USER", "LOGNAME", "USERNAME"):
        monkeypatch.setenv(name, "alice")
    for module, name in ((socket, "gethostname"), (socket, "getfqdn"), (platform, "node")):
        monkeypatch.setattr(module, name, lambda: "alices-laptop")
    return home


def assert_names_nobody(out: Path, home: Path) -> None:
    """No byte of what is published names the machine, the user or a folder of theirs.

    Names of five letters may stand in compressed audio by chance: those files are read as the
    columns that they hold.
    """
    published = published_files(out)
    assert {"README.md", "build.json", "eval.yaml", "rejected.jsonl"} < set(published)
    assert any(name.endswith(".parquet") for name in published)
    for name, path in published.items():
        data = path.read_bytes()
        if path.suffix == ".parquet":
            table = pq.read_table(path)
            audio = table["audio"].combine_chunks()
            text = table.drop_columns("audio").to_pylist(), table.schema.metadata
            data = repr((text, audio.field("path").to_pylist())).encode()
            assert str(home).encode() not in path.read_bytes(), name
        for private in (*PRIVATE, str(home.parent), str(Path(__file__).parents[2])):
            assert private.encode() not in data, f"{private} in {name}"


def test_nothing_outside_is_read_and_nothing_published_names_this_machine(
    recordings, config, tmp_path, alice
):
    source = alice / "source"
    copy(recordings, "farm", source / "s1" / "001")
    copy(recordings, "market", source / "s2" / "001")
    text = (recordings / "farm.txt").read_text(encoding="utf-8")
    secret = tmp_path / "secret.wav"
    sf.write(secret, np.random.default_rng(0).normal(0, 0.1, 9 * SAMPLE_RATE), SAMPLE_RATE)
    (source / "link.wav").symlink_to(secret)
    (source / "concat.wav").write_text(f"ffconcat version 1.0\nfile '{secret}'\n")
    (source / "broken.m4a").write_bytes(b"\0\0\0\x18ftypM4A " + bytes(90))
    for name in ("link", "concat", "broken"):
        (source / f"{name}.txt").write_text(text, encoding="utf-8")
    result = build(source, tmp_path / "out", config)
    assert result.report["recordings"] == {"in": 5, "unread": 3}
    assert "3 of 5 recordings could not be read" in result.summary()
    assert reasons_of(tmp_path / "out") == {
        "link": "the audio or the transcript lies outside the folder",
        "concat": "the audio cannot be read",
        "broken": "the audio cannot be read",
    }
    assert_names_nobody(tmp_path / "out", alice)


def test_a_table_whose_rows_name_files_elsewhere_publishes_no_name(
    recordings, config, tmp_path, alice
):
    source = alice / "source"
    copy(recordings, "farm", source / "farm")
    copy(recordings, "market", alice / "secret")
    text = (recordings / "farm.txt").read_text(encoding="utf-8").replace("\n", " ")
    rows = [
        {"file_name": str(source / "farm.ogg"), "text": text},
        {"file_name": str(alice / "secret.ogg"), "text": text},
        {"file_name": "../secret.ogg", "text": text},
        {"file_name": str(alice / "missing.ogg"), "text": text},
        {"file_name": "farm2.ogg", "text_file": str(alice / "secret.txt")},
        {"file_name": "farm3.ogg", "text_file": str(source / "missing.txt")},
    ]
    for name in ("farm2", "farm3"):
        shutil.copy(recordings / "farm.ogg", source / f"{name}.ogg")
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (source / "metadata.jsonl").write_text(lines, encoding="utf-8")
    result = build(source, tmp_path / "out", config)
    assert result.clips > 0
    reasons = list(reasons_of(tmp_path / "out").values())
    assert reasons.count("the audio or the transcript lies outside the folder") == 4
    assert_names_nobody(tmp_path / "out", alice)


def reasons_of(out: Path) -> dict[str, str]:
    """Why recordings were rejected whole, by their names."""
    lines = [json.loads(line) for line in (out / "rejected.jsonl").open()]
    return {row["id"]: row["reason"] for row in lines if row["start"] is None}


@pytest.mark.parametrize("column", ["speaker_id", "client_id", "folders"])
def test_no_speaker_is_in_two_splits(recordings, config, tmp_path, column):
    source = tmp_path / "source"
    speakers = {"farm": "dara", "journey": "sokha", "market": "dara", "school": "bopha"}
    rows = []
    for name, speaker in speakers.items():
        copy(recordings, name, source / speaker / name)
        text = (recordings / f"{name}.txt").read_text(encoding="utf-8").replace("\n", " ")
        rows.append(f"{speaker}/{name}.ogg\t{text}\t{speaker}")
    if column != "folders":
        table = "\n".join([f"file_name\ttext\t{column}", *rows])
        (source / "metadata.tsv").write_text(table, encoding="utf-8")
    build(source, tmp_path / "out", config)
    splits = splits_of(tmp_path / "out")
    assert set(splits) == {"train", "validation", "test"}
    assert sorted(speaker for split in splits.values() for speaker in split) == [
        "bopha", "dara", "sokha",
    ]  # fmt: skip


def test_the_same_audio_under_two_names_is_in_one_split(recordings, config, tmp_path, capsys):
    source = tmp_path / "source"
    for name in ("farm", "journey", "school"):
        copy(recordings, name, source / name)
    for k in range(3):
        copy(recordings, "school", source / f"copy{k}")
    build(source, tmp_path / "out", config)
    assert "3 times the same audio under another name: copy1 is copy0; " in capsys.readouterr().err
    splits = splits_of(tmp_path / "out")
    same = {"school", "copy0", "copy1", "copy2"}
    assert [bool(names & same) for names in splits.values()].count(True) == 1
    for split, name in (("train", "farm"), ("train", "school"), ("test", "copy0")):
        copy(recordings, name.replace("copy0", "school"), tmp_path / "split" / split / name)
    with pytest.raises(UserError, match="the same audio under several names"):
        build(tmp_path / "split", tmp_path / "other", config)


def test_folders_of_splits_decide_the_splits(recordings, config, tmp_path):
    source = tmp_path / "source"
    for split, name in (("train", "farm"), ("test", "journey"), ("dev", "school")):
        copy(recordings, name, source / split / name)
    build(source, tmp_path / "out", config)
    assert splits_of(tmp_path / "out") == {
        "train": {"train/farm"},
        "test": {"test/journey"},
        "validation": {"dev/school"},
    }


def test_what_the_reader_of_a_table_finds_is_one_line(recordings, config, tmp_path):
    copy(recordings, "farm", tmp_path / "source" / "farm")
    (tmp_path / "source" / "metadata.csv").write_text('file_name,text\nfarm.ogg,"ក\n')
    arguments = ["build", str(tmp_path / "source"), str(tmp_path / "out")]
    arguments += ["--aligner", config.aligner, "--tokenizer", config.tokenizer]
    done = CliRunner().invoke(cli.main, arguments)
    assert done.exit_code == 1
    assert "Traceback" not in done.output
    *progress, error = done.output.strip().split("\n")
    assert error.startswith("Error: ")
    assert "has a quote that is not closed" in error
    assert all(re.match("device: |.*Generating recordings", line) for line in progress)
    assert not (tmp_path / "out").exists()


def test_a_full_disk_is_one_line_and_leaves_the_folder_free(
    recordings, config, tmp_path, monkeypatch
):
    copy(recordings, "farm", tmp_path / "source" / "farm")

    def fill(*_args):
        raise OSError(errno.ENOSPC, "No space left on device")

    arguments = ["build", str(tmp_path / "source"), str(tmp_path / "out")]
    arguments += ["--aligner", config.aligner, "--tokenizer", config.tokenizer]
    for where, name in ((pairs, "_with_text"), (MakeClips, "_make_rows")):
        with monkeypatch.context() as patched:
            patched.setattr(where, name, fill)
            done = CliRunner().invoke(cli.main, arguments)
        assert done.exit_code == 1
        assert done.output.splitlines()[-1] == "Error: No space left on device"
        assert "Traceback" not in done.output
        assert not (tmp_path / "out").exists()
    (tmp_path / "out").mkdir()
    assert build(tmp_path / "source", tmp_path / "out", config).clips > 0


def test_a_build_that_aligned_a_shard_keeps_it(recordings, config, tmp_path, monkeypatch):
    for name in NAMES[:2]:
        copy(recordings, name, tmp_path / "source" / name)
    monkeypatch.setattr(plan_rows, "_SHARD_CHARACTERS", 300)
    calls = []
    make_clips = MakeClips.__call__

    def fail_at_second(self, batch, rank=None):
        calls.append(batch["id"])
        if len(calls) == 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        return make_clips(self, batch, rank)

    monkeypatch.setattr(MakeClips, "__call__", fail_at_second)
    with pytest.raises(OSError, match="No space"):
        build(tmp_path / "source", tmp_path / "out", config)
    assert State(tmp_path / "out").finished_shards() == ["00-00000"]


def test_a_thousand_missing_transcripts_are_one_reason(recordings, config, tmp_path):
    copy(recordings, "farm", tmp_path / "source" / "farm")
    for k in range(30):
        sf.write(tmp_path / "source" / f"{k}.wav", np.full(800, k / 99), SAMPLE_RATE)
    report = build(tmp_path / "source", tmp_path / "out", config).report
    assert report["rejected"]["no transcript"]["stretches"] == 30
    assert len(report["rejected"]) < 6
