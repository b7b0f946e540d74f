"""The path of a clip through its letters."""

import itertools

import numpy as np
import pytest

from khmer_whisper.ctc.hmm import PAUSE, STATES, chain_of, count_sounds, find_path, sounds_of

ANYWHERE = np.array([0.0, 0.0]), np.array([np.inf, np.inf])


def test_letters_have_states_and_signs_that_are_not_heard_have_none():
    sounds = sounds_of(["ស្រី", "ស"])
    assert sorted(sounds) == ["រ", "ស", "ី"]
    chain = chain_of(["ស្រី"], sounds)
    expected = [sounds[letter] + i for letter in "សរី" for i in range(STATES)]
    assert chain.sounds.tolist() == [PAUSE, *expected, PAUSE]
    assert chain.words.tolist() == [-1, *[0] * len(expected), -1]
    assert np.flatnonzero(chain.first).tolist() == [1]
    assert count_sounds(sounds) == max(sounds.values()) + STATES


def test_a_word_of_unknown_letters_still_has_a_place():
    chain = chain_of(["ក", "…", "ខ"], sounds_of(["ក"]))
    assert [int(np.sum(chain.words == k)) for k in range(3)] == [STATES, 1, 1]


@pytest.mark.parametrize("seed", range(20))
def test_no_path_is_better(seed):
    """Against all paths of six frames through two words of one letter each."""
    generator = np.random.default_rng(seed)
    chain = chain_of(["ក", "ខ"], sounds_of("កខ"))
    scores = generator.standard_normal((6, count_sounds(sounds_of("កខ")))).astype(np.float32)
    earliest, latest = ANYWHERE if seed % 2 else (np.array([1.0, 3.0]), np.array([2.0, 4.0]))
    found = find_path(scores, chain, earliest, latest)
    best = max(
        _paths(chain, 6, earliest, latest),
        key=lambda path: scores[np.arange(6), chain.sounds[path]].astype(float).sum(),
    )
    assert found.tolist() == best.tolist()


def _paths(chain, frames, earliest, latest):
    """Every sequence of states that climbs by one, or by two over a pause."""
    states = len(chain.sounds)
    for steps in itertools.product((0, 1, 2), repeat=frames):
        path = np.cumsum(steps)
        if steps[0] > 1 or path[-1] not in (states - 2, states - 1):
            continue
        if any(step == 2 and chain.words[s - 1] >= 0 for s, step in zip(path, steps, strict=True)):
            continue
        begun = [int(np.flatnonzero(path == s)[0]) for s in np.flatnonzero(chain.first)]
        if all(low <= t <= high for low, t, high in zip(earliest, begun, latest, strict=True)):
            yield path


def test_letters_without_room_have_no_path():
    chain = chain_of(["ក", "ខ"], sounds_of("កខ"))
    scores = np.zeros((2 * STATES - 1, 6), np.float32)
    assert find_path(scores, chain, *ANYWHERE) is None
    gone = np.array([-9.0, 0.0]), np.array([-1.0, np.inf])
    assert find_path(np.zeros((8, 6), np.float32), chain, *gone) is None
    late = np.array([5.0, 0.0]), np.array([9.0, np.inf])
    assert find_path(np.zeros((8, 6), np.float32), chain, *late) is None
