"""Words moved to where their sounds begin."""

import itertools

import numpy as np
import pytest
import torch
from datasets import Dataset

from khmer_aligned import aligners
from khmer_aligned.audio import encode_flac
from khmer_aligned.schema import SAMPLE_RATE
from khmer_whisper.ctc import hmm, refine, training, word_times
from khmer_whisper.ctc.config import CtcConfig
from khmer_whisper.ctc.examples import Utterances, words_of
from khmer_whisper.ctc.refine import learn
from khmer_whisper.ctc.training import train_aligner
from khmer_whisper.ctc.word_times import move_words, write
from khmer_whisper.examples import data

from ...conftest import SHARED
from ...joined import PLAIN_FEATURES, aligned_clips, lateness, read
from ..conftest import WORDS, clip, interrupt, write_dataset

STAND_IN = SHARED / "models/khmer-ctc-micro"
LABELLED = SHARED / "data/keosaly_labelled"
JITTER = 0.06  # seconds by which an aligner's times are off, at most


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    clips = [spoken(i) for i in range(80)]
    folder = write_dataset(tmp_path_factory.mktemp("jitter") / "d", {"train": clips})
    return data.load(str(folder)).splits["train"]


def spoken(number: int) -> dict:
    """A clip of four words, one every 0.4 s from 0.1 s on; its times are off."""
    generator = np.random.default_rng(number)
    row = clip(number, generator.permutation(list(WORDS)).tolist(), f"r{number}", quiet=0.1)
    for word, off in zip(row["words"], generator.uniform(-JITTER, JITTER, 4), strict=True):
        word["start"] += off
    for word, following in itertools.pairwise(row["words"]):
        word["end"] = following["start"]
    return row


@pytest.fixture(scope="module")
def refiner(rows):
    with pytest.MonkeyPatch.context() as patch:
        hurry(patch)
        return learn(rows, within=0.1, seed=1)


@pytest.fixture
def quick(monkeypatch):
    hurry(monkeypatch)


def hurry(patch) -> None:
    """Learn enough for the chords of four words, not for speech."""
    patch.setattr(refine, "NEEDED", 60)
    patch.setattr(refine, "_BATCHES", 30)


def lateness_of(times) -> np.ndarray:
    """Seconds (clips, 4) by which words begin later than they should."""
    return np.array([clip[:, 0] for clip in times]) - (0.1 + 0.4 * np.arange(4))


def test_words_move_to_their_sounds(rows, refiner):
    before = lateness_of([words_of(row).times for row in rows])
    assert np.percentile(np.abs(before), (50, 90)) == pytest.approx((0.03, 0.054), abs=0.006)
    moved = move_words(rows, refiner)
    after = lateness_of(moved.times)
    assert (np.percentile(np.abs(after), (50, 90)) <= (0.0101, 0.0301)).all()
    assert abs(np.median(after)) <= 0.0101
    assert moved.moves.words == 320 and moved.moves.left == 0
    assert moved.moves.median == pytest.approx(0.03, abs=0.01)
    assert "word starts moved by" in moved.moves.summary()


def test_a_frame_is_heard_where_its_times_say(rows, refiner):
    click = np.zeros(SAMPLE_RATE, np.float32)
    click[8079:8081] = 0.9  # in the middle of frame 50, from 0.5 to 0.51 s
    (row,) = changed(rows, audio={"bytes": encode_flac(click), "path": None}, duration=1.0)
    times = np.array([[0.1, 0.2], [0.2, 0.3], [0.5, 0.7], [0.7, 0.9]])
    heard = refiner.hear(row, times)
    loudest = heard.log_mel.mean(axis=1).argsort()[-3:] - refine._CONTEXT
    assert np.median(loudest) == 50
    third = heard.chain.sounds[heard.chain.words == 2]
    learned = refine._spread(heard)
    assert learned[49] == hmm.PAUSE and learned[50] == third[0] and learned[69] == third[-1]


def test_words_stay_in_order_within_the_clip_and_near_their_places(rows, refiner):
    for row, times in zip(rows, move_words(rows, refiner).times, strict=True):
        assert (np.diff(times.ravel()) >= -1e-6).all()
        assert times.min() >= 0 and times.max() <= row["duration"] + 0.005
        assert np.abs(times - words_of(row).times)[:, 0].max() <= 0.1 + 1e-6


@pytest.mark.slow
def test_the_same_seed_moves_alike_and_leaves_other_draws_alone(rows, refiner, quick):
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    again = learn(rows, within=0.1, seed=1)
    assert torch.equal(torch.rand(3), expected)
    few = rows.select(range(8))
    np.testing.assert_array_equal(
        np.concatenate(move_words(few, again).times), np.concatenate(move_words(few, refiner).times)
    )


