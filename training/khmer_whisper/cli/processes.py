"""A command in several processes of this machine, one for each GPU."""

from __future__ import annotations

import os
import sys

import click

option = click.option(
    "--processes",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="One for each GPU. For several machines: accelerate launch -m khmer_whisper.cli ...",
)


def is_started() -> bool:
    """Whether this process is one of several that were started together."""
    return "RANK" in os.environ


def is_first() -> bool:
    """Whether this process prints: the first of several, or the only one."""
    return os.environ.get("RANK", "0") == "0"


def launch(processes: int) -> bool:
    """Run this command in `processes` processes; False where it is to run in this one."""
    if processes == 1 or is_started():
        return False
    from khmer_whisper.launch import launch

    launch("khmer_whisper.worker", sys.argv[1:], processes)
    return True


def join() -> None:
    """Join the other processes, if there are any, before models and data are loaded."""
    if is_started():
        from khmer_whisper.launch import join_group

        join_group()


def leave() -> None:
    """Leave the other processes, if there are any, at the end of the command."""
    if is_started():
        from khmer_whisper.launch import leave_group

        leave_group()
