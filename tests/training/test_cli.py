"""The commands as they are typed."""

import json
import shutil

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from khmer_whisper import cli
from khmer_whisper.config import Config, Mixed

from .conftest import messages, sound, voice


def run(*args) -> object:
    return CliRunner().invoke(cli.main, [str(arg) for arg in args])


def test_every_field_of_the_configuration_is_an_option():
    shown = run("train", "--help").output
    for name in Config.__dataclass_fields__:
        if name not in ("dataset", "trackers"):
            assert f"--{name.replace('_', '-')}" in shown


@pytest.mark.parametrize("command", [[], *([name] for name in cli.main.commands)])
def test_help_is_shown_for_h_too(command):
    assert run(*command, "-h").output == run(*command, "--help").output


def test_push_model_as_a_program_of_its_own_shows_mistakes_as_one_line(tmp_path):
    done = CliRunner().invoke(cli.push_model, [str(tmp_path), "no repository name"])
    assert done.exit_code == 1
    assert isinstance(done.exception, SystemExit)
    assert done.output.startswith("Error: ") and done.output.count("\n") == 1
    assert "Usage: push-model" in CliRunner().invoke(cli.push_model, ["-h"]).output


def test_options_replace_values_of_the_file(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr("khmer_whisper.training.train", lambda config, *_: seen.append(config))
    monkeypatch.setattr("khmer_whisper.launch.leave_group", lambda: None)
    (tmp_path / "run.toml").write_text('dataset = "x"\nepochs = 7\nseed = 5\n', encoding="utf-8")
    monkeypatch.setenv("RANK", "1")  # a process that prints nothing
    done = run(
        "train", "org/d@v1", tmp_path / "o", "--config", tmp_path / "run.toml", "--seed", 6,
        "--no-compile", "--tracker", "wandb", "--tracker", "mlflow",
        "--mix", "org/a=b@v2=0.5", "--mix", "org/thai=0.1:th",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    mix = (Mixed("org/a=b@v2", 0.5), Mixed("org/thai", 0.1, "th"))
    trackers = ("wandb", "mlflow")
    assert seen == [Config(dataset="org/d@v1", epochs=7, seed=6, trackers=trackers, mix=mix)]


@pytest.mark.parametrize(
    ("options", "line"), [([], "device: CPU ("), (["--device", "cpu"], "device: CPU (chosen)")]
)
def test_the_first_line_of_train_says_the_device(tmp_path, monkeypatch, options, line):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    done = run("train", tmp_path / "nothing", tmp_path / "o", *options)
    assert done.exit_code == 1
    assert done.stderr.splitlines()[0].startswith(line)
    done = run("train", "x", tmp_path / "o", "--device", "tpu")
    assert "--device is 'tpu': give cpu, cuda or cuda:N" in done.stderr


@pytest.mark.parametrize(
    ("args", "complaint"),
    [
        (["train", "nowhere/at/all", "{}/out"], "nowhere/at/all"),
        (["train", "x", "{}/out", "--batch-size", "0"], "--batch-size is 0"),
        (["train", "x", "{}/out", "--config", "{}/none.toml"], "none.toml"),
        (["train", "x", "{}/out", "--mix", "org/other"], "mix org/other: give NAME=WEIGHT"),
        (["train", "x", "{}/out", "--mix", "org/other=-1"], "the weight is -1.0"),
        (["train", "x", "{}/out", "--streaming"], "give --max-steps with --streaming"),
        (["train", "x", "{}/out", "--licence", "free"], "not one that the Hub knows"),
        (["evaluate", "{}/nothing", "x"], "nothing"),
        (["evaluate", "{}/nothing", "x", "--batch-size", "0"], "'--batch-size': 0 is not in"),
        (["transcribe", "{}/nothing", "{}/none.wav"], "none.wav"),
    ],
)
def test_mistakes_are_one_line(tmp_path, args, complaint):
    done = run(*[arg.replace("{}", str(tmp_path)) for arg in args])
    assert done.exit_code != 0
    assert not isinstance(done.exception, Exception) or isinstance(done.exception, SystemExit)
    last = done.output.strip().splitlines()[-1]
    assert complaint in last


@pytest.mark.slow
def test_evaluate_writes_what_it_says(trained, dataset, tmp_path):
    done = run("evaluate", trained.folder, dataset, "-o", tmp_path / "scores")
    assert done.exit_code == 0, done.output
    report = json.loads((tmp_path / "scores/metrics.json").read_text(encoding="utf-8"))
    # The model as saved and loaded again scores as it did at the end of its training.
    assert report["models"]["model"]["cer"]["errors"] == trained.tuned.cer.errors
    assert report["models"]["model"]["version"].startswith("sha256:")
    assert f"CER {trained.tuned.cer}" in done.output
    lines = (tmp_path / "scores/predictions.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(lines) == trained.tuned.clips
    streamed = run("evaluate", trained.folder, dataset, "--streaming")
    assert streamed.output == done.output
    other = run("evaluate", trained.folder, dataset, "--split", "validation")
    assert "8 clips of the validation split" in other.output
    missing = run("evaluate", trained.folder, dataset, "--split", "dev")
    assert missing.exit_code == 1
    assert "has no dev split; it has" in missing.output


@pytest.mark.slow
def test_evaluate_scores_whole_recordings_too(trained, dataset, tmp_path):
    recordings = tmp_path / "recordings"
    recordings.mkdir()
    soundfile.write(recordings / "a.flac", voice(8), 16_000)
    (recordings / "a.txt").write_text("ឪពុករបស់ខ្ញុំជាកសិករ", encoding="utf-8")
    done = run("evaluate", trained.folder, dataset, "--long", recordings, "-o", tmp_path / "out")
    assert done.exit_code == 0, done.output
    assert "1 whole recording of" in done.output
    report = json.loads((tmp_path / "out/metrics.json").read_text(encoding="utf-8"))
    assert report["whole_recordings"]["seconds"] == pytest.approx(8.0, abs=0.01)
    assert (tmp_path / "out/long.jsonl").exists() and "model" in report["models"]


@pytest.mark.slow
def test_no_existing_file_is_overwritten(trained, dataset, tmp_path):
    scores = (trained.folder / "metrics.json").read_bytes()
    done = run("evaluate", trained.folder, dataset, "-o", trained.folder)
    assert done.exit_code == 1
    assert "holds a model and its own scores" in done.output
    assert (trained.folder / "metrics.json").read_bytes() == scores
    soundfile.write(tmp_path / "a.flac", sound(["ទឹក"], seed=1), 16_000)
    (tmp_path / "a.txt").write_text("by a human", encoding="utf-8")
    done = run("transcribe", trained.folder, tmp_path / "a.flac", "-o", tmp_path)
    assert done.exit_code == 1
    assert "a.txt: exists already" in done.output
    assert (tmp_path / "a.txt").read_text(encoding="utf-8") == "by a human"


@pytest.mark.slow
def test_one_broken_file_does_not_stop_the_others(trained, tmp_path):
    files = [tmp_path / f"{name}.wav" for name in "abcd"]
    soundfile.write(files[0], voice(4), 16_000)
    files[1].write_bytes(b"no audio")
    soundfile.write(files[2], np.zeros(16_000), 16_000)
    soundfile.write(files[3], np.ones(16), 16_000)
    done = run("transcribe", trained.folder, *files, "-o", tmp_path / "out")
    assert done.exit_code == 1
    device, first, *others = messages(done.stderr)
    assert device.startswith("device: ")
    assert first.startswith(f"Error: {files[1]}: cannot be decoded")
    assert others == [
        f"{files[2]}: no speech was found",
        f"Error: {files[3]}: 1 ms hold no word",
        "Error: 2 of 4 files could not be transcribed",
    ]
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"a.txt", "c.txt"}
    assert (tmp_path / "out/a.txt").read_text(encoding="utf-8").strip()
    stream = run("transcribe", trained.folder, files[0], files[2], "--format", "vtt")
    assert stream.exit_code == 2
    assert "are no vtt: give --out" in stream.output


@pytest.mark.slow
def test_transcribe_several_files(trained, tmp_path):
    for name in ("a", "b"):
        soundfile.write(tmp_path / f"{name}.flac", voice(4), 16_000)
    done = run(
        "transcribe", trained.folder, tmp_path / "a.flac", tmp_path / "b.flac",
        "--format", "srt", "-o", tmp_path / "out",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    first = (tmp_path / "out/a.srt").read_text(encoding="utf-8")
    assert "-->" in first
    assert first == (tmp_path / "out/b.srt").read_text(encoding="utf-8")
    shutil.copytree(tmp_path, tmp_path / "copy", ignore=shutil.ignore_patterns("copy", "out"))
    clash = run(
        "transcribe", trained.folder, tmp_path / "a.flac", tmp_path / "copy/a.flac",
        "-o", tmp_path / "out",
    )  # fmt: skip
    assert clash.exit_code == 2
    assert "two files" in clash.output


@pytest.mark.slow
def test_a_pushed_model_loads_by_its_name(trained, dataset, hub, tmp_path):
    folder = tmp_path / "whisper-sounds"
    shutil.copytree(trained.folder, folder)
    (folder / "checkpoints").mkdir()  # of a training that goes on: stays at home
    (folder / "checkpoints/optimizer.pt").write_bytes(b"state")
    push = ["push-model", str(folder), "org/whisper-sounds", "--tag", "v1"]
    refused = hub.run(push)  # nor does its dataset state one
    assert refused.returncode == 1
    assert "states no licence: give --licence with one of cc0-1.0" in refused.stderr
    assert "Its dataset sounds0 states no licence either" in refused.stderr
    done = hub.run([*push, "--licence", "mit", "--title", "Sounds"])
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("only this machine has") == 2  # its dataset and its base
    files = hub.files("model", "org/whisper-sounds")
    assert "model.safetensors" in files
    assert not any("checkpoints" in name for name in files)
    card = hub.read("model", "org/whisper-sounds", "README.md").decode()
    assert (
        'pipeline("automatic-speech-recognition", "org/whisper-sounds", chunk_length_s=2)' in card
    )
    assert "org/whisper-khmer" not in card
    assert "license: mit" in card and "# Sounds\n" in card
    assert "khmer-whisper reproduce org/whisper-sounds --dataset sounds0" in card
    check = ["reproduce", "org/whisper-sounds@v1", "--dataset", str(dataset)]
    checked = hub.run(["khmer-whisper", *check, "--verify-only"])
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "everything is as published" in checked.stdout
    soundfile.write(tmp_path / "a.flac", voice(4), 16_000)
    local = run("transcribe", trained.folder, tmp_path / "a.flac")
    audio = str(tmp_path / "a.flac")
    loaded = hub.run(["khmer-whisper", "transcribe", "org/whisper-sounds@v1", audio])
    assert loaded.returncode == 0, loaded.stderr
    assert loaded.stdout == local.stdout != ""
    export = ["export", "org/whisper-sounds@v1", str(tmp_path / "ct2"), "--clips", "2"]
    export += ["--dataset", str(dataset)]
    exported = hub.run(["khmer-whisper", *export])
    assert "2 of 2 clips are the same text" in exported.stdout, exported.stderr
    again = hub.run(["khmer-whisper", *push])
    assert "nothing to upload" in again.stdout
    assert len(hub.commits("model", "org/whisper-sounds")) == 2
    elsewhere = hub.run(["khmer-whisper", "push-model", str(folder), "org/whisper-elsewhere"])
    assert elsewhere.returncode == 0, elsewhere.stderr
    card = hub.read("model", "org/whisper-elsewhere", "README.md").decode()
    assert "khmer-whisper transcribe org/whisper-elsewhere " in card
    assert "org/whisper-sounds" not in card
