"""One of the processes of `khmer-whisper ... --processes N`; `launch` starts it."""

from __future__ import annotations

import os
import sys

from torch.distributed.elastic.multiprocessing.errors import record

from khmer_whisper.cli import main


@record  # writes an exception where the launcher finds it
def run() -> None:
    """Run the command in sys.argv; exceptions are left to the launcher to show."""
    main.main(sys.argv[1:], prog_name="khmer-whisper", standalone_mode=False)


if __name__ == "__main__":
    try:
        run()
    except Exception:
        os._exit(1)  # a plain exit would wait for the group of processes
