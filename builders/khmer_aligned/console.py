"""Commands for both halves: options from a dataclass, and a user's mistake as one line."""

from __future__ import annotations

import errno
import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import Field, fields
from typing import Any, TypeVar

import click

from khmer_aligned.device import choose_device, describe_device
from khmer_aligned.errors import UserError

Command = TypeVar("Command", bound=Callable[..., Any])

_SETTINGS = {"help_option_names": ["-h", "--help"]}


class ConsoleCommand(click.Command):
    """A command that shows what the user can mend as one line, never as a traceback.

    It works as a program of its own and inside a `Console`, whose commands are of this class.
    """

    def __init__(
        self,
        name: str | None = None,
        context_settings: dict[str, Any] | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(name, context_settings=_SETTINGS | (context_settings or {}), **settings)

    def invoke(self, context: click.Context) -> Any:
        with _one_line_errors():
            return super().invoke(context)


class Console(click.Group):
    """A group of `ConsoleCommand`s."""

    command_class = ConsoleCommand

    def __init__(
        self,
        name: str | None = None,
        context_settings: dict[str, Any] | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(name, context_settings=_SETTINGS | (context_settings or {}), **settings)


@contextmanager
def _one_line_errors() -> Iterator[None]:
    try:
        yield
    except UserError as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:  # a full disk, a folder that may not be written
        if error.errno in (None, errno.EPIPE):
            raise
        parts = (error.filename, error.strerror)
        raise click.ClickException(": ".join(str(part) for part in parts if part)) from error


def options_of(
    config: type, *, only: Collection[str] | None = None, **types: click.ParamType
) -> Callable[[Command], Command]:
    """A decorator that gives a command an option for each field made by `options.option`.

    An option that was not given is None, and () where it can be given several times: so a value
    that was typed is distinguished from a default. The help shows the default.

    only: the names of the fields to take; by default all of them. types: click's type for fields
    of other types than bool, int, float, str and tuple[str, ...], by the field's name; their
    fields are tuples and may be given several times.
    """

    def decorate(command: Command) -> Command:
        for field in reversed(fields(config)):
            if "help" not in field.metadata or (only is not None and field.name not in only):
                continue
            if former := field.metadata["formerly"]:
                command = _former_option(field, former)(command)
            command = _option(field, types)(command)
        return command

    return decorate


def device_option(command: Command) -> Command:
    """A decorator that gives a command `--device`, the argument of `start_on`."""
    return click.option(
        "--device", help="cpu, cuda or cuda:N; by default the GPUs, if there are any."
    )(command)


def start_on(device: str | None) -> None:
    """Choose the device of this process and say which it is, in the first line of the work."""
    choose_device(device)
    click.echo(f"device: {describe_device(device)}", err=True)


def _option(field: Field[Any], types: dict[str, click.ParamType]) -> Callable[[Command], Command]:
    name = "--" + field.name.replace("_", "-")
    text = field.metadata["help"]
    if field.default is not False and field.default not in (None, "", ()):
        text += f"  [default: {field.default}]"
    settings: dict[str, Any] = {"default": None, "help": text}
    if field.metadata["choices"]:
        settings["type"] = click.Choice(field.metadata["choices"])
    elif field.name in types:
        settings |= {"type": types[field.name], "multiple": True}
    elif _type_name(field) == "tuple[str, ...]":
        name = name.removesuffix("s")
        settings["multiple"] = True
    elif _type_name(field) == "bool":
        name = f"{name}/--no-{name[2:]}"
    else:
        settings["type"] = _number_or_text(field)
    if former := field.metadata["formerly"]:
        settings["callback"] = lambda context, _, value: context.meta.get(former, value)
    return click.option(name, field.name, **settings)


def _former_option(field: Field[Any], former: str) -> Callable[[Command], Command]:
    """The option under the name that it had in the version before: it works, and says so."""
    name = "--" + field.name.replace("_", "-")

    def remember(context: click.Context, _: click.Parameter, value: Any) -> None:
        if value is not None:
            click.echo(f"{former} is now {name}; the old name goes with the next version", err=True)
            context.meta[former] = value

    # Click handles the options that were typed first, so the option itself finds the value.
    return click.option(
        former,
        type=_number_or_text(field),
        hidden=True,
        expose_value=False,
        callback=remember,
        help=f"The former name of {name}.",
    )


def _number_or_text(field: Field[Any]) -> type:
    return {"int": int, "float": float, "str": str}[_type_name(field)]


def _type_name(field: Field[Any]) -> str:
    """The annotation, which `from __future__ import annotations` leaves as text."""
    return str(field.type).removesuffix(" | None")


def note(text: str) -> None:
    """Show a line that is no result and no error: what was assumed, or left unused."""
    from tqdm import tqdm  # it writes above a progress bar

    tqdm.write(text, file=sys.stderr)
