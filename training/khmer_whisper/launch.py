"""A command in several processes of this machine, one for each GPU, that speak with one voice."""

from __future__ import annotations

import logging
import os
import sys
from tempfile import TemporaryDirectory

import click
import torch
from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs, SignalException
from torch.distributed.elastic.multiprocessing.errors import (
    ChildFailedError,
    ProcessFailure,
    record,
)
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from khmer_aligned.errors import UserError


def launch(arguments: list[str], processes: int) -> None:
    """Run `khmer-whisper` with `arguments` in `processes` processes, which accelerate joins.

    Where one fails the others are ended. Raises UserError with what the user can mend, whichever
    process found it.
    """
    if 0 < torch.cuda.device_count() < processes:
        raise UserError(f"--processes {processes}: there are {torch.cuda.device_count()} GPUs")
    # Otherwise each would start a thread for every core.
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // processes)))
    logging.disable(logging.ERROR)  # of this process, which only waits
    with TemporaryDirectory() as folder:
        config = LaunchConfig(
            min_nodes=1,
            max_nodes=1,
            nproc_per_node=processes,
            run_id="khmer-whisper",
            rdzv_backend="c10d",
            rdzv_endpoint="localhost:0",
            max_restarts=0,
            logs_specs=DefaultLogsSpecs(log_dir=folder),
        )
        try:
            elastic_launch(config, sys.executable)("-m", __name__, *arguments)
        except SignalException as error:
            raise click.Abort from error
        except ChildFailedError as error:
            raise _told(error) from None


def _told(error: ChildFailedError) -> Exception:
    """What stopped the processes: a mistake if one found any; the others only lost touch."""
    for failure in error.failures.values():
        kind, _, mistake = _said(failure).partition(": ")
        if kind == click.ClickException.__name__:
            return UserError(mistake)
    rank, first = error.get_first_failure()
    if first.exitcode < 0:
        return UserError(
            f"process {rank} was ended from outside ({_said(first)}): the same command goes on "
            "where it was; if memory was short, give a smaller --batch-size"
        )
    return RuntimeError(f"process {rank} failed\n{_said(first, whole=True)}")


def _said(failure: ProcessFailure, whole: bool = False) -> str:
    """The last words of a process: its exception, with `whole` the traceback too, or a signal."""
    if isinstance(failure.message, str):
        return failure.message
    return failure.message["extraInfo"]["py_callstack"] if whole else failure.message["message"]


def _work() -> None:
    """One of the processes; what stops it is left to the launcher to say."""
    from khmer_whisper.cli import main

    try:
        record(main.main)(sys.argv[1:], prog_name="khmer-whisper", standalone_mode=False)
    except Exception:
        os._exit(1)  # the group of processes would be waited for


if __name__ == "__main__":
    _work()
