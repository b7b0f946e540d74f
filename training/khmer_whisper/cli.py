"""The command line: click, and nothing but click."""

from __future__ import annotations

import functools
import json
import logging
import os
import sys
import warnings
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import click

from khmer_aligned.console import Console
from khmer_aligned.errors import UserError
from khmer_whisper.config import Config, Mixed

QUANTIZATIONS = ("float32", "float16", "bfloat16", "int8")
FORMATS = ("txt", "json", "srt", "vtt")


def quietly(command: Callable) -> Callable:
    """Run `command` without the libraries' deprecations in their own calls."""

    @functools.wraps(command)
    def run(*args, **kwargs):
        from datasets.utils import logging as datasets_logging
        from transformers.utils import logging as transformers_logging

        transformers_logging.set_verbosity_error()
        transformers_logging.disable_progress_bar()
        datasets_logging.set_verbosity_error()
        logging.getLogger("accelerate").setLevel(logging.ERROR)
        warnings.simplefilter("ignore")
        return command(*args, **kwargs)

    return run


@click.group(cls=Console)
@click.version_option(package_name="khmer-aligned")
def main() -> None:
    """Fine-tune Whisper on an aligned Khmer dataset, score it, use it and publish it.

    DATASET and MODEL are Hub ids, with @REVISION if you like, or local folders.
    """


def config_options(command: Callable) -> Callable:
    """An option for each field of Config; only those given count."""
    for field in reversed(fields(Config)):
        if field.name == "dataset":
            continue
        name = "--" + field.name.replace("_", "-")
        settings: dict = {"default": None, "help": field.metadata["help"]}
        if field.default:  # click is not told it: only what is given counts
            settings["help"] += f"  [default: {field.default}]"
        if field.metadata["choices"]:
            settings["type"] = click.Choice(field.metadata["choices"])
        elif field.type == "bool":
            name = f"{name}/--no-{name[2:]}"
        elif field.name == "mix":
            settings |= {"multiple": True, "metavar": "NAME=WEIGHT[:LANGUAGE]"}
            settings["callback"] = lambda _, __, texts: tuple(map(Mixed.parse, texts))
        elif field.type == "tuple[str, ...]":
            name, settings["multiple"] = name.removesuffix("s"), True
        else:
            settings["type"] = {"int": int, "float": float, "str": str}[field.type]
        command = click.option(name, field.name, **settings)(command)
    return command


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
@config_options
@quietly
def train(dataset: str, out: Path, config_file: Path | None, processes: int, **options) -> None:
    """Fine-tune a Whisper on DATASET and write the model folder OUT.

    Options given here go before those of --config. Started again after an interruption with the
    same options, it goes on where it was.
    """
    given = {key: value for key, value in options.items() if value not in (None, ())}
    given["dataset"] = dataset
    config = Config.read(config_file, **given) if config_file else Config.of(given)
    if processes > 1 and "RANK" not in os.environ:
        from khmer_whisper.launch import launch

        return launch(sys.argv[1:], processes)

    from khmer_whisper.training import train as run

    try:
        result = run(config, out)
    except KeyboardInterrupt:
        click.echo("stopped: the same command goes on from the last checkpoint", err=True)
        raise
    if os.environ.get("RANK", "0") == "0":
        click.echo(_table(result.split, {"base": result.base, "tuned": result.tuned}))
        click.echo(f"\nModel folder: {out}")
    if "RANK" in os.environ:
        from accelerate import PartialState

        PartialState().destroy_process_group()  # a process that keeps it may hang at its exit


@main.command()
@click.argument("model")
@click.argument("dataset")
@click.option("--split", default="test", show_default=True)
@click.option("--batch-size", type=click.IntRange(1), default=16, show_default=True)
@click.option("--streaming", is_flag=True, help="Put nothing of DATASET on disk.")
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write predictions.jsonl and metrics.json into this folder.",
)
@quietly
def evaluate(
    model: str, dataset: str, split: str, batch_size: int, streaming: bool, out: Path | None
) -> None:
    """Score MODEL on a split of DATASET."""
    from khmer_aligned.files import write_whole
    from khmer_whisper import decode
    from khmer_whisper import evaluation as evaluation
    from khmer_whisper import model as models
    from khmer_whisper.examples import data

    if out:
        if (out / "config.json").exists():
            raise UserError(f"{out}: holds a model and its own scores; name another folder")
        out.mkdir(parents=True, exist_ok=True)
    whisper = models.place(models.load(model))
    splits = data.load(dataset, streaming=streaming)
    found = evaluation.evaluate(whisper, splits, split, batch_size)
    if out:
        decode.write(out / "predictions.jsonl", found.rows())
        report = evaluation.report(splits, {"model": found}, {"model": whisper.source})
        text = json.dumps(report, ensure_ascii=False, indent=2) + "\n"
        write_whole(out / "metrics.json", text)
    for clip in found.left_out:
        click.echo(f"not scored: {clip.id}: {clip.reason}", err=True)
    click.echo(_table(split, {model: found.scores}))


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
@click.option("--batch-size", type=click.IntRange(1), default=8, show_default=True)
@quietly
def export(model: str, out: Path, dataset: str | None, quantization: str, **options) -> None:
    """Write MODEL for CTranslate2 (faster-whisper) into the folder OUT.

    Both are decoded and compared; an export that hears something else is not written. Needs
    khmer-aligned[ctranslate2].
    """
    from khmer_whisper.export import export as run

    done = run(model, out, dataset, quantization, **options)
    click.echo(
        _table(done.split, {"original": done.original.scores, "export": done.exported.scores})
    )
    click.echo(f"{done.same} of {len(done.original.predictions)} clips are the same text")
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
@quietly
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
    done = run(model, out, files, dataset, tokens, keep)
    click.echo(
        f"{done.tokens} tokens of Khmer in place of {', '.join(map(str.title, done.scripts))}\n"
        f"{done.after:.2f} tokens a character of this text, {done.before:.2f} before\n"
        f"{done.proof.same_ids} tokens have their ids, all special ones among them\n"
        f"unchanged: {', '.join(map(str.title, done.proof.unchanged))}"
    )
    for script, (before, after) in done.proof.changed.items():
        click.echo(f"changed: {script.title()}, {before} tokens of a sample before, {after} after")
    click.echo(f"\nModel folder: {out}\nNext: khmer-whisper train DATASET OUT --model {out}")


