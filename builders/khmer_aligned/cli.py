"""The command `khmer-aligned`: click, and nothing but click."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from khmer_aligned.alignment.thresholds import Thresholds
from khmer_aligned.console import Console, device_option, options_of, start_on
from khmer_aligned.dataset.config import BuildConfig

if TYPE_CHECKING:
    from khmer_aligned.alignment.exports import Form, Level


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
@click.argument("out", type=click.Path(path_type=Path))
@options_of(BuildConfig)
@options_of(Thresholds)
@device_option
def build(source: str, out: Path, device: str | None, **options: Any) -> None:
    """Build the dataset folder OUT from SOURCE.

    SOURCE is a folder of recordings with their .txt, a folder with metadata.csv, .tsv or .jsonl,
    or a dataset with an audio and a text column, by folder or Hub id. Started again after it was
    stopped, it goes on where it was.
    """
    from khmer_aligned.dataset import build as building

    start_on(device)
    typed = {name: value for name, value in options.items() if value is not None}
    result = building.build(source, out, **typed)
    click.echo(result.summary(), err=True)
    click.echo(f"wrote {out}; next: khmer-aligned push-dataset {out} org/khmer-aligned", err=True)


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
@click.argument("folder", type=click.Path(path_type=Path))
@click.argument("repository")
@click.option("--private", is_flag=True, help="Create the repository as a private one.")
@click.option("--tag", help="Name the commit, say v1.0.")
@click.option(
    "--message",
    default="Publish the dataset",
    show_default=True,
    help="The title of the commit.",
)
def push_dataset(
    folder: Path, repository: str, private: bool, tag: str | None, message: str
) -> None:
    """Publish the built FOLDER as REPOSITORY on the Hub, in one commit."""
    from khmer_aligned.hub.publish import publish

    published = publish(folder, repository, "dataset", message=message, private=private, tag=tag)
    click.echo(
        f"{published.url} at {published.commit[:12]}: {len(published.uploaded)} files uploaded, "
        f"{len(published.skipped)} there already, {len(published.deleted)} old ones deleted",
        err=True,
    )


if __name__ == "__main__":
    main()
