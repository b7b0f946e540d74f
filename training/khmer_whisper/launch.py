"""Run a module in several processes of this machine, one for each GPU, joined by accelerate."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence
from tempfile import TemporaryDirectory

import click
import torch
from accelerate import PartialState
from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs, SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError, ProcessFailure
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from khmer_aligned.errors import UserError


def launch(module: str, arguments: Sequence[str], processes: int) -> None:
    """Run `python -m module` with `arguments` in `processes` processes.

    When one fails, the others are ended. Raises UserError with the mistake that the user can mend,
    whichever process met it; RuntimeError with the traceback of any other failure.
    """
    if 0 < torch.cuda.device_count() < processes:
        raise UserError(f"--processes {processes}: there are {torch.cuda.device_count()} GPUs")
    # By default each process would start a thread for every core.
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // processes)))
    logging.disable(logging.ERROR)  # in this process, which only waits
    with TemporaryDirectory() as folder:
        config = LaunchConfig(
            min_nodes=1,
            max_nodes=1,
            nproc_per_node=processes,
            run_id=module,
            rdzv_backend="c10d",
            rdzv_endpoint="localhost:0",
            max_restarts=0,
            logs_specs=DefaultLogsSpecs(log_dir=folder),
        )
        try:
            elastic_launch(config, sys.executable)("-m", module, *arguments)
        except SignalException as error:
            raise click.Abort from error
        except ChildFailedError as error:
            raise root_cause(error) from None


def root_cause(error: ChildFailedError) -> Exception:
    """The error to show when processes failed: a user's mistake, if any process met one.

    The processes beside it fail too, since their connection is closed.
    """
    for failure in error.failures.values():
        kind, _, mistake = _message(failure).partition(": ")
        if kind == click.ClickException.__name__:
            return UserError(mistake)
    rank, first = error.get_first_failure()
    if first.exitcode < 0:
        return UserError(
            f"process {rank} was ended from outside ({_message(first)}): the same command goes on "
            "where it was; if memory was short, give a smaller --batch-size"
        )
    return RuntimeError(f"process {rank} failed\n{_traceback(first)}")


def _message(failure: ProcessFailure) -> str:
    """The exception that ended a process, in one line, or the signal that did."""
    return failure.message if isinstance(failure.message, str) else failure.message["message"]


def _traceback(failure: ProcessFailure) -> str:
    if isinstance(failure.message, str):
        return failure.message
    return failure.message["extraInfo"]["py_callstack"]


def join_group() -> None:
    """Join the group of processes, each with a GPU of its own where there are GPUs."""
    # Without a GPU accelerate joins processes only when it is told to use the CPU.
    PartialState(cpu=not torch.cuda.is_available())


def leave_group() -> None:
    """Leave the group of processes; one that keeps it may hang when it exits."""
    PartialState().destroy_process_group()
