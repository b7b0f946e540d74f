"""The command `khmer-whisper`: click, and nothing but click."""

from __future__ import annotations

import click

from khmer_aligned.console import Console
from khmer_whisper.cli.publishing import demo, push_model, reproduce
from khmer_whisper.cli.serving import serve
from khmer_whisper.cli.training import extend, train, train_aligner
from khmer_whisper.cli.transcribing import transcribe
from khmer_whisper.cli.using import evaluate, export


@click.group(cls=Console)
@click.version_option(package_name="khmer-aligned")
def main() -> None:
    """Fine-tune Whisper on an aligned Khmer dataset, score it, use it and publish it.

    DATASET and MODEL are Hub ids, with @REVISION if you like, or local folders.
    """


for command in (
    train,
    evaluate,
    transcribe,
    serve,
    export,
    extend,
    train_aligner,
    demo,
    push_model,
    reproduce,
):
    main.add_command(command)
