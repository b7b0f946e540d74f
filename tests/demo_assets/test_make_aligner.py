"""What the demo's aligner learns of a reading."""

import itertools

import pytest

from demo_assets import make_aligner
from khmer_whisper.ctc.examples import frame_targets

from .conftest import reading_of


def test_the_targets_spell_each_word_over_its_time():
    reading = reading_of("ទៅ ផ្ទះ", [(0.1, 0.3), (0.5, 0.8)])
    targets = frame_targets(make_aligner.spell_reading(reading), 50, 0.02)
    letters = "".join(make_aligner.LETTERS[i] for i, _ in itertools.groupby(targets) if i)
    assert letters == reading.letters
    assert not targets[:5].any()
    assert not targets[15:25].any()
    assert not targets[40:].any()


@pytest.mark.slow
def test_a_step_of_its_training_leaves_an_aligner(tmp_path, monkeypatch):
    from khmer_aligned import aligners

    monkeypatch.setattr(make_aligner, "STEPS", 1)
    monkeypatch.setattr(make_aligner, "HELD_OUT", 2)
    monkeypatch.setattr(make_aligner, "BATCH_SIZE", 2)
    make_aligner.make_aligner(tmp_path)
    assert aligners.load(str(tmp_path)).vocabulary == tuple(make_aligner.LETTERS)
