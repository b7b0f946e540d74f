"""Words and their times to tokens, frame targets and where paths may be."""

import numpy as np
import pytest

from khmer_whisper.ctc.config import CtcConfig
from khmer_whisper.ctc.examples import (
    Steps,
    Utterances,
    Words,
    allowed_paths,
    frame_targets,
    mask,
    spell,
    words_of,
)
from khmer_whisper.ctc.loss import IGNORED
from khmer_whisper.ctc.model import KHMER, Sizes, from_scratch
from khmer_whisper.examples.data import load

IDS = {"ក": 1, "ខ": 2, "គ": 3, "a": 4}
FRAME = 0.02


def words(*timed: tuple[str, float, float]) -> Words:
    return Words([t for t, _, _ in timed], np.array([(a, b) for _, a, b in timed]))


def test_tokens_lie_evenly_over_their_word():
    spelling = spell(words(("កខ", 0.1, 0.3), ("©", 0.3, 0.4), ("A?", 0.5, 0.6)), IDS)
    assert spelling.ids.tolist() == [1, 2, 4]  # a symbol has none; a capital is its letter
    np.testing.assert_allclose(spelling.times, [(0.1, 0.2), (0.2, 0.3), (0.5, 0.6)])
    assert spelling.words.tolist() == [0, 0, 2]


def test_targets_hold_each_token_and_leave_pauses_to_the_blank():
    spelling = spell(words(("កខ", 0.04, 0.12), ("គ", 0.14, 0.18), ("ក", 0.3, 0.34)), IDS)
    targets = frame_targets(spelling, 18, FRAME)
    # The gap of 20 ms belongs to the token before it, that of 120 ms to nobody.
    assert targets.tolist() == [0, 0, 1, 1, 2, 2, 2, 3, 3, 0, 0, 0, 0, 0, 0, 1, 1, 0]


def test_the_same_token_twice_takes_a_blank_between():
    spelling = spell(words(("កក", 0.0, 0.12)), IDS)
    assert frame_targets(spelling, 6, FRAME).tolist() == [1, 1, 1, 0, 1, 1]


def test_words_without_times_have_no_targets():
    timed = words(("ក", 0.0, 0.04), ("ខគ", np.nan, np.nan), ("ក", 0.12, 0.16))
    targets = frame_targets(spell(timed, IDS), 8, FRAME)
    assert targets.tolist() == [1, 1, *[IGNORED] * 4, 1, 1]
    untimed = words(("កខ", np.nan, np.nan))
    assert (frame_targets(spell(untimed, IDS), 5, FRAME) == IGNORED).all()


def test_paths_fill_their_words_and_begin_none_late():
    timed = words(("កខ", 0.2, 0.32), ("គ", 0.34, 0.4), ("a", np.nan, np.nan))
    allowed = allowed_paths(spell(timed, IDS), 24, FRAME, 6, tolerance=0.04)
    for token in (1, 2):  # inside the word they change where CTC will
        assert np.flatnonzero(allowed[:, token]).tolist() == list(range(8, 17))
    assert np.flatnonzero(allowed[:, 3]).tolist() == list(range(15, 22))
    assert np.flatnonzero(~allowed[:, 0]).tolist() == [10, 11, 12, 13, 17]
    assert allowed[:, 4].all()
    assert not allowed[:, 5].any()


def test_a_word_that_repeats_a_token_may_hold_a_blank():
    allowed = allowed_paths(spell(words(("កក", 0.0, 0.2)), IDS), 10, FRAME, 5, tolerance=0.02)
    assert allowed[:, 0].all()


def test_between_words_that_share_a_token_a_blank_has_room():
    timed = words(("ក", 0.0, 0.1), ("ក", 0.1, 0.2))
    allowed = allowed_paths(spell(timed, IDS), 10, FRAME, 5, tolerance=0.005)
    assert allowed[4, 0] and not allowed[:4, 0].any()


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


def test_the_examples_of_a_step_are_joined_together_or_not_at_all():
    steps = Steps(1003, 8, seed=1)
    for epoch in range(2):
        steps.epoch = epoch
        keys = list(steps)
        assert sorted(key.clip for key in keys) == list(range(1003))
        seconds = [key.seconds for key in keys]
        of_steps = [set(seconds[first : first + 8]) for first in range(0, 1003, 8)]
        assert all(len(each) == 1 for each in of_steps)
        joined = [each for (each,) in of_steps if each]
        assert 0.1 < len(joined) / len(of_steps) < 0.3
        assert 6 <= min(joined) < 12 and 24 < max(joined) <= 30


def test_some_examples_are_clips_joined_to_the_length_of_a_window(few):
    rows = load(str(few), language="km").get("train")
    aligner = from_scratch(sizes=Sizes(hidden=32, layers=1))
    utterances = Utterances(rows, aligner, CtcConfig(dataset=str(few), augment=0.0, batch_size=2))
    longest = max(rows["duration"])
    joined = 0
    for key in utterances.sampler():
        example = utterances[key]
        spelling, seconds = example.spelling, example.frames * FRAME
        assert (np.diff(spelling.times[:, 0]) > 0).all() and spelling.times[
            -1, 1
        ] < seconds + 2 * FRAME
        if seconds < longest + FRAME:
            continue
        joined += 1
        assert 5 < seconds <= 30
        # The sounds are where the words are: the level there is another than in the pauses.
        level = example.features[:, :80].mean(axis=1)
        spoken = np.zeros(len(level), bool)
        for start, end in spelling.times:
            spoken[round(start / FRAME) + 1 : round(end / FRAME) - 1] = True
        assert level[spoken].mean() > level[~spoken].mean() + 0.5
    assert 0 < joined < len(rows)
