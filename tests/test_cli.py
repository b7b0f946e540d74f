"""The commands as a user types them, and one line for whatever the user can mend."""

import json
from dataclasses import fields

import numpy as np
import pytest
import soundfile as sf
from click.testing import CliRunner

from khmer_aligned.alignment.thresholds import Thresholds
from khmer_aligned.audio import load
from khmer_aligned.cli import main
from khmer_aligned.dataset.config import BuildConfig


def run(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def excerpt(recordings, true_words, tmp_path_factory):
    """The first ten seconds of a recording, to the end of a word: audio and transcript."""
    folder = tmp_path_factory.mktemp("excerpt")
    _, last, _, seconds = max(word for word in true_words("farm") if word[3] < 10)
    sf.write(folder / "farm.wav", load(recordings / "farm.ogg", name="farm", end=seconds), 16_000)
    text = (recordings / "farm.txt").read_text(encoding="utf-8")[:last]
    (folder / "farm.txt").write_text(text, encoding="utf-8")
    return folder / "farm.wav", folder / "farm.txt"


def test_align_prints_json_on_standard_output_and_nothing_else(excerpt, aligner_folder):
    done = run("align", *excerpt, "--aligner", aligner_folder)
    assert done.exit_code == 0
    whole = json.loads(done.stdout)
    assert len(whole["words"]) > 10
    assert 5 < whole["words"][-1]["end"] <= whole["duration"] < 10
    assert whole["audio"] == str(excerpt[0])


def test_align_writes_the_file_it_is_given(excerpt, aligner_folder, tmp_path):
    out = tmp_path / "new" / "farm.srt"
    done = run(
        "align", *excerpt, "--aligner", aligner_folder, "--format", "srt", "--level", "phrase",
        "-o", out,
    )  # fmt: skip
    assert (done.exit_code, done.stdout) == (0, "")
    assert "-->" in out.read_text(encoding="utf-8")


def test_a_former_name_of_an_option_works_and_says_so(excerpt, aligner_folder):
    now = run("align", *excerpt, "--aligner", aligner_folder, "--lag", "0.1")
    before = run("align", *excerpt, "--aligner", aligner_folder, "--offset", "0.1")
    assert before.stdout == now.stdout
    note = "--offset is now --lag; the old name goes with the next version\n"
    assert before.stderr.startswith(note)
    assert note not in now.stderr
    done = run("build", excerpt[0].parent, "out", "--max-tokens", "441")
    assert done.exit_code == 1
    assert "--max-labels is 441: give at least 1 and at most 440" in done.stderr
    assert "--max-tokens" not in run("build", "--help").stdout


@pytest.mark.parametrize(
    ("audio", "text", "complaint"),
    [
        ("none.wav", "fine.txt", "none.wav: cannot be opened"),
        ("fine.wav", "none.txt", "none.txt is missing"),
        ("fine.wav", "empty.txt", "the transcript is empty"),
        ("fine.wav", "latin.txt", "byte 3 is not UTF-8"),
        ("garbage.wav", "fine.txt", "garbage.wav: cannot be decoded"),
        ("empty.wav", "fine.txt", "empty.wav: is an empty file"),
        ("short.wav", "fine.txt", "10 ms of audio are too short"),
        ("silence.wav", "fine.txt", "silent"),
        ("fine.wav", "long.txt", "tokens"),
    ],
)
def test_bad_input_is_one_line_and_status_1(tmp_path, aligner_folder, audio, text, complaint):
    noise = np.random.default_rng(0).normal(0, 0.1, 32_000)
    for name, samples in {"fine": noise, "short": noise[:160], "silence": 0 * noise}.items():
        sf.write(tmp_path / f"{name}.wav", samples, 16_000)
    (tmp_path / "garbage.wav").write_bytes(b"RIFF but no audio")
    (tmp_path / "empty.wav").write_bytes(b"")
    (tmp_path / "fine.txt").write_text("ខ្ញុំទៅផ្សារ", encoding="utf-8")
    (tmp_path / "long.txt").write_text("ខ្ញុំទៅផ្សារ " * 500, encoding="utf-8")
    (tmp_path / "empty.txt").write_text("\ufeff", encoding="utf-8")
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9")
    done = run("align", tmp_path / audio, tmp_path / text, "--aligner", aligner_folder)
    assert done.exit_code == 1
    assert done.stdout == ""
    # On a slow machine a progress bar comes before it.
    line = done.stderr.splitlines()[-1]
    assert line.startswith("Error: ")
    assert complaint in line
    assert "Traceback" not in done.stderr


def test_build_of_nothing_and_push_of_nothing(tmp_path, aligner_folder, tokenizer_folder):
    (tmp_path / "empty").mkdir()
    done = run(
        "build", tmp_path / "empty", tmp_path / "out",
        "--aligner", aligner_folder, "--tokenizer", tokenizer_folder,
    )  # fmt: skip
    assert done.exit_code == 1
    assert "put recordings" in done.stderr
    done = run("push-dataset", tmp_path / "empty", "org/khmer-aligned")
    assert done.exit_code == 1
    assert "README.md" in done.stderr


def test_a_folder_that_cannot_be_made_is_named_before_the_work(recordings, tmp_path):
    (tmp_path / "file").write_text("in the way")
    done = run(
        "align", recordings / "farm.ogg", recordings / "farm.txt", "--aligner", "no/such/aligner",
        "-o", tmp_path / "file" / "farm.json",
    )  # fmt: skip
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == f"Error: {tmp_path / 'file'}: File exists\n"


def test_the_help_shows_each_default_once_and_every_threshold():
    text = " ".join(run("build", "-h").stdout.split())
    for item in [*fields(BuildConfig), *fields(Thresholds)]:
        if item.name == "thresholds":
            continue
        option = f"--{item.name.replace('_', '-')} "
        assert text.count(option) == 1
        if item.default is not None and not isinstance(item.default, bool):
            # The help breaks its lines at spaces and hyphens.
            shown = "".join(text[text.index(option) :].split())
            assert "".join(f"[default: {item.default}]".split()) in shown
