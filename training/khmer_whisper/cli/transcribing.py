"""The command `transcribe`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import click

from khmer_aligned.console import ConsoleCommand, device_option, options_of, start_on
from khmer_aligned.errors import UserError
from khmer_aligned.files import replace_whole
from khmer_whisper.cli.quiet import quiet
from khmer_whisper.transcription.options import Options

if TYPE_CHECKING:
    from khmer_whisper.transcription.forms import Form
    from khmer_whisper.transcription.transcriber import SegmentStream, Transcriber

FORMATS = ("txt", "srt", "vtt", "json", "tsv")
ENGINES = ("transformers", "ctranslate2")
P = ParamSpec("P")
R = TypeVar("R")


def engine_options(command: Callable[P, R]) -> Callable[P, R]:
    """What runs the model and times its words: --aligner, --engine, --compute-type, --device."""
    options = (
        click.option(
            "--aligner",
            help="Time the words by this aligner: mms, or a CTC model; by default the model times "
            "them.",
        ),
        click.option(
            "--engine",
            type=click.Choice(ENGINES),
            help="The library that runs MODEL; by default the one that MODEL is written for.",
        ),
        click.option(
            "--compute-type",
            help="float32, bfloat16, or one of CTranslate2's; by default the best.",
        ),
        device_option,
    )
    for option in reversed(options):
        command = option(command)
    return command


@click.command(cls=ConsoleCommand)
@click.argument("model")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    default="txt",
    show_default=True,
    help="Plain text, subtitles, JSON with all figures, or a table with times in milliseconds.",
)
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write one file for each audio file into this folder instead of standard output.",
)
@options_of(Options)
@engine_options
@quiet
def transcribe(
    model: str,
    files: tuple[Path, ...],
    form: Form,
    out: Path | None,
    aligner: str | None,
    engine: str | None,
    compute_type: str | None,
    device: str | None,
    **typed: Any,
) -> None:
    """Transcribe audio FILES of any length with MODEL, a Hub id, a folder or an export."""
    from khmer_whisper.transcription.transcriber import Transcriber
    from khmer_whisper.transcription.word_times import choose_time_words

    names = [f"{file.stem}.{form}" for file in files]
    _check_output(names, form, out)
    if len(files) == 1 and not files[0].exists():  # before a model is loaded for it
        raise UserError(f"{files[0]}: no such file")
    options = Options(**{name: value for name, value in typed.items() if value is not None})
    start_on(device)
    transcriber = Transcriber(model, engine=engine, compute_type=compute_type)
    if aligner:
        transcriber.time_words = choose_time_words(transcriber.engine, aligner)
        options = replace(options, word_times=True)
    failed = 0
    for file, name in zip(files, names, strict=True):
        try:
            _transcribe_file(transcriber, file, options, form, out / name if out else None)
        except UserError as error:
            if len(files) == 1:
                raise
            failed += 1
            click.echo(f"Error: {error}", err=True)
    if failed:
        raise UserError(f"{failed} of {len(files)} files could not be transcribed")


def _transcribe_file(
    transcriber: Transcriber, file: Path, options: Options, form: Form, path: Path | None
) -> None:
    """Write the transcription of a file, piece by piece; what stands at `path` is whole."""
    stream = transcriber.transcribe(file, options)
    if path is None:
        for piece in _render(stream, form):
            click.echo(piece, nl=False)
    else:
        with replace_whole(path) as partial, partial.open("w", encoding="utf-8") as target:
            target.writelines(_render(stream, form))
    if stream.count == 0:
        click.echo(f"{file}: no speech was found", err=True)


def _render(stream: SegmentStream, form: Form) -> Iterator[str]:
    from khmer_whisper.transcription import forms

    if form == "json":
        return iter([forms.render_json(stream.collect())])
    return forms.render_pieces(stream, form)


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
