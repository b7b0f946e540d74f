"""Keep the libraries' own messages off the terminal."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from datasets.utils import logging as datasets_logging
from transformers.utils import logging as transformers_logging

from khmer_aligned.errors import UserError


def quiet_libraries() -> None:
    """Silence warnings that a user of the command line cannot act on."""
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    datasets_logging.set_verbosity_error()
    logging.getLogger("accelerate").setLevel(logging.ERROR)
    warnings.simplefilter("ignore")


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Take the traceback off a UserError that a worker of a data loader raises.

    torch puts the worker's whole traceback into the message.
    """
    try:
        yield
    except UserError as error:
        raise UserError(str(error).strip().splitlines()[-1].split("UserError: ")[-1]) from error
