"""Remake the demo's assets: `cd training && uv run python -m demo_assets.make_assets`."""

from __future__ import annotations

import click

from khmer_whisper.demo.run import ALIGNER, RECORDINGS, WHISPER

from .make_aligner import make_aligner
from .make_recordings import make_recordings
from .make_whisper import make_whisper

MAKERS = {
    "recordings": (make_recordings, RECORDINGS),
    "aligner": (make_aligner, ALIGNER),
    "whisper": (make_whisper, WHISPER),
}


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(list(MAKERS)))
def main(names: tuple[str, ...]) -> None:
    """Remake the assets NAMES, or all of them: two hours on two cores."""
    for name in names or MAKERS:
        make, folder = MAKERS[name]
        make(folder)
        click.echo(f"made {folder}")


if __name__ == "__main__":
    main()
