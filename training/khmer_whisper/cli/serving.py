"""The command `serve`."""

from __future__ import annotations

from pathlib import Path

import click

from khmer_aligned.console import ConsoleCommand, start_on
from khmer_aligned.errors import UserError
from khmer_whisper.cli.quiet import quiet
from khmer_whisper.cli.transcribing import engine_options


@click.command(cls=ConsoleCommand)
@click.argument("model")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    default=8000,
    show_default=True,
    help="The port to listen on.",
)
@click.option(
    "--token",
    envvar="KHMER_WHISPER_TOKEN",
    help="What clients send as their API key; needed for any other address than this machine's "
    "own.  [environment: KHMER_WHISPER_TOKEN]",
)
@click.option(
    "--queue-size",
    type=click.IntRange(1),
    default=64,
    show_default=True,
    help="Requests that wait or are served; more are told to come back.",
)
@click.option(
    "--max-megabytes",
    type=click.IntRange(1),
    default=500,
    show_default=True,
    help="The largest upload.",
)
@engine_options
@quiet
def serve(
    model: str,
    host: str,
    port: int,
    token: str | None,
    queue_size: int,
    max_megabytes: int,
    aligner: str | None,
    engine: str | None,
    compute_type: str | None,
    device: str | None,
) -> None:
    """Transcribe with MODEL for programs that speak to OpenAI's API, and on a page.

    Needs khmer-aligned[web].
    """
    try:
        from khmer_whisper.serving import run
        from khmer_whisper.serving.app import Limits, Server
    except ImportError as error:
        raise UserError(f"serve needs {error.name}: install khmer-aligned[web]") from error
    from khmer_whisper.transcription.transcriber import Transcriber
    from khmer_whisper.transcription.word_times import choose_time_words

    run.check_address(host, token)
    start_on(device)
    transcriber = Transcriber(model, engine=engine, compute_type=compute_type)
    transcriber.time_words = choose_time_words(transcriber.engine, aligner)
    name = Path(model).name if Path(model).is_dir() else model
    server = Server(transcriber, name, Limits(queue_size, max_megabytes), token)
    click.echo(f"{name}: http://{host}:{port}/ and http://{host}:{port}/v1", err=True)
    run.run(server, host, port)
