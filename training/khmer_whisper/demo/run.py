"""The demo: the main job on the bundled recordings, with the commands that a user would type.

Each command is shown before it runs, so that the output is a tutorial.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import time
from pathlib import Path

import click
from datasets import Audio, load_dataset

from khmer_aligned.errors import UserError

ASSETS = Path(__file__).with_name("assets")
RECORDINGS, ALIGNER, WHISPER = ASSETS / "recordings", ASSETS / "aligner", ASSETS / "whisper"
TRANSCRIBED = "journey"  # a recording of the test split
MAX_LABELS = 96  # of a clip: bytes of text that surely fit the small Whisper's window of 6 s
TRAINING = {"epochs": 20, "batch-size": 4, "learning-rate": 1e-4}

_MODULES = {"khmer-aligned": "khmer_aligned.cli", "khmer-whisper": "khmer_whisper.cli"}
_INTRODUCTION = """\
The demo reads Khmer that a speech synthesizer spoke, with two models small enough to be bundled.
It shows the way from recordings to a scored model; neither model is of use beyond it.
"""
_NEXT = """\
The same with your own recordings (a folder of audio files, each with a .txt of the same name)
and the public models:

    khmer-aligned align speech.mp3 speech.txt --format textgrid -o speech.TextGrid
    khmer-aligned build my_recordings/ out/khmer-aligned
    khmer-aligned push-dataset out/khmer-aligned org/khmer-aligned --licence cc-by-4.0
    khmer-whisper train org/khmer-aligned out/whisper-khmer
    khmer-whisper evaluate out/whisper-khmer org/khmer-aligned
    khmer-whisper transcribe out/whisper-khmer speech.mp3
    khmer-whisper push-model out/whisper-khmer org/whisper-khmer
    khmer-whisper reproduce org/whisper-khmer --scores-only
"""


def run(out: Path, training: dict[str, float] = TRAINING) -> None:
    """Align, build, train, score and transcribe, all into the folder `out`; then show a table.

    `training` are options of `khmer-whisper train`. Works offline, on the CPU in a few minutes.
    Run again on the same folder, it keeps what is finished. Raises UserError when a step fails.
    """
    started = time.monotonic()
    dataset, model = out / "khmer-aligned", out / "whisper-khmer"
    click.echo(_INTRODUCTION)
    _align(out)
    _build(dataset)
    _title("The dataset, loaded back")
    _show_dataset(dataset)
    _train(dataset, model, training)
    _title("The tuned model, loaded back, on a recording of the test split")
    _command("khmer-whisper", "transcribe", model, RECORDINGS / f"{TRANSCRIBED}.ogg")
    _title("What came of it")
    click.echo(_table(dataset, model))
    click.echo(f"\n{_seconds(time.monotonic() - started)}; everything is in {out}/\n\n{_NEXT}")


def _align(out: Path) -> None:
    _title("When is each word spoken?")
    recording = RECORDINGS / TRANSCRIBED
    _command(
        "khmer-aligned", "align", recording.with_suffix(".ogg"), recording.with_suffix(".txt"),
        "--aligner", ALIGNER, "--format", "textgrid", "-o", out / f"{TRANSCRIBED}.TextGrid",
    )  # fmt: skip


def _build(dataset: Path) -> None:
    _title("All recordings, aligned, cut into clips and judged, as a dataset")
    _command(
        "khmer-aligned", "build", RECORDINGS, dataset,
        "--aligner", ALIGNER, "--tokenizer", WHISPER, "--max-labels", MAX_LABELS,
        "--licence", "cc0-1.0",
    )  # fmt: skip


def _train(dataset: Path, model: Path, training: dict[str, float]) -> None:
    _title("A Whisper, fine-tuned on it, and scored with its base on the test split")
    if (model / "metrics.json").is_file():
        click.echo(f"{model} is finished already; name another folder with --out to train again")
        return
    options = [part for name, value in training.items() for part in (f"--{name}", value)]
    _command("khmer-whisper", "train", dataset, model, "--model", WHISPER, *options)


def _title(title: str) -> None:
    click.echo(f"\n== {title}\n")


def _command(program: str, *arguments: object) -> None:
    """Show a command of this project as it would be typed, and run it."""
    words = [_short(a) if isinstance(a, Path) else str(a) for a in arguments]
    click.echo(f"$ {program} {shlex.join(words)}")
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", _MODULES[program], *words],
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
        check=False,
    )
    if done.returncode:
        raise UserError(f"{program} {words[0]} ended with status {done.returncode}: see above")
    click.echo(f"({_seconds(time.monotonic() - started)})")


def _short(path: Path) -> str:
    """A path inside the current folder relative to it."""
    path, current = path.resolve(), Path.cwd()
    return str(path.relative_to(current)) if path.is_relative_to(current) else str(path)


def _show_dataset(dataset: Path) -> None:
    click.echo(f">>> dataset = load_dataset({_short(dataset)!r})")
    loaded = load_dataset(str(dataset)).cast_column("audio", Audio(decode=False))
    for split, rows in loaded.items():
        click.echo(f"{split}: {len(rows)} clips, {sum(rows['duration']) / 60:.1f} min")
    click.echo(">>> dataset['train'][0]")
    clip = loaded["train"][0]
    for name in ("id", "text", "spoken", "duration", "score", "speaker", "start", "end"):
        value = clip[name]
        click.echo(f"{name}: {value:.3f}" if isinstance(value, float) else f"{name}: {value}")
    word = clip["words"][0]
    click.echo(f"words[0]: {word['text']} from {word['start']:.2f} to {word['end']:.2f} s")


def _table(dataset: Path, model: Path) -> str:
    """Clips, minutes and rejected stretches of the build; CER and WER before and after."""
    build = json.loads((dataset / "build.json").read_text(encoding="utf-8"))
    metrics = json.loads((model / "metrics.json").read_text(encoding="utf-8"))
    seconds = sum(split["seconds"] for split in build["splits"].values())
    lines = [
        f"clips      {sum(split['clips'] for split in build['splits'].values())}",
        f"minutes    {seconds / 60:.1f}",
        f"rejected   in {_short(dataset / 'rejected.jsonl')}:",
        *(
            f"{rejected['stretches']:>7}  {rejected['seconds']:.1f} s  {reason}"
            for reason, rejected in build["rejected"].items()
        ),
        "",
        f"{'test split':<10}{'before':>8}{'after':>8}",
    ]
    base, tuned = metrics["models"]["base"], metrics["models"]["tuned"]
    for name in ("cer", "wer"):
        lines.append(f"{name.upper():<10}{base[name]['rate']:>8.1%}{tuned[name]['rate']:>8.1%}")
    return "\n".join(lines)


def _seconds(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.1f} min"
