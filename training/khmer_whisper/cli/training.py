"""Commands that make a model: train, train-aligner, extend."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import click

from khmer_aligned.console import ConsoleCommand, device_option, options_of, start_on
from khmer_aligned.errors import UserError
from khmer_whisper.cli import processes as several
from khmer_whisper.cli.quiet import quiet
from khmer_whisper.config import Config, Mixed
from khmer_whisper.ctc.config import CtcConfig

P = ParamSpec("P")
R = TypeVar("R")


class MixedType(click.ParamType):
    """NAME=WEIGHT[:LANGUAGE], a further training dataset."""

    name = "NAME=WEIGHT[:LANGUAGE]"

    def convert(
        self, value: str | Mixed, param: click.Parameter | None, ctx: click.Context | None
    ) -> Mixed:
        try:
            return value if isinstance(value, Mixed) else Mixed.parse(value)
        except UserError as error:
            self.fail(str(error), param, ctx)


def _config_option(what: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """--config, for the training of `what`."""
    return click.option(
        "--config",
        "config_file",
        type=click.Path(path_type=Path, dir_okay=False),
        help=f"A TOML file with these options as keys, such as the training.toml of {what}.",
    )


@click.command(cls=ConsoleCommand)
@click.argument("dataset")
@click.argument("out", type=click.Path(path_type=Path, file_okay=False))
@_config_option("a model")
@several.option
@click.option(
    "--allow-differences",
    is_flag=True,
    help="Train also where dataset, base or libraries are not those that --config was made with.",
)
@click.option("--licence", help="Of the model's card; by default that of the dataset's card.")
@options_of(Config, mix=MixedType())
@device_option
@quiet
def train(
    dataset: str,
    out: Path,
    config_file: Path | None,
    processes: int,
    allow_differences: bool,
    licence: str | None,
    device: str | None,
    **options: object,
) -> None:
    """Fine-tune a Whisper on DATASET and write the model folder OUT.

    Options given here replace those of --config. The training.toml of a model names what it was
    trained with; a difference from that stops the training. Started again after an interruption
    with the same options, it goes on where it was.
    """
    given = {name: value for name, value in options.items() if value not in (None, ())}
    given["dataset"] = dataset
    config = Config.read(config_file, **given) if config_file else Config.of(given)
    if not several.is_started():
        start_on(device)
    if several.launch(processes):
        return

    from khmer_whisper import training
    from khmer_whisper.evaluation import format_comparison

    compared = config_file is not None and not allow_differences
    expected = Config.read_provenance(config_file) if config_file and compared else {}
    try:
        result = training.train(config, out, expected, licence)
    except KeyboardInterrupt:
        click.echo("stopped: the same command goes on from the last checkpoint", err=True)
        raise
    if several.is_first():
        scores = {"base": result.base, "extended": result.extended, "tuned": result.tuned}
        click.echo(format_comparison(result.split, scores, result.difference))
        click.echo(f"\nModel folder: {out}")
    several.leave()


@click.command("train-aligner", cls=ConsoleCommand)
@click.argument("dataset")
@click.argument("out", type=click.Path(path_type=Path, file_okay=False))
@_config_option("an aligner")
@options_of(CtcConfig)
@quiet
def train_aligner(dataset: str, out: Path, config_file: Path | None, **options: Any) -> None:
    """Train a CTC aligner over Khmer characters on DATASET and write the folder OUT.

    DATASET is one that khmer-aligned has built, whose word times are learned, too, or any of audio
    and text. OUT is what --aligner of khmer-aligned takes. Started again after an interruption
    with the same options, it goes on where it was.
    """
    from khmer_whisper.ctc.training import train_aligner as run

    given = {name: value for name, value in options.items() if value is not None}
    given["dataset"] = dataset
    config = CtcConfig.read(config_file, **given) if config_file else CtcConfig(**given)
    try:
        result = run(config, out)
    except KeyboardInterrupt:
        click.echo("stopped: the same command goes on from the last checkpoint", err=True)
        raise
    if result.word_times:
        click.echo(f"train split: {result.word_times}")
    if result.judgement:
        click.echo(f"{result.split} split: {result.judgement.summary()}")
    click.echo(f"\nAligner: {out}")


@click.command(cls=ConsoleCommand)
@click.argument("model")
@click.argument("out", type=click.Path(path_type=Path))
@click.option(
    "--text",
    "files",
    multiple=True,
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="Learn from the lines of this Khmer text; may be given several times.",
)
@click.option("--dataset", help="Learn from the transcripts of its train split.")
@click.option(
    "--tokens",
    type=click.IntRange(1),
    default=2_000,
    show_default=True,
    help="New entries of the vocabulary, of which 115 are the Khmer characters.",
)
@click.option(
    "--keep-languages",
    "keep",
    multiple=True,
    metavar="CODE",
    help="Overwrite no entry of this language's script, as for --mix; ru, ko, zh, ...",
)
@quiet
def extend(
    model: str,
    out: Path,
    files: tuple[Path, ...],
    dataset: str | None,
    tokens: int,
    keep: tuple[str, ...],
) -> None:
    """Write MODEL into the folder OUT with Khmer tokens in its vocabulary.

    OUT writes Khmer in a fifth of the tokens, once it is trained. The new tokens are learned from
    text and take the places of others, of Cyrillic first. The command proves that nothing else
    changes before it writes.
    """
    from khmer_whisper.vocabulary import extend as run

    if not files and not dataset:
        raise click.UsageError("nothing to learn from: give --text or --dataset")
    click.echo(str(run(model, out, files, dataset, tokens, keep)))
    click.echo(f"\nModel folder: {out}")
    click.echo(f"Next: khmer-whisper train DATASET OUT --model {out} --warm-rows 500")
