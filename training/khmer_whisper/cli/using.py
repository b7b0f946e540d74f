"""Commands that use a model: evaluate, export, transcribe."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from khmer_aligned.console import ConsoleCommand, device_option, start_on
from khmer_aligned.errors import Failed, UserError
from khmer_whisper.cli import processes as several
from khmer_whisper.cli.quiet import quiet

if TYPE_CHECKING:
    from khmer_whisper.transcription import Form

QUANTIZATIONS = ("float32", "float16", "bfloat16", "int8")
FORMATS = ("txt", "json", "srt", "vtt")


@click.command(cls=ConsoleCommand)
@click.argument("model")
@click.argument("dataset")
@click.option("--split", default="test", show_default=True, help="The split to score on.")
@click.option(
    "--batch-size",
    type=click.IntRange(1),
    default=16,
    show_default=True,
    help="Clips decoded at a time.",
)
@click.option("--streaming", is_flag=True, help="Put nothing of DATASET on disk.")
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write predictions.jsonl and metrics.json into this folder.",
)
@several.option
@quiet
def evaluate(
    model: str,
    dataset: str,
    split: str,
    batch_size: int,
    streaming: bool,
    out: Path | None,
    processes: int,
) -> None:
    """Score MODEL on a split of DATASET."""
    if several.launch(processes):
        return
    from khmer_whisper import evaluation
    from khmer_whisper import model as models
    from khmer_whisper.examples import data

    if out:
        if (out / "config.json").exists():
            raise UserError(f"{out}: holds a model and its own scores; name another folder")
        out.mkdir(parents=True, exist_ok=True)
    several.join()
    whisper = models.place(models.load(model))
    splits = data.load(dataset, streaming=streaming)
    result = evaluation.evaluate(whisper, splits, split, batch_size)
    if several.is_first():
        if out:
            evaluation.write_evaluation(out, result, splits, whisper.source)
        for clip in result.left_out:
            click.echo(f"not scored: {clip.id}: {clip.reason}", err=True)
        click.echo(evaluation.format_scores(split, {model: result.scores}))
    several.leave()


@click.command(cls=ConsoleCommand)
@click.argument("model")
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--dataset", help="Compare on its test split; by default the model's own dataset's.")
@click.option(
    "--quantization",
    type=click.Choice(QUANTIZATIONS),
    default="float32",
    show_default=True,
    help="How the weights are stored: smaller, faster and less exact than float32.",
)
@click.option("--clips", type=click.IntRange(1), help="Compare on the first of them only.")
@click.option(
    "--batch-size",
    type=click.IntRange(1),
    default=8,
    show_default=True,
    help="Clips decoded at a time.",
)
@quiet
def export(
    model: str,
    out: Path,
    dataset: str | None,
    quantization: str,
    clips: int | None,
    batch_size: int,
) -> None:
    """Write MODEL for CTranslate2 (faster-whisper) into the folder OUT.

    Both models are decoded and compared; an export whose texts differ is not written. Needs
    khmer-aligned[ctranslate2].
    """
    from khmer_whisper import export as exporting
    from khmer_whisper.evaluation import format_scores

    result = exporting.export(
        model, out, dataset, quantization=quantization, clips=clips, batch_size=batch_size
    )
    scores = {"original": result.original.scores, "export": result.exported.scores}
    click.echo(format_scores(result.split, scores))
    click.echo(f"{result.same} of {len(result.original.predictions)} clips are the same text")
    click.echo(f"\nModel folder: {out}")


@click.command(cls=ConsoleCommand)
@click.argument("model")
@click.argument(
    "files", nargs=-1, required=True, type=click.Path(path_type=Path, dir_okay=False, exists=True)
)
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    default="txt",
    show_default=True,
    help="Plain text, JSON with times, or subtitles.",
)
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write one file for each audio file into this folder instead of standard output.",
)
@click.option(
    "--batch-size",
    type=click.IntRange(1),
    default=8,
    show_default=True,
    help="Stretches of a file decoded at a time.",
)
@device_option
@quiet
def transcribe(
    model: str,
    files: tuple[Path, ...],
    form: Form,
    out: Path | None,
    batch_size: int,
    device: str | None,
) -> None:
    """Transcribe audio FILES of any length with MODEL."""
    from khmer_whisper import model as models
    from khmer_whisper.transcription import transcribe_files

    names = [f"{file.stem}.{form}" for file in files]
    _check_output(names, form, out)
    start_on(device)
    whisper = models.place(models.load(model))
    failed = 0
    for file, name, result in zip(
        files, names, transcribe_files(whisper, files, batch_size), strict=True
    ):
        if isinstance(result, Failed):
            if len(files) == 1:
                raise UserError(result.reason)
            failed += 1
            click.echo(f"Error: {result.reason}", err=True)
            continue
        if not result.segments:
            click.echo(f"{file}: no speech was found", err=True)
        if out:
            (out / name).write_text(result.render(form), encoding="utf-8")
        else:
            click.echo(result.render(form), nl=False)
    if failed:
        raise UserError(f"{failed} of {len(files)} files could not be transcribed")


def _check_output(names: list[str], form: str, out: Path | None) -> None:
    """Make the folder `out`. Raises an error where a file would be overwritten or mixed up."""
    if not out:
        if form != "txt" and len(names) > 1:
            raise click.UsageError(f"several files in one stream are no {form}: give --out")
        return
    if twice := sorted(name for name in names if names.count(name) > 1):
        raise click.UsageError(f"two files would be written to {twice[0]}")
    out.mkdir(parents=True, exist_ok=True)
    for name in names:  # next to its audio, such a file may be a human's transcript
        if (out / name).exists():
            raise UserError(f"{out / name}: exists already; name another folder")
