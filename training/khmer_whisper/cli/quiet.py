"""Commands without the messages of the libraries."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import ParamSpec

P = ParamSpec("P")


def quiet(command: Callable[P, None]) -> Callable[P, None]:
    """Run `command` without the messages of the libraries."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        from khmer_whisper.quiet import quiet_libraries

        quiet_libraries()
        command(*args, **kwargs)

    return run
