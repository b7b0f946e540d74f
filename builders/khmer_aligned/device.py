"""The device that models run on: chosen once, before torch looks for GPUs, and said.

A choice narrows CUDA_VISIBLE_DEVICES, so it holds for whatever uses torch in this process and in
those that it starts.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from multiprocessing import get_all_start_methods, get_context
from typing import TYPE_CHECKING, TypeVar

from khmer_aligned.errors import UserError

if TYPE_CHECKING:
    import torch

_VISIBLE = "CUDA_VISIBLE_DEVICES"

Result = TypeVar("Result")


def choose_device(name: str | None) -> None:
    """Let torch see only this device: `cpu`, `cuda` (all GPUs) or `cuda:1`; None changes nothing.

    Has to be called before torch is used. Raises UserError for a device that is not there.
    """
    if name is None:
        return
    match = re.fullmatch(r"cpu|cuda(?::(\d+))?", name)
    if match is None:
        raise UserError(f"--device is {name!r}: give cpu, cuda or cuda:N, N from 0 on")
    if name == "cpu":
        os.environ[_VISIBLE] = ""
        return
    if match[1] is not None:
        visible = os.environ.get(_VISIBLE)
        gpus = visible.split(",") if visible is not None else None
        index = int(match[1])
        if gpus is not None and index >= len(gpus):
            raise UserError(f"--device {name}: {_VISIBLE} is {visible}")
        os.environ[_VISIBLE] = str(index) if gpus is None else gpus[index]
    if count_gpus() == 0:
        raise UserError(f"--device {name}: {why_no_gpu()}; leave it out for the CPU")


def pick_device(rank: int | None = None) -> torch.device:
    """The GPU of this worker process of `Dataset.map`, by its rank, or the CPU."""
    import torch

    if torch.cuda.is_available():
        return torch.device("cuda", (rank or 0) % torch.cuda.device_count())
    # Fewer where several processes share the cores, as Ray's actors do.
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS") or os.cpu_count() or 1))
    return torch.device("cpu")


def count_gpus() -> int:
    """The GPUs that torch can use; where there are several, this process can be forked after it."""
    return _count_gpus(os.environ.get(_VISIBLE))


@cache
def _count_gpus(visible: str | None) -> int:
    import torch

    # From the driver, which may be too old for torch, without initializing CUDA.
    gpus = torch.cuda.device_count()
    if gpus < 2:
        return gpus if torch.cuda.is_available() else 0
    return gpus if _run_apart(_is_available) else 0


def describe_device(chosen: str | None = None) -> str:
    """The GPUs by name, or the CPU and why; chosen: what `choose_device` was given."""
    gpus = count_gpus()
    if gpus == 0:
        return f"CPU ({'chosen' if chosen == 'cpu' else why_no_gpu()})"
    names = run_forkable(_gpu_names)
    return f"GPU: {names[0]}" if gpus == 1 else f"{gpus} GPUs: {', '.join(sorted(set(names)))}"


def why_no_gpu() -> str:
    """Torch's own reason for using no GPU: there is none, or its driver is too old, say."""
    import torch

    try:
        torch.cuda.init()
    except (AssertionError, RuntimeError) as error:
        return " ".join(str(error).split()).split(". ")[0].rstrip(".")
    return "torch finds no GPU"


def run_forkable(function: Callable[..., Result], *arguments: object) -> Result:
    """`function(*arguments)`, which may use the GPU, so that this process can be forked after it.

    A process that has initialized CUDA cannot be forked into a worker for each GPU. Where there
    are several, the call is made in a process of its own.
    """
    return function(*arguments) if count_gpus() < 2 else _run_apart(function, *arguments)


def _run_apart(function: Callable[..., Result], *arguments: object) -> Result:
    context = get_context("fork" if "fork" in get_all_start_methods() else None)
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(function, *arguments).result()


def _is_available() -> bool:
    import torch

    return torch.cuda.is_available()


def _gpu_names() -> list[str]:
    import torch

    return [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
