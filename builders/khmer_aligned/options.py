"""Fields of a configuration that are options of a command, too: help, bounds and choices.

A frozen dataclass declares them with `option` and calls `check_options` in its `__post_init__`;
`console.options_of` makes click's options of them.
"""

from __future__ import annotations

import math
from dataclasses import field, fields
from typing import Any

from khmer_aligned.errors import UserError


def option(
    default: Any,
    text: str,
    *,
    choices: tuple[str, ...] = (),
    at_least: float | None = None,
    above: float | None = None,
    at_most: float | None = None,
    below: float | None = None,
    formerly: str = "",
) -> Any:
    """A dataclass field with its help text and what it may be.

    choices: the values that are allowed, for a string. The bounds are for numbers: `at_least` and
    `at_most` include their value, `above` and `below` do not. formerly: the option's name in the
    version before (`--offset`), which still works and is not shown.
    """
    return field(
        default=default,
        metadata={
            "help": text,
            "choices": choices,
            "bounds": {"at_least": at_least, "above": above, "at_most": at_most, "below": below},
            "formerly": formerly,
        },
    )


def check_options(config: Any) -> None:
    """Make whole numbers of `float` fields floats, and check every value against its bounds.

    None is within all bounds. Raises UserError, which names the field as the command line does.
    """
    for item in fields(config):
        if "bounds" not in item.metadata:
            continue
        value, name = getattr(config, item.name), "--" + item.name.replace("_", "-")
        choices = item.metadata["choices"]
        if choices and value not in choices:
            raise UserError(f"{name} is {value!r}: choose {' or '.join(choices)}")
        if value is None or isinstance(value, (bool, str, tuple)):
            continue
        if str(item.type).startswith("float"):
            value = float(value)  # 3 and 3.0 are one configuration
            object.__setattr__(config, item.name, value)  # the dataclass is frozen
            if not math.isfinite(value):
                raise UserError(f"{name} is {value}: give a number")
        if not _within(value, item.metadata["bounds"]):
            raise UserError(f"{name} is {value}: give {_words(item.metadata['bounds'])}")


def _within(value: float, bounds: dict[str, float | None]) -> bool:
    low, above, high, below = (bounds[k] for k in ("at_least", "above", "at_most", "below"))
    return (
        (low is None or value >= low)
        and (above is None or value > above)
        and (high is None or value <= high)
        and (below is None or value < below)
    )


def _words(bounds: dict[str, float | None]) -> str:
    names = {
        "at_least": "at least",
        "above": "more than",
        "at_most": "at most",
        "below": "less than",
    }
    return " and ".join(
        f"{names[kind]} {bound:.10g}" for kind, bound in bounds.items() if bound is not None
    )
