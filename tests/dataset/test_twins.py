"""Fingerprints to pairs of recordings that sound the same."""

import numpy as np

from khmer_aligned.dataset import twins
from khmer_aligned.dataset.twins import Fingerprints, find_twins


def prints(rows) -> Fingerprints:
    rows = [np.sort(np.asarray(row, np.uint32)) for row in rows]
    return Fingerprints(
        np.concatenate([np.zeros(0, np.uint32), *rows]), np.array([len(row) for row in rows])
    )


def random_rows(count: int) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.choice(2_700_000, 32, replace=False) for _ in range(count)]


def test_a_copy_is_found_by_a_quarter_of_its_numbers_and_its_length(monkeypatch):
    monkeypatch.setattr(twins, "_BLOCK", 30)  # pairs are found across blocks, too
    rows = random_rows(200)
    lengths = np.linspace(32_000, 160_000, 200).astype(np.int64)
    rows[150][:7] = rows[10][:7]
    rows[151][:7] = rows[11][:7]
    rows[152][:6] = rows[12][:6]  # one too few
    lengths[150] = lengths[10] + 2_000
    lengths[152] = lengths[12]
    assert find_twins(prints(rows), lengths).tolist() == [[10, 150]]


def test_numbers_that_everyone_has_tell_nothing():
    rows = random_rows(120)
    for row in rows:
        row[:10] = range(10)
    assert len(find_twins(prints(rows), np.full(120, 32_000))) == 0


def test_recordings_without_a_fingerprint_are_nobody_s_copy():
    assert find_twins(prints([[], [], range(3), range(3)]), np.zeros(4, np.int64)).shape == (0, 2)
    assert find_twins(prints([]), np.zeros(0, np.int64)).shape == (0, 2)
