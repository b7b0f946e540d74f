"""Where long audio is cut, and that nothing but speech is decoded."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from khmer_aligned import audio
from khmer_aligned.schema import SAMPLE_RATE
from khmer_aligned.speech import find_speech
from khmer_whisper.transcription.windows import MAX_PAUSE, PADDING, Window, cut_windows

RECORDINGS = Path(__file__).parents[3] / "training/khmer_whisper/demo/assets/recordings"


@pytest.fixture(scope="module")
def farm() -> np.ndarray:
    """A minute of one of the demo's voices."""
    return audio.load(RECORDINGS / "farm.ogg", name="farm.ogg")


def words_of(name: str) -> list[tuple[float, float]]:
    """When the words of a recording are spoken."""
    rows = (RECORDINGS / f"{name}.words.tsv").read_text(encoding="utf-8").splitlines()[1:]
    return [(float(row.split("\t")[3]), float(row.split("\t")[4])) for row in rows]


def end_of(window: Window) -> float:
    return window.start + len(window.samples) / SAMPLE_RATE


@pytest.mark.parametrize("longest", [6.0, 10.0, 30.0])
def test_all_words_are_in_windows_and_no_cut_is_inside_one(farm, longest):
    windows = list(cut_windows([farm], longest))
    assert max(len(window.samples) for window in windows) <= longest * SAMPLE_RATE
    assert all(end_of(before) <= after.start + 1e-3 for before, after in pairwise(windows))
    for start, end in words_of("farm"):
        inside = [w for w in windows if w.start <= start + 0.1 and end - 0.1 <= end_of(w)]
        assert len(inside) == 1, f"the word from {start} to {end} s is cut"


def test_windows_hold_the_samples_and_the_speech_of_their_time(farm):
    windows = list(cut_windows([farm], 10.0))
    assert [s for window in windows for s in window.speech] == find_speech(farm)
    for window in windows:
        first = round(window.start * SAMPLE_RATE)
        np.testing.assert_array_equal(window.samples, farm[first : first + len(window.samples)])
        assert window.start <= window.speech[0].start <= window.start + PADDING + 1e-3
        assert window.speech[-1].end <= end_of(window) + 1e-3
        pauses = [after.start - before.end for before, after in pairwise(window.speech)]
        assert max(pauses, default=0.0) <= MAX_PAUSE


def test_blocks_change_nothing(farm):
    blocks = [farm[i : i + 9_999] for i in range(0, len(farm), 9_999)]
    for one, other in zip(cut_windows([farm], 8.0), cut_windows(blocks, 8.0), strict=True):
        assert (one.start, one.speech) == (other.start, other.speech)
        np.testing.assert_array_equal(one.samples, other.samples)


def test_memory_does_not_grow_with_the_recording(farm):
    """Of hours no more is held than of a minute: what is done with is let go."""
    produced = 0

    def hours():
        nonlocal produced
        for _ in range(20):
            produced += len(farm)
            yield farm

    waiting = 0.0
    for window in cut_windows(hours(), 10.0):
        waiting = max(waiting, produced / SAMPLE_RATE - window.start)
    assert waiting < 3 * len(farm) / SAMPLE_RATE


def test_nothing_is_cut_from_what_is_no_speech():
    generator = np.random.default_rng(0)
    noise = (0.05 * generator.standard_normal(20 * SAMPLE_RATE)).astype(np.float32)
    assert list(cut_windows([noise, 0 * noise], 10.0)) == []
    assert list(cut_windows([], 10.0)) == []
