"""What can go wrong in a way that the user can mend."""

from __future__ import annotations

from dataclasses import dataclass


class UserError(Exception):
    """Something the user can mend: one line that names the file, the span and the way out."""


@dataclass(frozen=True, slots=True)
class Failed:
    """Stands in a batch where a result would be, so that one failure costs none of the others."""

    reason: str  # one line, as a UserError has
