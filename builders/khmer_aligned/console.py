"""What both commands have in common: options from a dataclass, and a mistake is one line."""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import fields
from typing import Any

import click

from khmer_aligned.errors import UserError


class Console(click.Group):
    """Shows what the user can mend as one line, never as a traceback."""

    def invoke(self, context: click.Context) -> object:
        try:
            return super().invoke(context)
        except UserError as error:
            raise click.ClickException(str(error)) from error
        except OSError as error:  # a full disk, a folder that may not be written
            if error.errno in (None, errno.EPIPE):
                raise
            parts = (error.filename, error.strerror)
            raise click.ClickException(": ".join(str(part) for part in parts if part)) from error


def options_of(config: type, **types: click.ParamType) -> Callable[[Callable], Callable]:
    """A decorator that gives a command an option for each field made by `options.option`.

    An option that was not given is None, and () where it can be given several times: so a value
    that was typed can be told from a default. The help shows the default.

    types: click's type for fields of other types than bool, int, float, str and tuple[str, ...],
    by the field's name; their fields are tuples and may be given several times.
    """

    def decorate(command: Callable) -> Callable:
        for each in reversed(fields(config)):
            if "help" in each.metadata:
                command = _option(each, types)(command)
        return command

    return decorate


def _option(each: Any, types: dict[str, click.ParamType]) -> Callable[[Callable], Callable]:
    name = "--" + each.name.replace("_", "-")
    text = each.metadata["help"]
    if each.default not in (None, "", False, ()):
        text += f"  [default: {each.default}]"
    settings: dict[str, Any] = {"default": None, "help": text}
    kind = each.type.removesuffix(" | None")
    if each.metadata["choices"]:
        settings["type"] = click.Choice(each.metadata["choices"])
    elif each.name in types:
        settings |= {"type": types[each.name], "multiple": True}
    elif kind == "tuple[str, ...]":
        name = name.removesuffix("s")
        settings["multiple"] = True
    elif kind == "bool":
        name = f"{name}/--no-{name[2:]}"
    else:
        settings["type"] = {"int": int, "float": float, "str": str}[kind]
    return click.option(name, each.name, **settings)