def changed(rows, **columns) -> Dataset:
    """The first of the rows with other columns."""
    (row,) = rows.select([0])
    return Dataset.from_list([row | columns], features=PLAIN_FEATURES)


def test_a_word_whose_time_is_not_trusted_gets_none(rows, refiner):
    words = rows[0]["words"]
    words[1]["score"] = 0.1
    (times,) = move_words(changed(rows, words=words), refiner).times
    assert np.isnan(times[1]).all()
    assert times[2, 0] == pytest.approx(0.9, abs=0.025)


def test_words_without_room_keep_their_times(rows, refiner):
    silence = {"bytes": encode_flac(np.zeros(800, np.float32)), "path": None}
    moved = move_words(changed(rows, audio=silence, duration=800 / SAMPLE_RATE), refiner)
    np.testing.assert_array_equal(moved.times[0], words_of(rows[0]).times)
    assert moved.moves.left == 1 and moved.moves.words == 0


def test_a_clip_without_words_has_nothing_to_move(rows, refiner):
    for words in (None, []):
        moved = move_words(changed(rows, words=words, text="ធំ"), refiner)
        assert np.isnan(moved.times[0]).all()
        assert moved.moves.left == 0


def test_what_was_moved_is_read_back(rows, refiner, tmp_path):
    moved = {"train": move_words(rows.select(range(5)), refiner)}
    moved["test"] = move_words(changed(rows, words=None, text=""), refiner)
    write(tmp_path / "word_times.npz", moved)
    again = word_times.read(tmp_path / "word_times.npz")
    assert {name: each.moves for name, each in again.items()} == {
        name: each.moves for name, each in moved.items()
    }
    for name in moved:
        for before, after in zip(moved[name].times, again[name].times, strict=True):
            np.testing.assert_array_equal(before, after)


def test_too_few_clips_are_not_learned_from(rows):
    assert learn(rows, within=0.1, seed=1) is None  # 2.4 minutes


@pytest.mark.slow
def test_a_training_learns_the_moved_times_and_says_so(tmp_path, quick, monkeypatch):
    """A training whose judge is ended: what goes on takes the times that it has moved before."""
    clips = [spoken(i) for i in range(40)]
    dataset = write_dataset(tmp_path / "d", {"train": clips[:36], "test": clips[36:]})
    config = CtcConfig(dataset=str(dataset), max_steps=1)
    learned = []
    monkeypatch.setattr(
        training, "Utterances", lambda *given: learned.append(given[-1]) or Utterances(*given)
    )
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(training, "judge", interrupt)
        train_aligner(config, tmp_path / "out")
    with monkeypatch.context() as patch:
        patch.setattr(training, "learn", interrupt)
        result = train_aligner(config, tmp_path / "out")
    before, after = learned
    np.testing.assert_array_equal(np.concatenate(before), np.concatenate(after))
    given = np.concatenate([words_of(clip).times for clip in clips[:36]])
    off = np.concatenate(before)[:, 0] - given[:, 0]
    assert result.moves.words == len(off) == 144
    assert result.moves.median == pytest.approx(np.median(np.abs(off)), abs=1e-6)
    card = (tmp_path / "out/README.md").read_text(encoding="utf-8")
    assert f"In the training clips {result.moves.summary()}." in card
    assert "later than the dataset's, moved in the same way" in card


@pytest.mark.slow
def test_a_training_says_why_it_moved_none(dataset, tmp_path):
    settings = {"dataset": str(dataset), "max_steps": 1}
    few = train_aligner(CtcConfig(**settings), tmp_path / "few")
    assert few.moves is None and few.word_times == word_times.TOO_FEW
    card = (tmp_path / "few/README.md").read_text(encoding="utf-8")
    assert "fewer than 10 minutes are in clips all of whose words" in card
    none = train_aligner(CtcConfig(**settings, refine=0), tmp_path / "none")
    assert none.moves is None and none.word_times is None
    assert "In the training clips" not in (tmp_path / "none/README.md").read_text("utf-8")


@pytest.mark.slow
@pytest.mark.skipif(not LABELLED.is_dir(), reason="needs the speech beside the project")
def test_real_words_are_nearer_to_their_labels(monkeypatch):
    """The stand-in aligner's times of sentences against labels that were made without it."""
    monkeypatch.setattr(refine, "_BATCHES", 250)
    sentences = read(LABELLED, 0, 240)
    rows = aligned_clips(sentences, aligners.load(str(STAND_IN)), lag=0.188)
    moved = move_words(rows, learn(rows, within=0.1, seed=1))
    given = [words_of(row).times for row in rows]
    before, after = (lateness(rows, sentences, times) for times in (given, moved.times))
    assert len(before) == len(after) > 1500
    before, after = np.abs(before - np.median(before)), np.abs(after - np.median(after))
    assert np.percentile(after, 90) <= np.percentile(before, 90) - 0.003
    assert np.median(after) <= np.median(before)