@main.command()
@click.argument("model")
@click.argument(
    "files", nargs=-1, required=True, type=click.Path(path_type=Path, dir_okay=False, exists=True)
)
@click.option("--format", "form", type=click.Choice(FORMATS), default="txt", show_default=True)
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write one file for each audio file into this folder instead of standard output.",
)
@click.option("--batch-size", type=click.IntRange(1), default=8, show_default=True)
@quietly
def transcribe(model: str, files: tuple[Path, ...], form: str, out: Path | None, batch_size: int):
    """Transcribe audio FILES of any length with MODEL."""
    from khmer_whisper import model as models
    from khmer_whisper.transcription import transcribe as run

    names = [f"{file.stem}.{form}" for file in files]
    twice = {name for name in names if names.count(name) > 1}
    if out and twice:
        raise click.UsageError(f"two files would be written to {sorted(twice)[0]}")
    if not out and form != "txt" and len(files) > 1:
        raise click.UsageError(f"several files in one stream are no {form}: give --out")
    if out:
        out.mkdir(parents=True, exist_ok=True)
        for name in names:  # beside the audio it may well be the transcript of a human
            if (out / name).exists():
                raise UserError(f"{out / name}: exists already; name another folder")
    whisper = models.place(models.load(model))
    unread = 0
    for file, name in zip(files, names, strict=True):
        try:
            found = run(whisper, file, batch_size)
        except UserError as error:
            if len(files) == 1:
                raise
            unread += 1
            click.echo(f"Error: {error}", err=True)
            continue
        if not found.segments:
            click.echo(f"{file}: no speech was found", err=True)
        if out:
            (out / name).write_text(found.render(form), encoding="utf-8")
        else:
            click.echo(found.render(form), nl=False)
    if unread:
        raise UserError(f"{unread} of {len(files)} files could not be transcribed")


@main.command()
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default="khmer-demo",
    show_default=True,
    help="The folder for what it makes.",
)
@quietly
def demo(out: Path) -> None:
    """Run the whole main job on bundled recordings, offline, in a few minutes."""
    from khmer_whisper.demo.run import run

    run(out)


@main.command("push-model")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False, exists=True))
@click.argument("repo")
@click.option("--private", is_flag=True, help="If the repository has to be created, for you alone.")
@click.option("--tag", help="Name the published revision, such as v1.")
@quietly
def push_model(folder: Path, repo: str, private: bool, tag: str | None) -> None:
    """Publish the model in FOLDER as REPO (org/name) on the Hub, in one commit."""
    from khmer_aligned.hub.publish import publish
    from khmer_whisper.card import unpublished

    for name in unpublished(folder):
        click.echo(
            f"only this machine has {name}: nobody else can train this model again until that is "
            "on the Hub and trained from there",
            err=True,
        )
    published = publish(
        folder, repo, "model", private=private, tag=tag, message="Publish the model"
    )
    if published.uploaded:
        click.echo(f"{len(published.uploaded)} files uploaded to {published.url}")
    else:
        click.echo(f"{published.url} is up to date: nothing to upload")
    click.echo(f"revision {published.commit}")


def _table(split: str, scores: dict) -> str:
    some = next(iter(scores.values()))
    clips = "1 clip" if some.clips == 1 else f"{some.clips} clips"
    lines = [f"{clips} of the {split} split; 95 % intervals over {some.drawn}"]
    width = max(len(name) for name in scores)
    for name, found in scores.items():
        lines.append(
            f"{name:<{width}}  CER {found.cer}  WER {found.wer}  "
            f"WER by {found.segmenter} {found.wer_segmented}"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
