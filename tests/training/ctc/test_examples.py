"""Words and their times to tokens, frame targets and where paths may be."""

import numpy as np
import pytest

from khmer_whisper.ctc.examples import (
    Words,
    allowed_paths,
    frame_targets,
    mask,
    tokenize,
    words_of,
)
from khmer_whisper.ctc.loss import IGNORED
from khmer_whisper.ctc.model import KHMER

IDS = {"ក": 1, "ខ": 2, "គ": 3, "a": 4}
FRAME = 0.02


def words(*timed: tuple[str, float, float]) -> Words:
    return Words([t for t, _, _ in timed], np.array([(a, b) for _, a, b in timed]))


def test_tokens_lie_evenly_over_their_word():
    tokens, times = tokenize(words(("កខ", 0.1, 0.3), ("©", 0.3, 0.4), ("A?", 0.5, 0.6)), IDS)
    assert tokens.tolist() == [1, 2, 4]  # a symbol has none; a capital is its letter
    np.testing.assert_allclose(times, [(0.1, 0.2), (0.2, 0.3), (0.5, 0.6)])


def test_targets_hold_each_token_and_leave_pauses_to_the_blank():
    tokens, times = tokenize(words(("កខ", 0.04, 0.12), ("គ", 0.14, 0.18), ("ក", 0.3, 0.34)), IDS)
    targets = frame_targets(tokens, times, 18, FRAME)
    # The gap of 20 ms belongs to the token before it, that of 120 ms to nobody.
    assert targets.tolist() == [0, 0, 1, 1, 2, 2, 2, 3, 3, 0, 0, 0, 0, 0, 0, 1, 1, 0]


def test_the_same_token_twice_takes_a_blank_between():
    tokens, times = tokenize(words(("កក", 0.0, 0.12)), IDS)
    assert frame_targets(tokens, times, 6, FRAME).tolist() == [1, 1, 1, 0, 1, 1]


def test_words_without_times_have_no_targets():
    timed = words(("ក", 0.0, 0.04), ("ខគ", np.nan, np.nan), ("ក", 0.12, 0.16))
    tokens, times = tokenize(timed, IDS)
    assert frame_targets(tokens, times, 8, FRAME).tolist() == [1, 1, *[IGNORED] * 4, 1, 1]
    untimed = words(("កខ", np.nan, np.nan))
    assert (frame_targets(*tokenize(untimed, IDS), 5, FRAME) == IGNORED).all()


def test_paths_stay_near_their_words():
    tokens, times = tokenize(words(("ក", 0.2, 0.24), ("ខ", np.nan, np.nan)), IDS)
    allowed = allowed_paths(tokens, times, 20, FRAME, 5, tolerance=0.04)
    assert np.flatnonzero(allowed[:, 1]).tolist() == [8, 9, 10, 11, 12, 13]
    assert allowed[:, 0].all() and allowed[:, 2].all()
    assert not allowed[:, 3].any()


def test_a_doubtful_word_gives_no_time():
    row = {
        "words": [
            {"text": "ក", "start": 0.0, "end": 0.1, "score": 0.9},
            {"text": "ខ", "start": 0.1, "end": 0.2, "score": 0.01},
        ]
    }
    times = words_of(row).times
    assert times[0].tolist() == [0.0, 0.1] and np.isnan(times[1]).all()


def test_plain_text_is_read_aloud_and_has_no_times():
    found = words_of({"words": [], "text": "មាន ២ នាក់"})
    assert list(found.texts) == ["មាន", "ពីរ", "នាក់"]
    assert np.isnan(found.times).all()


def test_khmer_text_can_be_spelled():
    assert len(set(KHMER)) == len(KHMER)
    spoken = "ខ្ញុំស្រឡាញ់ភាសាខ្មែរ ណ៎ ឱកាស ឯកោ ឥឡូវ កម្ម៌ ប៉ុន្តែ មហាកោដ្ឋ"
    assert set(spoken.replace(" ", "")) <= set(KHMER)


@pytest.mark.parametrize("shape", [(300, 160), (5, 8)])
def test_masks_leave_most_of_the_features(shape):
    features = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    before = features.copy()
    mask(features, np.random.default_rng(1))
    if shape[0] > 100:
        assert 0.7 < (features == before).mean() < 1
    assert np.isfinite(features).all()
