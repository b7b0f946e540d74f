"""The command `khmer-whisper`: click, and nothing but click."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec

import click

from khmer_aligned.console import Console, device_option, options_of, start_on
from khmer_aligned.errors import Failed, UserError
from khmer_whisper.config import Config, Mixed
from khmer_whisper.ctc.config import CtcConfig

if TYPE_CHECKING:
    from khmer_whisper.transcription import Form

QUANTIZATIONS = ("float32", "float16", "bfloat16", "int8")
FORMATS = ("txt", "json", "srt", "vtt")

P = ParamSpec("P")


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


def quiet(command: Callable[P, None]) -> Callable[P, None]:
    """Run `command` without the messages of the libraries."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        from khmer_whisper.quiet import quiet_libraries

        quiet_libraries()
        command(*args, **kwargs)

    return run


@click.group(cls=Console)
@click.version_option(package_name="khmer-aligned")
def main() -> None:
    """Fine-tune Whisper on an aligned Khmer dataset, score it, use it and publish it.

    DATASET and MODEL are Hub ids, with @REVISION if you like, or local folders.
    """


@main.command()
@click.argument("dataset")
@click.argument("out", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--config",
    "config_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A TOML file with these options as keys, such as the training.toml of a model.",
)
@click.option(
    "--processes",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="One for each GPU. For several machines: accelerate launch -m khmer_whisper.cli train ...",
)
@click.option(
    "--allow-differences",
    is_flag=True,
    help="Train also where dataset, base or libraries are not those that --config was made with.",
)
@options_of(Config, mix=MixedType())
@device_option
@quiet
def train(
    dataset: str,
    out: Path,
    config_file: Path | None,
    processes: int,
    allow_differences: bool,
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
    rank = os.environ.get("RANK")  # set in each of several processes
    if rank is None:
        start_on(device)
    if processes > 1 and rank is None:
        from khmer_whisper.launch import launch

        return launch("khmer_whisper.worker", sys.argv[1:], processes)

    from khmer_whisper import training
    from khmer_whisper.evaluation import format_comparison

    compared = config_file is not None and not allow_differences
    expected = Config.read_provenance(config_file) if config_file and compared else {}
    try:
        result = training.train(config, out, expected)
    except KeyboardInterrupt:
        click.echo("stopped: the same command goes on from the last checkpoint", err=True)
        raise
    if rank in (None, "0"):
        scores = {"base": result.base, "extended": result.extended, "tuned": result.tuned}
        click.echo(format_comparison(result.split, scores, result.difference))
        click.echo(f"\nModel folder: {out}")
    if rank is not None:
        from khmer_whisper.launch import leave_group

        leave_group()


@main.command("train-aligner")
@click.argument("dataset")
@click.argument("out", type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--config",
    "config_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A TOML file with these options as keys, such as the training.toml of an aligner.",
)
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
    if result.judgement:
        click.echo(f"{result.split} split: {result.judgement.summary()}")
    click.echo(f"\nAligner: {out}")


@main.command()
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
@quiet
def evaluate(
    model: str, dataset: str, split: str, batch_size: int, streaming: bool, out: Path | None
) -> None:
    """Score MODEL on a split of DATASET."""
    from khmer_whisper import evaluation
    from khmer_whisper import model as models
    from khmer_whisper.examples import data

    if out:
        if (out / "config.json").exists():
            raise UserError(f"{out}: holds a model and its own scores; name another folder")
        out.mkdir(parents=True, exist_ok=True)
    whisper = models.place(models.load(model))
    splits = data.load(dataset, streaming=streaming)
    result = evaluation.evaluate(whisper, splits, split, batch_size)
    if out:
        evaluation.write_evaluation(out, result, splits, whisper.source)
    for clip in result.left_out:
        click.echo(f"not scored: {clip.id}: {clip.reason}", err=True)
    click.echo(evaluation.format_scores(split, {model: result.scores}))


@main.command()
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


@main.command()
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


@main.command()
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


@main.command()
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default="khmer-demo",
    show_default=True,
    help="The folder that everything is written to.",
)
@quiet
def demo(out: Path) -> None:
    """Run the whole main job on bundled recordings, offline, in a few minutes."""
    from khmer_whisper.demo.run import run

    run(out)


@main.command()
@click.argument("model")
@click.option("--dataset", help="Where its dataset lies, if that was a folder.")
@click.option("--base", help="Where the model it was tuned from lies, if that was a folder.")
@click.option(
    "--scores-only",
    is_flag=True,
    help="Recompute every number from predictions and references: no weights, no GPU.",
)
@click.option(
    "--verify-only", is_flag=True, help="Decode the scored split again, and train nothing."
)
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Keep the model that is trained again in this folder.",
)
@quiet
def reproduce(model: str, scores_only: bool, verify_only: bool, **places: Any) -> None:
    """Check the published MODEL: its numbers, its predictions, its weights.

    By default it is trained again from what its training.toml names, with the same seed. What is
    not as published is named line by line, and the exit status is 1.
    """
    from khmer_whisper.reproduce import Depth, reproduce

    if scores_only and verify_only:
        raise click.UsageError("give --scores-only or --verify-only, not both")
    depth: Depth = "scores" if scores_only else "predictions" if verify_only else "weights"
    findings = reproduce(model, depth, **places)
    click.echo("\n".join([*findings.lines, findings.conclusion()]))
    if findings.differences:
        raise click.exceptions.Exit(1)


@main.command("push-model")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False, exists=True))
@click.argument("repo")
@click.option(
    "--licence", help="As the Hub names it, say mit; by default that of the dataset's card."
)
@click.option("--title", help="The title of the card.")
@click.option("--private", is_flag=True, help="If the repository has to be created, for you alone.")
@click.option("--tag", help="Name the published revision, such as v1.")
@click.option("--create-pr", is_flag=True, help="Open a pull request instead of a commit on main.")
@click.option("--dry-run", is_flag=True, help="Say what would be uploaded, and change nothing.")
@quiet
def push_model(folder: Path, repo: str, **settings: Any) -> None:
    """Publish the model in FOLDER as REPO (org/name) on the Hub, in one commit."""
    from khmer_aligned.hub.publish import Settings, publish
    from khmer_whisper.card import read_rights, unpublished

    for name in unpublished(folder):
        click.echo(
            f"only this machine has {name}: nobody else can train this model again until that is "
            "on the Hub and trained from there",
            err=True,
        )
    asked = Settings(message="Publish the model", **settings)
    published = publish(folder, repo, "model", asked, read_rights(folder))
    if not published.uploaded:
        click.echo(f"{published.url} is up to date: nothing to upload")
    click.echo(published)


if __name__ == "__main__":
    main()
