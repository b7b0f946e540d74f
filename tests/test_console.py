"""Options from a dataclass, and a mistake of the user as one line."""

from __future__ import annotations

import errno
from dataclasses import dataclass

import click
import pytest
from click.testing import CliRunner

from khmer_aligned.console import Console, ConsoleCommand, options_of
from khmer_aligned.errors import UserError
from khmer_aligned.options import check_options, option


@dataclass(frozen=True)
class Oven:
    """An oven, to have a field of every kind."""

    heat: float = option(180.0, "Degrees.", above=0, at_most=300, formerly="--degrees")
    trays: int = option(0, "How many.", at_least=0, below=4)
    mode: str = option("fan", "How it heats.", choices=("fan", "grill"))
    light: bool = option(False, "Whether it is lit.")
    pies: tuple[str, ...] = option((), "What is in it.")
    timer: float | None = option(None, "Minutes.", at_least=0)

    def __post_init__(self) -> None:
        check_options(self)


@click.command(cls=ConsoleCommand)
@options_of(Oven)
def bake(**options: object) -> None:
    """Print what was typed."""
    typed = {name: value for name, value in options.items() if value not in (None, ())}
    click.echo(Oven(**typed))


def run(command: click.Command, *arguments: str):
    return CliRunner().invoke(command, arguments)


def test_every_kind_of_field_is_an_option():
    arguments = "--heat 200 --trays 2 --mode grill --light --pie apple --pie plum --timer 5"
    done = run(bake, *arguments.split())
    assert done.exit_code == 0
    pies = ("apple", "plum")
    expected = Oven(200.0, 2, "grill", True, pies, 5.0)
    assert done.output == f"{expected}\n"
    assert run(bake).output == f"{Oven()}\n"


def test_the_help_shows_defaults_zero_among_them():
    text = " ".join(run(bake, "-h").output.split())
    assert "--heat FLOAT Degrees. [default: 180.0]" in text
    assert "--trays INTEGER How many. [default: 0]" in text
    assert "--light / --no-light Whether it is lit. --pie" in text
    assert "--degrees" not in text


def test_some_fields_only():
    @click.command(cls=ConsoleCommand)
    @options_of(Oven, only=("mode",))
    def toast(mode: str | None) -> None:
        click.echo(mode)

    assert run(toast, "--mode", "fan").output == "fan\n"
    assert run(toast, "--heat", "3").exit_code == 2


def test_a_former_name_fills_the_option():
    done = run(bake, "--degrees", "90")
    assert done.stdout == f"{Oven(heat=90)}\n"
    assert done.stderr.startswith("--degrees is now --heat;")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ("--heat 0", "--heat is 0.0: give more than 0 and at most 300"),
        ("--heat nan", "--heat is nan: give a number"),
        ("--trays 4", "--trays is 4: give at least 0 and less than 4"),
        ("--timer -1", "--timer is -1.0: give at least 0"),
    ],
)
def test_a_value_out_of_bounds_is_one_line(arguments, complaint):
    done = run(bake, *arguments.split())
    assert (done.exit_code, done.stdout, done.stderr) == (1, "", f"Error: {complaint}\n")


def test_a_choice_is_checked_in_python_too():
    with pytest.raises(UserError, match="--mode is 'steam': choose fan or grill"):
        Oven(mode="steam")


def failing(error: Exception) -> Console:
    @click.group(cls=Console)
    def kitchen() -> None:
        """Holds an oven."""

    @kitchen.command()
    def burn() -> None:
        """Fail."""
        raise error

    return kitchen


@pytest.mark.parametrize("standalone", [True, False])
@pytest.mark.parametrize(
    ("error", "line"),
    [
        (UserError("a.wav: broken; mend it"), "Error: a.wav: broken; mend it\n"),
        (OSError(errno.ENOSPC, "No space left", "out/x"), "Error: out/x: No space left\n"),
    ],
)
def test_what_the_user_can_mend_is_one_line(error, line, standalone):
    kitchen = failing(error)
    command, arguments = (kitchen.commands["burn"], ()) if standalone else (kitchen, ("burn",))
    done = run(command, *arguments)
    assert (done.exit_code, done.stderr) == (1, line)


@pytest.mark.parametrize("error", [ValueError("a fault"), OSError("no number")])
def test_a_fault_of_the_program_keeps_its_traceback(error):
    done = run(failing(error), "burn")
    assert done.exception is error


def test_minus_h_is_help_everywhere():
    kitchen = failing(UserError("x"))
    for arguments in (["-h"], ["burn", "-h"]):
        assert run(kitchen, *arguments).output.startswith("Usage: ")
    assert run(kitchen.commands["burn"], "-h").output.startswith("Usage: burn")
