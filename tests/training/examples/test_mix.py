"""Which examples an epoch holds: how often each clip is seen, and in which language."""

import numpy as np
import pytest

from khmer_aligned.errors import UserError
from khmer_whisper.config import Config
from khmer_whisper.examples import data
from khmer_whisper.examples.fitting import select_fitting
from khmer_whisper.examples.mix import Clips, Epochs, Key, Part

from .conftest import clips_of


def test_an_example_is_drawn_from_the_seed_and_its_key_alone(recording, tiny):
    options = {"timestamps": 0.5, "augment": 0.5, "join": 0.5}

    keys = [Key(epoch, clip, copy) for epoch in range(5) for clip in range(5) for copy in range(2)]

    def drawn(seed: int, keys: list[Key]) -> dict:
        clips = clips_of(recording, tiny, seed=seed, **options)
        return {key: clips[key] for key in keys}

    once, again = drawn(1, keys), drawn(1, keys[::-1])
    for key, example in once.items():
        assert example.labels == again[key].labels
        assert np.array_equal(example.samples, again[key].samples)
    # Other epochs, copies and seeds draw anew.
    assert len({len(once[Key(epoch, 0)].samples) for epoch in range(5)}) > 1
    assert len({len(once[Key(0, clip, copy)].samples) for clip in (0, 1) for copy in (0, 1)}) > 1
    assert any(
        len(a.samples) != len(b.samples)
        for a, b in zip(once.values(), drawn(2, keys).values(), strict=True)
    )


def test_each_epoch_has_every_clip_in_its_own_order():
    sampler = Epochs([20], [1.0], seed=3)
    first = list(sampler)
    sampler.epoch = 1
    second = list(sampler)
    assert sorted(first) == [Key(0, clip) for clip in range(20)]
    assert sorted(second) == [Key(1, clip) for clip in range(20)]
    assert [key.clip for key in second] != [key.clip for key in first]
    again = Epochs([20], [1.0], seed=3)
    again.epoch = 1  # as in a run that was resumed and never saw the first
    assert list(again) == second


def test_a_weight_is_how_often_a_clip_is_seen():
    sampler = Epochs([4, 10, 3], [1.0, 0.5, 2.0], seed=1)
    seen = []
    for epoch in range(40):
        sampler.epoch = epoch
        keys = list(sampler)
        assert len(keys) == len(sampler) == len(set(keys)) == 4 + 5 + 6
        assert [key.clip for key in keys] != sorted(key.clip for key in keys)
        seen.append([key.clip for key in keys])
    for clip_ in range(4):
        assert all(keys.count(clip_) == 1 for keys in seen)
    for clip_ in range(14, 17):
        assert all(keys.count(clip_) == 2 for keys in seen)
    halves = [frozenset(c for c in keys if 4 <= c < 14) for keys in seen]
    assert all(len(half) == 5 for half in halves)
    assert len(set(halves)) > 30  # drawn anew
    for clip_ in range(4, 14):
        assert 8 <= sum(clip_ in half for half in halves) <= 32


def test_mixing_changes_nothing_in_the_examples_of_the_first(few, other, tiny):
    config = Config(dataset="d", augment=1.0)
    parts = [
        Part(str(path), select_fitting(data.load(str(path)), "train", tiny, "text"), weight)
        for path, weight in ((few, 1.0), (other, 0.5))
    ]
    alone, mixed = Clips(parts[:1], tiny, config), Clips(parts, tiny, config)
    assert len(alone) == 16
    assert len(mixed) == 16 + 4
    for key in alone.sampler(config):
        assert (alone[key].samples == mixed[key].samples).all()


def test_a_plain_dataset_of_another_language_keeps_its_language(plain, tiny):
    splits = data.load(str(plain), language="en")
    fitting = select_fitting(splits, "train", tiny, "text")
    assert fitting.seconds.tolist() == pytest.approx([0.4] * 10)
    config = Config(dataset="d", timestamps=0.5, previous_text=1.0, join=0.5)
    clips = Clips([Part("plain", fitting, language="en")], tiny, config)
    english = tiny.tokenizer.convert_tokens_to_ids("<|en|>")
    for key in clips.sampler(config):
        labels = clips[key].labels.labels
        assert labels[0] == english
        assert tiny.labeller.decode(labels) == f"big {key.clip}"
    with pytest.raises(UserError, match="no column id"):
        data.load(str(plain))  # the dataset that is scored on must have it all
    with pytest.raises(UserError, match=r"no <\|xx\|>"):
        Clips([Part("plain", fitting, language="xx")], tiny, config)
    with pytest.raises(UserError, match="takes none of its 10 clips"):
        Part("plain", fitting, weight=0.01)
