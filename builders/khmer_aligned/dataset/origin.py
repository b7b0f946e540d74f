"""What a folder was built from on this machine, as its state has it; it is never published."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from khmer_aligned.dataset.state import State


@dataclass(frozen=True, slots=True)
class Origin:
    """The source and the models of a build, by path or Hub id; None where they are not known.

    corrections: the file of corrections as the build had it
    """

    source: str | None = None
    aligner: str | None = None
    tokenizer: str | None = None
    corrections: Path | None = None


def read_origin(out: Path) -> Origin:
    """What `out` was built from, as far as it is known."""
    state = State(out)
    record = state.folder / "source.json"
    known = json.loads(record.read_text(encoding="utf-8")) if record.is_file() else {}
    return Origin(
        known.get("source"),
        known.get("aligner"),
        known.get("tokenizer"),
        state.corrections if state.corrections.is_file() else None,
    )
