"""A lock in an object store: one process holds it, and one that was killed does not for long."""

from __future__ import annotations

import threading

import pytest

from khmer_aligned import lease
from khmer_aligned.errors import UserError
from khmer_aligned.files import lock_folder
from khmer_aligned.stores import as_path, list_store

from .object_store import bucket as bucket


@pytest.fixture
def folder(bucket, monkeypatch):
    """A place in a bucket, where a lock that nobody renews ends after two seconds."""
    monkeypatch.setattr(lease, "RENEW_SECONDS", 0.2)
    monkeypatch.setattr(lease, "EXPIRE_SECONDS", 2.0)
    monkeypatch.setattr(lease, "POLL_SECONDS", 0.05)
    return as_path(f"{bucket}/out/.build")


def test_one_process_at_a_time_has_the_lock(folder):
    inside: list[int] = []
    most: list[int] = []

    def work(number: int) -> None:
        with lock_folder(folder, "plan.lock", wait=True):
            inside.append(number)
            most.append(len(inside))
            threading.Event().wait(0.3)
            inside.remove(number)

    workers = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert most == [1, 1, 1, 1]
    assert [*list_store(folder)] == ["plan.lock.000004"]


def test_who_does_not_wait_is_told_who_is_at_work(folder):
    message = r"another process is at work in it \(.+ process \d+, renewed \d+ times\)"
    with (
        lock_folder(folder),
        pytest.raises(UserError, match=message),
        lock_folder(folder),
    ):
        pass
    with lock_folder(folder):
        pass


def test_the_lock_of_a_process_that_was_killed_ends(folder):
    lease._Lease(folder / "lock").acquire(wait=False)  # and never renewed
    with lock_folder(folder):
        assert [*list_store(folder)] == ["lock.000002"]


def test_nothing_is_left_of_a_lock_whose_folder_was_removed(folder):
    with lock_folder(folder):
        folder.fs.rm(folder.path, recursive=True)
    assert list_store(folder) == {}
