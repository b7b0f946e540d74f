"""Khmer recordings and rough transcripts to an aligned dataset.

    from khmer_aligned import Transcript, align_file, build

`align_file` finds when each word is spoken, `build` makes a dataset folder, and `Transcript` is a
text at every level from its characters to the letters that are aligned. Whatever the caller can
mend is raised as `UserError`. The names are loaded when they are first used: importing this
package imports nothing else.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from khmer_aligned.alignment.align_file import align_file
    from khmer_aligned.dataset.build import build
    from khmer_aligned.errors import UserError
    from khmer_aligned.text import Transcript

__all__ = ["Transcript", "UserError", "align_file", "build"]

_MODULES = {
    "Transcript": "khmer_aligned.text",
    "UserError": "khmer_aligned.errors",
    "align_file": "khmer_aligned.alignment.align_file",
    "build": "khmer_aligned.dataset.build",
}


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_MODULES[name]), name)
    globals()[name] = value  # the next use does not come here
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
