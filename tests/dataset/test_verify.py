"""A built dataset is checked, and everything that was changed in it afterwards is named."""

import json
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile as sf
from click.testing import CliRunner

from khmer_aligned import cli
from khmer_aligned.dataset import build as building
from khmer_aligned.dataset.config import BuildConfig
from khmer_aligned.dataset.verify import verify
from khmer_aligned.errors import UserError

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def source(recordings, tmp_path_factory):
    """One speaker and a licence for each of three recordings."""
    folder = tmp_path_factory.mktemp("source")
    lines = ["file_name,transcription,speaker,licence,source"]
    for name, licence in (("farm", "cc-by-4.0"), ("school", "cc0-1.0"), ("journey", "")):
        shutil.copy(recordings / f"{name}.ogg", folder)
        text = (recordings / f"{name}.txt").read_text(encoding="utf-8").replace("\n", " ")
        lines.append(f'{name}.ogg,"{text}",sokha,{licence},radio')
    (folder / "metadata.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def config(aligner_folder, tokenizer_folder):
    return BuildConfig(str(aligner_folder), str(tokenizer_folder), 150)


@pytest.fixture(scope="module")
def built(source, config, tmp_path_factory):
    out = tmp_path_factory.mktemp("built") / "dataset"
    return building.build(source, out, config, licence="CC-BY-4.0", title="Voices")


@pytest.fixture
def copy(built, tmp_path):
    return shutil.copytree(built.folder, tmp_path / "dataset")


def differences(folder) -> str:
    return "\n".join(line for line in verify(folder).lines if line.startswith("DIFFERS"))


def rewrite(folder, change) -> None:
    """Change the rows of the first shard of train."""
    shard = sorted((folder / "data").glob("train-*.parquet"))[0]
    table = pq.read_table(shard)
    rows = change(table.to_pylist())
    pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), shard)


def test_an_honest_dataset_agrees(built):
    findings = verify(built.folder)
    assert findings.differences == 0
    assert len(findings.lines) == 7
    done = CliRunner().invoke(cli.main, ["reproduce", str(built.folder), "--verify-only"])
    assert done.exit_code == 0
    assert done.output.endswith("everything is as published\n")


def test_one_speaker_is_split_by_recording_and_it_is_said(built):
    assert set(built.report["splits"]) == {"train", "validation", "test"}
    assert built.report["statistics"]["shared_speakers"] == 1
    card = (built.folder / "README.md").read_text(encoding="utf-8")
    for text in (card, built.summary()):
        assert "Splits are made by recording, as there are too few speakers" in text
        assert "too good for others" in text


def test_rights_are_kept_for_each_recording_and_summed_up(built):
    lines = (built.folder / "recordings.jsonl").read_text(encoding="utf-8").splitlines()
    stated = {row["recording"]: row["licence"] for row in map(json.loads, lines)}
    assert stated == {"farm": "cc-by-4.0", "school": "cc0-1.0", "journey": ""}
    card = (built.folder / "README.md").read_text(encoding="utf-8")
    assert "\nlicense: cc-by-4.0\n" in card and "Licence: cc-by-4.0." in card
    assert "| licence | cc0-1.0 | 1 |" in card and "| licence | not stated | 1 |" in card
    assert "| source | radio | 3 |" in card
    assert "pretty_name: Voices\n" in card and "# Voices\n" in card


def test_a_licence_may_come_later_and_must_be_one(built, source, config, copy):
    again = building.build(source, built.folder, config)  # finished: nothing is lost
    assert "license: cc-by-4.0" in (again.folder / "README.md").read_text(encoding="utf-8")
    with pytest.raises(UserError, match="not one that the Hub knows"):
        building.build(source, built.folder, config, licence="all mine")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda rows: rows[1:], ["the sums", "samples in clips", "clips says"]),
        (lambda rows: rows + rows[:1], ["the id is there twice"]),
        (lambda rows: [rows[0] | {"duration": 9.0}, *rows[1:]], ["and it says 9.000 s"]),
        (lambda rows: [rows[0] | {"spoken": "ក"}, *rows[1:]], ["is not in its spoken text"]),
        (
            lambda rows: [rows[0] | {"audio": {"bytes": b"fLaC", "path": None}}, *rows[1:]],
            ["its audio cannot be decoded"],
        ),
        (lambda rows: [r | {"recording": "journey"} for r in rows], ["is not of recording"]),
    ],
)
def test_changed_clips_are_named(copy, change, said):
    rewrite(copy, change)
    found = differences(copy)
    assert "build.json: files.data/train-00000-of-00001.parquet says" in found
    for part in said[1:] if said[0] == "the sums" else said:
        assert part in found


def test_a_word_outside_its_clip_is_named(copy):
    def late(rows):
        rows[0]["words"][-1]["end"] = rows[0]["duration"] + 1
        return rows

    rewrite(copy, late)
    assert "is not where it says" in differences(copy)


def test_an_edited_card_is_called_out_line_by_line(copy):
    card = copy / "README.md"
    text = card.read_text(encoding="utf-8")
    clips = sum(1 for line in text.splitlines() if line.startswith("| test |"))
    assert clips == 1
    edited = text.replace("minutes of speech", "hours of speech") + "\nThe best of all.\n"
    card.write_text(edited, encoding="utf-8")
    found = differences(copy)
    assert "hours of speech" in found and "its data say" in found
    assert "'The best of all.' is not from its data" in found
    done = CliRunner().invoke(cli.main, ["reproduce", str(copy), "--verify-only"])
    assert done.exit_code == 1
    assert "differences: not what was published" in done.output


def test_an_edited_record_is_named(copy):
    record = copy / "build.json"
    report = json.loads(record.read_text(encoding="utf-8"))
    report["splits"]["test"]["clips"] += 1
    report["balance"]["characters"]["rejected"] += 1
    report["config"]["max_labels"] = 90
    record.write_text(json.dumps(report), encoding="utf-8")
    found = differences(copy)
    assert "build.json: splits.test.clips says" in found
    assert "characters in are not those in clips and those rejected" in found
    assert "its key is not that of its configuration" in found


def test_built_again_it_has_the_same_bytes_and_other_audio_has_not(built, source, config, tmp_path):
    models = ["--aligner", config.aligner, "--tokenizer", config.tokenizer]
    command = ["reproduce", str(built.folder), *models, "--source"]
    done = CliRunner().invoke(cli.main, [*command, str(source)])
    assert done.exit_code == 0, done.output
    assert done.output.count("the same bytes") == 7
    other = shutil.copytree(source, tmp_path / "other")
    samples, rate = sf.read(other / "farm.ogg")
    sf.write(other / "farm.ogg", np.concatenate([samples, np.zeros(rate)]), rate)
    done = CliRunner().invoke(cli.main, [*command, str(other)])
    assert done.exit_code == 1
    assert "source: content was" in done.output and "other bytes" in done.output


def test_a_folder_that_was_not_built_here_is_one_line(tmp_path):
    done = CliRunner().invoke(cli.main, ["reproduce", str(tmp_path), "--verify-only"])
    assert done.exit_code == 1
    assert "has no README.md: it was not built by khmer-aligned build" in done.output
    done = CliRunner().invoke(cli.main, ["reproduce", str(tmp_path)])
    assert "give --source PATH, or --verify-only" in done.output
