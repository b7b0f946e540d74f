"""The command `khmer-aligned`: click, and nothing but click."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from khmer_aligned.console import Console

if TYPE_CHECKING:
    from khmer_aligned.alignment.exports import Form, Level

_ALIGNER_HELP = "`mms`, or a CTC model of transformers by folder or Hub id."
_OFFSET_HELP = (
    "Seconds that the aligner's tokens come late, for recordings with too few pauses to tell."
)


@click.group(cls=Console, context_settings={"help_option_names": ["-h", "--help"]})
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
)
@click.option(
    "--level",
    type=click.Choice(["token", "word", "phrase"]),
    default="word",
    show_default=True,
    help="What an interval of TextGrid, SRT, VTT or CTM holds; JSON has words and tokens.",
)
@click.option("--aligner", default="mms", show_default=True, help=_ALIGNER_HELP)
@click.option("--offset", type=float, help=_OFFSET_HELP)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="A file instead of standard output."
)
def align(
    audio: Path,
    transcript: Path,
    form: Form,
    level: Level,
    aligner: str,
    offset: float | None,
    output: Path | None,
) -> None:
    """Print when each word of TRANSCRIPT is spoken in AUDIO."""
    from khmer_aligned.alignment import exports
    from khmer_aligned.alignment.align_file import align_file

    alignment = align_file(audio, transcript, aligner, lag=offset)
    text = exports.render(alignment, form, level, audio=str(audio))
    if output is None:
        click.echo(text, nl=False)
    else:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(text, encoding="utf-8")
        click.echo(f"wrote {output}", err=True)


@main.command()
@click.argument("source")
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--aligner", default="mms", show_default=True, help=_ALIGNER_HELP)
@click.option(
    "--tokenizer",
    default="openai/whisper-small",
    show_default=True,
    help="The Whisper tokenizer that clips are measured with, by folder or Hub id.",
)
@click.option(
    "--max-tokens",
    type=int,
    default=220,
    show_default=True,
    help="Most tokens in a clip; 440 at most.",
)
@click.option("--offset", type=float, help=_OFFSET_HELP)
@click.option(
    "--min-score",
    type=click.FloatRange(0, 1),
    default=0.45,
    show_default=True,
    help="Reject clips whose tokens' mean probability is lower.",
)
@click.option(
    "--max-distance",
    type=click.FloatRange(0),
    default=0.55,
    show_default=True,
    help="Reject clips where the aligner hears more other letters than this share of the text's.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of the split.")
def build(
    source: str,
    out: Path,
    aligner: str,
    tokenizer: str,
    max_tokens: int,
    offset: float | None,
    min_score: float,
    max_distance: float,
    seed: int,
) -> None:
    """Build the dataset folder OUT from SOURCE.

    SOURCE is a folder of recordings with their .txt, a folder with metadata.csv, .tsv or .jsonl,
    or a dataset with an audio and a text column, by folder or Hub id. Started again after it was
    stopped, it goes on where it was.
    """
    from khmer_aligned.alignment.thresholds import Thresholds
    from khmer_aligned.dataset import build as building
    from khmer_aligned.dataset import report

    limits = Thresholds(min_score=min_score, max_distance=max_distance)
    config = building.Config(aligner, tokenizer, max_tokens, offset, seed, limits)
    click.echo(report.summary(building.build(source, out, config)), err=True)
    click.echo(f"wrote {out}; next: khmer-aligned push-dataset {out} org/khmer-aligned", err=True)


@main.command("push-dataset")
@click.argument("folder", type=click.Path(path_type=Path))
@click.argument("repository")
@click.option("--private", is_flag=True, help="Create the repository as a private one.")
@click.option("--tag", help="Name the commit, say v1.0.")
@click.option("--message", default="Publish the dataset", show_default=True)
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
