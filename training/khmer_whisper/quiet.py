"""Keep the libraries' own messages off the terminal."""

from __future__ import annotations

import logging
import warnings

from datasets.utils import logging as datasets_logging
from transformers.utils import logging as transformers_logging


def quiet_libraries() -> None:
    """Silence warnings that a user of the command line cannot act on."""
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    datasets_logging.set_verbosity_error()
    logging.getLogger("accelerate").setLevel(logging.ERROR)
    warnings.simplefilter("ignore")
