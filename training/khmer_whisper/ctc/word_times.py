"""The word times that an aligner learns, moved to where the sounds begin, and kept on disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

import numpy as np
from datasets import Dataset
from tqdm import tqdm

from khmer_aligned.files import replace_whole
from khmer_whisper.ctc.examples import words_of
from khmer_whisper.ctc.refine import NEEDED, Refiner

TOO_FEW = (
    f"word times were learned as they are: fewer than {NEEDED // 60} minutes are in clips all of "
    "whose words have times that are trusted, too few to learn from where words begin"
)


@dataclass(frozen=True, slots=True)
class Moves:
    """How far word starts were moved, in seconds: the median, and the distances from zero. The
    words of `left` clips found no room and stayed where they were."""

    words: int
    left: int
    shift: float
    median: float
    percentile90: float

    @classmethod
    def of(cls, off: np.ndarray, left: int) -> Moves:
        """The figures of starts that moved by `off` seconds, (W,)."""
        if len(off) == 0:
            return cls(0, left, 0.0, 0.0, 0.0)
        median, high = np.percentile(np.abs(off), (50, 90))
        return cls(len(off), left, float(np.median(off)), float(median), float(high))

    def summary(self) -> str:
        """The figures in a line."""
        return (
            f"word starts moved by {1000 * self.shift:+.0f} ms in the median, half by at most "
            f"{1000 * self.median:.0f} ms, 90 % by at most {1000 * self.percentile90:.0f} ms"
            + (f"; {self.left} clips left as they were" if self.left else "")
        )


@dataclass(frozen=True, slots=True)
class Moved:
    """The word times of each clip of a split, (W, 2) in seconds, NaN where they are not trusted."""

    times: Sequence[np.ndarray]
    moves: Moves


def move_words(rows: Dataset, refiner: Refiner) -> Moved:
    """The words of a split's clips where `refiner` hears them."""
    found, off, left = [], [np.zeros(0)], 0
    for row in tqdm(rows, desc="moving words", unit="clip", delay=2):
        times = words_of(row).times
        moved = refiner.move(refiner.hear(row, times)) if row["words"] else None
        if moved is not None:
            starts = (moved - times)[:, 0]
            off.append(starts[~np.isnan(starts)])
        elif row["words"]:
            left += 1
        found.append(times if moved is None else moved)
    return Moved(found, Moves.of(np.concatenate(off), left))


def write(path: Path, splits: Mapping[str, Moved]) -> None:
    """Keep the moved times of some splits in one file."""
    arrays: dict[str, np.ndarray] = {}
    for name, moved in splits.items():
        arrays[f"{name}.times"] = np.concatenate([np.zeros((0, 2)), *moved.times])
        arrays[f"{name}.words"] = np.array([len(times) for times in moved.times])
        arrays[f"{name}.moves"] = np.array(astuple(moved.moves))
    with replace_whole(path) as partial, partial.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)


def read(path: Path) -> dict[str, Moved]:
    """What `write` wrote."""
    with np.load(path) as arrays:
        names = [key.removesuffix(".words") for key in arrays.files if key.endswith(".words")]
        return {
            name: Moved(
                np.split(arrays[f"{name}.times"], np.cumsum(arrays[f"{name}.words"])[:-1]),
                _moves(*arrays[f"{name}.moves"].tolist()),
            )
            for name in names
        }


def _moves(words: float, left: float, *seconds: float) -> Moves:
    return Moves(int(words), int(left), *seconds)
