"""What both commands have in common: a mistake of the user's is one line."""

from __future__ import annotations

import errno

import click


class Console(click.Group):
    """Shows what the user can mend as one line, never as a traceback."""

    def invoke(self, context: click.Context) -> object:
        from khmer_aligned.schema import UserError

        try:
            return super().invoke(context)
        except UserError as error:
            raise click.ClickException(str(error)) from error
        except OSError as error:  # a full disk, a folder that may not be written
            if error.errno in (None, errno.EPIPE):
                raise
            told = (error.filename, error.strerror)
            raise click.ClickException(": ".join(str(part) for part in told if part)) from error
