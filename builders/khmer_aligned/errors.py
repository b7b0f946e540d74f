"""What can go wrong in a way that the user can mend."""

from __future__ import annotations

from dataclasses import dataclass


class UserError(Exception):
    """Something the user can mend: one line that names the file, the span and the way out.

    category: the same without names and figures, so that errors of one kind can be counted.
    """

    def __init__(self, message: str, *, category: str | None = None) -> None:
        super().__init__(message)
        self.category = category or message


@dataclass(frozen=True, slots=True)
class Failed:
    """Stands in a batch where a result would be, so that one failure costs none of the others."""

    reason: str  # one line, as a UserError has
    category: str = ""  # the error's; the reason where it has none

    @classmethod
    def of(cls, error: UserError) -> Failed:
        """What `error` says, kept instead of raised."""
        return cls(str(error), error.category)
