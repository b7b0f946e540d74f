"""Commands around a publication: push-model, reproduce; and the demo."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from khmer_aligned.console import ConsoleCommand
from khmer_whisper.cli.quiet import quiet


@click.command(cls=ConsoleCommand)
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


@click.command("push-model", cls=ConsoleCommand)
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False, exists=True))
@click.argument("repository")
@click.option(
    "--licence", help="As the Hub names it, say mit; by default that of the dataset's card."
)
@click.option("--title", help="The title of the card.")
@click.option("--private", is_flag=True, help="If the repository has to be created, for you alone.")
@click.option("--tag", help="Name the published revision, such as v1.")
@click.option("--create-pr", is_flag=True, help="Open a pull request instead of a commit on main.")
@click.option("--dry-run", is_flag=True, help="Say what would be uploaded, and change nothing.")
@quiet
def push_model(folder: Path, repository: str, **settings: Any) -> None:
    """Publish the model in FOLDER as REPOSITORY (org/name) on the Hub, in one commit."""
    from khmer_aligned.hub.publish import Settings, publish
    from khmer_whisper.card import read_rights, unpublished

    for name in unpublished(folder):
        click.echo(
            f"only this machine has {name}: nobody else can train this model again until that is "
            "on the Hub and trained from there",
            err=True,
        )
    asked = Settings(message="Publish the model", **settings)
    published = publish(folder, repository, "model", asked, read_rights(folder))
    if not published.uploaded:
        click.echo(f"{published.url} is up to date: nothing to upload")
    click.echo(published)


@click.command(cls=ConsoleCommand)
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
