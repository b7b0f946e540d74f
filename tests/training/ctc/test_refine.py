"""Words moved to where their sounds begin."""

import itertools

import numpy as np
import pytest
import torch
from datasets import Dataset

from khmer_aligned import aligners
from khmer_aligned.audio import encode_flac
from khmer_aligned.schema import SAMPLE_RATE
from khmer_whisper.ctc import refine as module
from khmer_whisper.ctc.config import CtcConfig
from khmer_whisper.ctc.refine import learn, refine
from khmer_whisper.ctc.training import train_aligner
from khmer_whisper.examples import data

from ...conftest import SHARED
from ...joined import PLAIN_FEATURES, aligned_clips, late, read
from ..conftest import WORDS, clip, write_dataset

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
    """One that has learned enough for the chords of four words, not for speech."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_NEEDED", 60)
        patch.setattr(module, "_BATCHES", 30)
        return learn(rows, within=0.1, seed=1)


def distances(rows) -> np.ndarray:
    """Seconds between where words begin and where the rows say."""
    starts = np.array([[word["start"] for word in words] for words in rows["words"]])
    return np.abs(starts - (0.1 + 0.4 * np.arange(4)))


def test_words_move_to_their_sounds(rows, refiner):
    assert np.percentile(distances(rows), (50, 90)) == pytest.approx((0.03, 0.054), abs=0.006)
    moved, moves = refine(rows, refiner)
    assert (np.percentile(distances(moved), (50, 90)) <= (0.015, 0.03)).all()
    assert moves.words == 320 and moves.left == 0
    assert moves.median == pytest.approx(0.03, abs=0.01)
    assert "word starts moved by" in moves.summary()


def test_nothing_but_times_changes_and_they_stay_in_order_within_the_clip(rows, refiner):
    moved, _ = refine(rows, refiner)
    assert moved.features == rows.features
    for before, after in zip(rows, moved, strict=True):
        assert {k: v for k, v in before.items() if k != "words"} == {
            k: v for k, v in after.items() if k != "words"
        }
        assert [w["text"] for w in after["words"]] == [w["text"] for w in before["words"]]
        bounds = np.array([(w["start"], w["end"]) for w in after["words"]])
        assert (np.diff(bounds.ravel()) >= -1e-6).all()
        assert bounds.min() >= 0 and bounds.max() <= after["duration"]
        starts = np.array([w["start"] for w in before["words"]])
        assert np.abs(bounds[:, 0] - starts).max() <= 0.1 + 0.005


@pytest.mark.slow
def test_the_same_seed_moves_alike_and_leaves_other_draws_alone(rows, refiner, monkeypatch):
    monkeypatch.setattr(module, "_NEEDED", 60)
    monkeypatch.setattr(module, "_BATCHES", 30)
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    again = learn(rows, within=0.1, seed=1)
    assert torch.equal(torch.rand(3), expected)
    few = rows.select(range(8))
    assert refine(few, again)[0]["words"] == refine(few, refiner)[0]["words"]


def test_a_word_whose_time_is_not_trusted_keeps_it(rows, refiner):
    (row,) = rows.select([0])
    row["words"][1]["score"] = 0.1
    (moved,) = refine(Dataset.from_list([row], features=PLAIN_FEATURES), refiner)[0]["words"]
    assert moved[1] == pytest.approx(row["words"][1])
    assert moved[2]["start"] == pytest.approx(0.9, abs=0.025)


def test_words_without_room_keep_their_times(rows, refiner):
    (row,) = rows.select([0])
    row["audio"] = {"bytes": encode_flac(np.zeros(800, np.float32)), "path": None}
    row["duration"] = 800 / SAMPLE_RATE
    moved, moves = refine(Dataset.from_list([row], features=PLAIN_FEATURES), refiner)
    assert moved["words"][0] == row["words"]
    assert moves.left == 1 and moves.words == 0


def test_too_few_clips_are_not_learned_from(rows):
    assert learn(rows, within=0.1, seed=1) is None  # 2.4 minutes


@pytest.mark.slow
def test_a_training_says_what_it_did_to_the_times(dataset, tmp_path):
    settings = {"dataset": str(dataset), "max_steps": 1}
    few = train_aligner(CtcConfig(**settings), tmp_path / "few")
    assert few.moves.words == 0
    assert "fewer than 10 minutes of clips have them" in few.moves.summary()
    assert few.moves.summary() in (tmp_path / "few/README.md").read_text(encoding="utf-8")
    none = train_aligner(CtcConfig(**settings, refine=0), tmp_path / "none")
    assert none.moves is None
    assert "Before it was learned" not in (tmp_path / "none/README.md").read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.skipif(not LABELLED.is_dir(), reason="needs the speech beside the project")
def test_real_words_are_nearer_to_their_labels(monkeypatch):
    """The stand-in aligner's times of sentences against labels that were made without it."""
    monkeypatch.setattr(module, "_BATCHES", 250)
    sentences = read(LABELLED, 0, 240)
    rows = aligned_clips(sentences, aligners.load(str(STAND_IN)), lag=0.188)
    refiner = learn(rows, within=0.1, seed=1)
    before = np.abs(late(rows, sentences))
    after = np.abs(late(refine(rows, refiner)[0], sentences))
    assert len(before) == len(after) > 1500
    assert np.percentile(after, 90) <= np.percentile(before, 90) - 0.003
    assert np.median(after) <= np.median(before)
