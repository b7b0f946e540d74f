"""Who aligns the shards of a plan: an engine gets numbers, and calls `align_shard` on each."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

from khmer_aligned.errors import UserError

Engine = Literal["local", "ray"]
RunShards = Callable[[Path, Sequence[int]], None]


def load_engine(name: Engine) -> RunShards:
    """The function that aligns shards of the build planned in a folder, by their numbers.

    Raises UserError where Ray is not installed, or no cluster answers at RAY_ADDRESS.
    """
    if name == "local":
        from khmer_aligned.dataset.engines import local

        return local.run_shards
    # Started by `uv run`, Ray would upload the folder of the command to every node.
    os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
    try:
        from khmer_aligned.dataset.engines import ray
    except ModuleNotFoundError as error:
        if error.name != "ray":
            raise
        raise UserError(
            "--engine ray: Ray is not installed; install it with: pip install 'khmer-aligned[ray]'"
        ) from None
    ray.check_address()
    return ray.run_shards
