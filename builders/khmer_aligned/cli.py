"""The command `khmer-aligned`: click, and nothing but click."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from khmer_aligned.alignment.thresholds import Thresholds
from khmer_aligned.console import Console, device_option, options_of, start_on
from khmer_aligned.dataset.config import BuildConfig
from khmer_aligned.stores import is_remote, require_folder

if TYPE_CHECKING:
    from khmer_aligned.alignment.exports import Form, Level
    from khmer_aligned.dataset.engines import Engine
    from khmer_aligned.dataset.join import BuildResult

LICENCE = "The dataset's licence as the Hub names it, say cc-by-4.0, or unknown; asked for once."

CORRECTIONS = "What people decided by ear.  [default: corrections.jsonl in the source's folder]"
SOURCE = "Where the recordings are, if they have moved since the build."


@click.group(cls=Console)
@click.version_option(package_name="khmer-aligned")
def main() -> None:
    """Recordings and rough Khmer transcripts in, an aligned dataset out."""


@main.command()
@click.argument("audio", type=click.Path(path_type=Path))
@click.argument("transcript", type=click.Path(path_type=Path))
@click.option(
    "--format",
    "form",
    type=click.Choice(["json", "textgrid", "srt", "vtt", "ctm"]),
    default="json",
    show_default=True,
    help="JSON, Praat's TextGrid, subtitles (SRT, VTT), or NIST's CTM.",
)
@click.option(
    "--level",
    type=click.Choice(["token", "word", "phrase"]),
    default="word",
    show_default=True,
    help="What an interval of TextGrid, SRT, VTT or CTM holds; JSON has words and tokens.",
)
@options_of(BuildConfig, only=("aligner", "lag"))
@device_option
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="A file instead of standard output."
)
def align(
    audio: Path,
    transcript: Path,
    form: Form,
    level: Level,
    output: Path | None,
    aligner: str | None,
    lag: float | None,
    device: str | None,
) -> None:
    """Print when each word of TRANSCRIPT is spoken in AUDIO."""
    from khmer_aligned.alignment import exports
    from khmer_aligned.alignment.align_file import align_file, describe_lag

    aligner = aligner or BuildConfig.aligner
    if output is not None:  # before the work, so that a name that cannot be made costs none
        output.parent.mkdir(parents=True, exist_ok=True)
    start_on(device)
    alignment = align_file(audio, transcript, aligner, lag=lag)
    for line in describe_lag(alignment, aligner):
        click.echo(line, err=True)
    text = exports.render(alignment, form, level, audio=str(audio))
    if output is None:
        click.echo(text, nl=False)
    else:
        output.write_text(text, encoding="utf-8")
        click.echo(f"wrote {output}", err=True)


@main.command()
@click.argument("source")
@click.argument("out")
@options_of(BuildConfig)
@options_of(Thresholds)
@click.option("--licence", help=LICENCE)
@click.option("--title", help="The title of the card.")
@click.option("--corrections", type=click.Path(path_type=Path), help=CORRECTIONS)
@click.option("--shard", metavar="I/N", help="Align the I-th of N parts only; then `join`.")
@click.option(
    "--engine",
    type=click.Choice(["local", "ray"]),
    default="local",
    show_default=True,
    help="Align on this machine's GPUs, or on those of the Ray cluster at RAY_ADDRESS.",
)
@device_option
def build(
    source: str,
    out: str,
    licence: str | None,
    title: str | None,
    corrections: Path | None,
    shard: str | None,
    engine: Engine,
    device: str | None,
    **options: Any,
) -> None:
    """Build the dataset folder OUT from SOURCE.

    SOURCE is a folder of recordings with their .txt, a folder with metadata.csv, .tsv or .jsonl,
    or a dataset with an audio and a text column, by folder or Hub id. Started again after it was
    stopped, it goes on where it was; after SOURCE grew or was corrected, it aligns what is new.
    SOURCE and OUT may be in an object store, as s3://bucket/folder.

    With --shard, N processes on any number of machines share the work and OUT: give 1/N to the
    first and N/N to the last, and run `join` when all have ended.
    """
    from khmer_aligned.dataset import build as building

    part = None if shard is None else _part(shard)
    if part is not None and (licence or title):
        raise click.UsageError("give --licence and --title to `join`, not with --shard")
    if engine == "ray" and (part is not None or device):
        raise click.UsageError("--engine ray shares out shards and GPUs: no --shard, no --device")
    start_on(device)
    typed = {name: value for name, value in options.items() if value is not None}
    if part is not None:
        plan = building.build_shards(source, out, part, corrections=corrections, **typed)
        missing = len(plan.missing)
        rest = f"{missing} are missing" if missing else f"all are there: khmer-aligned join {out}"
        click.echo(f"aligned part {shard} of {len(plan.shards)} shards; {rest}", err=True)
        return
    _show(
        building.build(
            source,
            out,
            licence=licence,
            title=title,
            corrections=corrections,
            engine=engine,
            **typed,
        )
    )


def _part(shard: str) -> tuple[int, int]:
    number, _, count = shard.partition("/")
    if not (number.isdecimal() and count.isdecimal() and 1 <= int(number) <= int(count)):
        raise click.UsageError(f"--shard is {shard}: give I/N with I from 1 to N")
    return int(number), int(count)


def _show(result: BuildResult) -> None:
    click.echo(result.summary(), err=True)
    out = result.folder
    folder = "FOLDER" if is_remote(out) else out
    fetch = f"copy it to a {folder}, and " if is_remote(out) else ""
    click.echo(
        f"wrote {out}; next: {fetch}khmer-aligned push-dataset {folder} org/khmer-aligned", err=True
    )


@main.command()
@click.argument("out")
@click.option("--licence", help=LICENCE)
@click.option("--title", help="The title of the card.")
def join(out: str, licence: str | None, title: str | None) -> None:
    """Write the dataset folder OUT from shards that `build --shard` aligned.

    It says which shards are missing, if any are. Nothing is aligned or decoded here: a machine
    without a GPU will do.
    """
    from khmer_aligned.dataset import join as joining

    _show(joining.join(out, licence=licence, title=title))


@main.command()
@click.argument("aligner")
@click.argument("source")
@device_option
def calibrate(aligner: str, source: str, device: str | None) -> None:
    """Measure how late ALIGNER's tokens come, over SOURCE, and keep the figure for `align`.

    ALIGNER is `mms`, or a CTC model of transformers by folder or Hub id; SOURCE is whatever `build`
    takes. A few minutes of speech with their transcripts are enough.
    """
    from khmer_aligned.dataset import calibrate as calibrating

    start_on(device)
    click.echo(calibrating.calibrate(aligner, source).summary())


@main.command("push-dataset")
@click.argument("folder")
@click.argument("repository")
@click.option("--licence", help=LICENCE)
@click.option("--title", help="The title of the card.")
@click.option("--private", is_flag=True, help="Create the repository as a private one.")
@click.option("--tag", help="Name the commit, say v1.0.")
@click.option(
    "--message",
    default="Publish the dataset",
    show_default=True,
    help="The title of the commit.",
)
@click.option("--create-pr", is_flag=True, help="Open a pull request instead of a commit on main.")
@click.option("--dry-run", is_flag=True, help="Say what would be uploaded, and change nothing.")
def push_dataset(folder: str, repository: str, **settings: Any) -> None:
    """Publish the built FOLDER as REPOSITORY on the Hub, in one commit."""
    from khmer_aligned.dataset.rights import read_rights
    from khmer_aligned.hub.publish import Settings, publish

    built = require_folder(folder)
    click.echo(
        publish(built, repository, "dataset", Settings(**settings), read_rights(built)),
        err=True,
    )


@main.command()
@click.argument("out")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="The file.  [default: OUT/report.html]"
)
@click.option("--source", help=SOURCE)
def report(out: str, output: Path | None, source: str | None) -> None:
    """Write one page on the build OUT: its numbers, and clips and rejections to listen to.

    The page holds all that it shows, so that it opens from a file, without a network. A publish
    leaves it at home.
    """
    from khmer_aligned.report.page import write_report

    page = write_report(require_folder(out), output, source=source)
    click.echo(f"wrote {page}", err=True)


@main.command("push-space")
@click.argument("out")
@click.argument("repository")
@click.option("--source", help=SOURCE)
@click.option("--licence", help="Of the audio in the page.  [default: that of the dataset's card]")
@click.option("--title", help="The title of the Space.  [default: that of the dataset's card]")
@click.option("--private", is_flag=True, help="Create the Space as a private one.")
@click.option(
    "--message", default="Publish the page", show_default=True, help="The title of the commit."
)
@click.option("--dry-run", is_flag=True, help="Say what would be uploaded, and change nothing.")
def push_space(out: str, repository: str, source: str | None, **settings: Any) -> None:
    """Publish the page of the build OUT as a static Space, REPOSITORY, in one commit.

    Visitors browse and listen there. The page holds audio of clips and of rejected stretches.
    """
    from khmer_aligned.hub.publish import Settings
    from khmer_aligned.report.space import push_space as push

    built = require_folder(out)
    click.echo(push(built, repository, Settings(**settings), source=source), err=True)


@main.command()
@click.argument("out")
@click.option("--clip", help="The clip or rejection to begin with, as `report` names it.")
@click.option("--sample", type=click.IntRange(min=1), help="Check so many clips, drawn at random.")
@click.option("--seed", default=1, show_default=True, help="Decides which clips are drawn.")
@click.option("--again", is_flag=True, help="Show what was decided before as undecided.")
@click.option("--who", help="Your name in the corrections.  [default: the user's]")
@click.option("--source", help=SOURCE)
@click.option("--corrections", type=click.Path(path_type=Path), help=CORRECTIONS)
@click.option("--aligner", help="Where the aligner lies, if it has moved since the build.")
@click.option("--tokenizer", help="Where the tokenizer lies, if it has moved since the build.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Another needs --token.")
@click.option("--port", default=8017, show_default=True, help="0 takes a free one.")
@click.option("--token", help="A secret that the address has to have.")
@device_option
def review(out: str, device: str | None, **settings: Any) -> None:
    """Listen to the build OUT in a browser, and correct it.

    Each decision is saved in corrections.jsonl beside the recordings, which stay as they are; the
    next build takes them. With --sample the share of right clips is measured, too.
    """
    from khmer_aligned.review.serve import ReviewSettings
    from khmer_aligned.review.serve import review as serve

    start_on(device)
    click.echo(serve(require_folder(out), ReviewSettings(**settings)), err=True)


@main.command()
@click.argument("dataset")
@click.option("--source", help="What it was built from: build it again, and compare the bytes.")
@click.option("--verify-only", is_flag=True, help="Check the files, without what they come from.")
@click.option("--aligner", help="Where the aligner lies, if it was a folder.")
@click.option("--tokenizer", help="Where the tokenizer lies, if it was a folder.")
def reproduce(
    dataset: str,
    source: str | None,
    verify_only: bool,
    aligner: str | None,
    tokenizer: str | None,
) -> None:
    """Check the published DATASET, a Hub id (with @revision) or a folder; exit status 1 if wrong.

    Sums of the files, the balance, each clip's audio, words and spans, that no recording is in two
    splits, and every number of the card. With --source it is also built again.
    """
    from khmer_aligned.dataset import reproduce as reproducing

    if (source is None) != verify_only:
        raise click.UsageError("give --source PATH, or --verify-only")
    models = {k: v for k, v in (("aligner", aligner), ("tokenizer", tokenizer)) if v is not None}
    findings = reproducing.reproduce(dataset, source, **models)
    click.echo("\n".join([*findings.lines, findings.conclusion()]))
    if findings.differences:
        raise click.exceptions.Exit(1)


if __name__ == "__main__":
    main()
