"""Shards on a Ray cluster: an actor for each GPU, which gets one number after the other.

Numbers of shards go through Ray, and never audio: OUT and the source lie on storage that all nodes
share. An actor that is lost, with its node even, is started again by Ray, and its shard goes to
whichever actor is free.
"""

from __future__ import annotations

import logging
import os
import socket
from collections import Counter, deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import (
    NodeDiedError,
    OutOfMemoryError,
    RayActorError,
    RayTaskError,
    WorkerCrashedError,
)
from tqdm import tqdm

from khmer_aligned.console import note
from khmer_aligned.dataset.shards import align_shard
from khmer_aligned.errors import UserError
from khmer_aligned.stores import check_store

_ADDRESS = "RAY_ADDRESS"
_ANSWER_SECONDS = 10
_CPUS = 4  # of an actor in a cluster without GPUs: each holds a model and hours of audio
_MOST_LOSSES = 3  # of one shard's actors; more are no accident
_PATIENCE = 60  # seconds without an actor until that is said
_LOST = (RayActorError, WorkerCrashedError, NodeDiedError, OutOfMemoryError)


class _Worker:
    """An actor: its models stay loaded from shard to shard."""

    @ray.method(max_task_retries=-1)
    def start(self) -> None:
        """Returns when the actor runs, for the first time or again."""

    def align(self, out: Path, index: int) -> None:
        """Align a shard of the build planned in `out`."""
        check_store(out)
        if not out.is_dir():
            raise UserError(
                f"{out}: is not there on the node {socket.gethostname()}; OUT and SOURCE have to "
                "lie on storage that all nodes share, under one path"
            )
        align_shard(out, index)


def check_address() -> None:
    """Raises UserError where RAY_ADDRESS names a place at which nothing answers."""
    address = os.environ.get(_ADDRESS, "")
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not port.isdecimal():  # none, `auto` or `local`
        return
    try:
        socket.create_connection((host, int(port)), _ANSWER_SECONDS).close()
    except OSError as error:
        raise UserError(
            f"{_ADDRESS} is {address}, where no Ray cluster answers ({error.strerror or error}); "
            "start one with `ray start --head`, or unset it to use this machine alone"
        ) from None


def run_shards(out: Path, indices: Sequence[int]) -> None:
    """Align these shards of the build planned in `out`; the first error ends it.

    Joins the cluster at RAY_ADDRESS, else the one that runs on this machine; where there is none,
    it starts Ray on this machine alone. Raises UserError where a shard loses one actor after the
    other.
    """
    if not indices:
        return
    started = _connect()
    actors = _start_actors(len(indices))
    try:
        with tqdm(total=len(indices), unit="shard", desc="Aligning with Ray") as bar:
            _Queue(out.resolve(), indices, actors, bar).run()
    finally:
        for actor in actors:
            ray.kill(actor)
        if started:
            ray.shutdown()


class _Queue:
    """The shards that wait, and what each actor is at."""

    def __init__(self, out: Path, indices: Sequence[int], actors: list[Any], bar: tqdm) -> None:
        self._out, self._bar = out, bar
        self._waiting, self._losses = deque(indices), Counter[int]()
        self._idle: list[Any] = []
        # What an actor is at: a shard, or None while it starts.
        self._running: dict[Any, tuple[Any, int | None]] = {}
        for actor in actors:
            self._start(actor)

    def run(self) -> None:
        """Hand out the shards until all are aligned."""
        patient = True
        while self._bar.n < self._bar.total:
            while self._waiting and self._idle:
                actor, index = self._idle.pop(), self._waiting.popleft()
                self._running[actor.align.remote(self._out, index)] = actor, index
            done, _ = ray.wait(list(self._running), timeout=_PATIENCE)
            at_work = any(index is not None for _, index in self._running.values())
            if patient and not done and not at_work:
                note("Ray has started no actor yet: its GPUs or cores are in use, or on their way")
                patient = False
            for result in done:
                self._take(result)

    def _start(self, actor: Any) -> None:
        self._running[actor.start.remote()] = actor, None

    def _take(self, result: Any) -> None:
        """Take what an actor has done; a shard that was lost waits again, before the others."""
        actor, index = self._running.pop(result)
        try:
            ray.get(result)
        except _LOST as error:
            if index is None:
                raise UserError(f"Ray cannot start an actor: {_one_line(error)}") from error
            self._losses[index] += 1
            if self._losses[index] > _MOST_LOSSES:
                raise UserError(
                    f"shard {index + 1}: {self._losses[index]} actors were lost while they aligned "
                    f"it, the last one for this reason: {_one_line(error)}"
                ) from error
            note(f"an actor was lost; shard {index + 1} is aligned again")
            self._waiting.appendleft(index)
            self._start(actor)
        except RayTaskError as error:
            if isinstance(error.cause, UserError):
                raise error.cause from None
            raise
        else:
            self._idle.append(actor)
            if index is not None:
                self._bar.update()


def _connect() -> bool:
    """Join a cluster, or start Ray here; False where this process had joined one before."""
    if ray.is_initialized():
        return False
    check_address()
    try:
        ray.init(logging_level=logging.ERROR)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise UserError(
            f"--engine ray: no cluster can be joined: {_one_line(error)}; if it asks for a token, "
            "set RAY_AUTH_MODE=token"
        ) from error
    return True


def _start_actors(shards: int) -> list[Any]:
    """An actor for each GPU of the cluster, else for every few cores; not more than shards."""
    gpus = int(ray.cluster_resources().get("GPU", 0))
    if gpus:
        count, needs = gpus, {"num_gpus": 1}
    else:
        nodes = [int(node["Resources"].get("CPU", 0)) for node in ray.nodes() if node["Alive"]]
        cpus = min(_CPUS, *(cores for cores in nodes if cores))
        count, needs = sum(cores // cpus for cores in nodes), {"num_cpus": cpus}
    actor = ray.remote(_Worker).options(
        **needs,
        max_restarts=-1,
        runtime_env={"env_vars": {"TQDM_DISABLE": "1"}},  # one bar, and not one of each actor
    )
    return [actor.remote() for _ in range(min(count, shards))]


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
