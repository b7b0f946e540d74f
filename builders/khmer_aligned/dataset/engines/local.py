"""Shards on this machine: a process for each GPU, or one after the other in this process."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from multiprocessing.queues import Queue
from pathlib import Path

import datasets
from tqdm import tqdm

from khmer_aligned.dataset.shards import align_shard
from khmer_aligned.device import choose_device, count_gpus


def run_shards(out: Path, indices: Sequence[int]) -> None:
    """Align these shards of the build planned in `out`; the first error ends it."""
    workers = min(count_gpus(), len(indices))
    if workers < 2:
        for index in indices:
            align_shard(out, index)
        return
    # Forked processes could not use CUDA if this one ever did.
    context = get_context("spawn")
    gpus = context.Queue()
    for gpu in range(workers):
        gpus.put(gpu)
    with (
        ProcessPoolExecutor(workers, context, _use_gpu, (gpus,)) as pool,
        tqdm(total=len(indices), unit="shard", desc=f"Aligning on {workers} GPUs") as bar,
    ):
        futures = [pool.submit(align_shard, out, index) for index in indices]
        try:
            for future in as_completed(futures):
                future.result()
                bar.update()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _use_gpu(gpus: Queue[int]) -> None:
    """Give this worker a GPU for itself, before torch looks for them."""
    choose_device(f"cuda:{gpus.get()}")
    datasets.disable_progress_bars()
