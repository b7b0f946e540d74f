"""Rows of a built dataset to examples: which, in which order, and drawn from what."""

import numpy as np
import pytest

from khmer_aligned.schema import UserError
from khmer_whisper import data
from khmer_whisper.config import Config
from khmer_whisper.data import Clips, Epochs
from khmer_whisper.labels import IGNORED

from .conftest import WORD_SECONDS, clip, write_dataset


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    """Four clips of one recording, the last far from the others, and one of another."""
    rows = [
        clip(0, ["ទឹក"], "a", start=0.0, end=0.4),
        clip(1, ["ឆ្កែ"], "a", start=0.6, end=1.0),
        clip(2, ["ល្អ", "ធំ"], "a", start=1.0, end=1.8),
        clip(3, ["ធំ"], "a", start=9.0, end=9.4),
        clip(4, ["ទឹក"], "b", start=9.5, end=9.9),
    ]
    folder = write_dataset(tmp_path_factory.mktemp("recording"), {"train": rows})
    return data.load(str(folder)).get("train")


def examples(rows, tiny, **options) -> list:
    clips = Clips(rows, tiny, Config(dataset="d", **options))
    return [clips[i] for i in range(len(clips))]


def test_a_clip_is_learned_as_it_is(recording, tiny):
    first = examples(recording, tiny)[2]
    assert len(first.samples) == 2 * WORD_SECONDS * 16_000
    assert tiny.labeller.text(first.labels.labels) == "ល្អ ធំ"
    spoken = examples(recording, tiny, text="spoken")[2]
    assert tiny.labeller.text(spoken.labels.labels) == "ល្អធំ"


def test_neighbours_are_joined_up_to_the_window_with_their_pauses(recording, tiny):
    joined = examples(recording, tiny, join=1.0)
    texts = [tiny.labeller.text(e.labels.labels) for e in joined]
    # The third ends the chain (nothing follows within a second), the fourth stands alone.
    assert texts[1:] == ["ឆ្កែ ល្អ ធំ", "ល្អ ធំ", "ធំ", "ទឹក"]
    assert texts[0] in ("ទឹក ឆ្កែ", "ទឹក ឆ្កែ ល្អ ធំ")
    both = joined[0]
    assert len(both.samples) <= tiny.extractor.n_samples
    pause = both.samples[int(0.4 * 16_000) : int(0.6 * 16_000)]
    assert not pause.any()
    assert both.samples[int(0.6 * 16_000) :][:100].any()


def test_timestamps_tell_where_each_joined_clip_stands(recording, tiny):
    labels = examples(recording, tiny, join=1.0, timestamps=1.0)[1].labels.labels
    first = tiny.labeller.first_timestamp
    times = [round((i - first) * 0.02, 2) for i in labels if i >= first]
    assert times == [0.0, 0.4, 0.4, 1.2]


def test_previous_text_comes_from_the_same_recording(recording, tiny):
    prompted = examples(recording, tiny, previous_text=1.0)
    said = []
    for example in prompted:
        learned_from = example.labels.labels.index(tiny.labeller.language)
        assert set(example.labels.labels[:learned_from]) <= {IGNORED}
        said.append(tiny.labeller.text(example.labels.inputs[:learned_from]))
    assert said == ["", "ទឹក", "ឆ្កែ", "", ""]


def test_no_example_outgrows_the_model(dataset, tiny):
    rows = data.load(str(dataset)).get("train")
    everything = {"join": 1.0, "timestamps": 1.0, "previous_text": 1.0, "augment": 1.0}
    clips = Clips(rows, tiny, Config(dataset="d", **everything))
    for key in range(len(clips)):
        example = clips[key]
        assert len(example.labels) <= tiny.max_tokens
        assert len(example.samples) <= tiny.extractor.n_samples
        assert np.isfinite(example.samples).all()


def test_an_example_is_drawn_from_the_seed_and_its_key_alone(recording, tiny):
    options = {"timestamps": 0.5, "augment": 0.5, "join": 0.5}

    def drawn(seed: int, keys: list[int]) -> list:
        clips = Clips(recording, tiny, Config(dataset="d", seed=seed, **options))
        return {key: clips[key] for key in keys}

    once, again = drawn(1, list(range(50))), drawn(1, list(range(49, -1, -1)))
    for key, example in once.items():
        assert example.labels == again[key].labels
        assert np.array_equal(example.samples, again[key].samples)
    # Other epochs and other seeds draw anew.
    assert len({len(once[i].samples) for i in range(0, 50, 5)}) > 1
    assert any(
        len(a.samples) != len(b.samples)
        for a, b in zip(once.values(), drawn(2, list(range(50))).values(), strict=True)
    )


def test_each_epoch_has_every_clip_in_its_own_order():
    sampler = Epochs(20, seed=3)
    first = list(sampler)
    sampler.epoch = 1
    second = list(sampler)
    assert sorted(first) == list(range(20))
    assert sorted(second) == list(range(20, 40))
    assert [key - 20 for key in second] != first
    again = Epochs(20, seed=3)
    again.epoch = 1  # as in a run that was resumed and never saw the first
    assert list(again) == second


def test_clips_that_do_not_fit_are_listed_and_never_cut(tmp_path, tiny):
    rows = [
        clip(0, ["ទឹក"], "a"),
        clip(1, ["ទឹក"] * 6, "a"),  # 2.4 s
        clip(2, ["ធំ"], "a", text="ខ្មែរ" * 10),  # 154 tokens
    ]
    rows = data.load(str(write_dataset(tmp_path / "d", {"train": rows}))).get("train")
    kept, left_out = data.fitting(rows, tiny, "text")
    assert kept["id"][:] == ["a-00000"]
    assert [clip.id for clip in left_out] == ["a-00001", "a-00002"]
    assert "2.40 s of audio, over the model's 2 s" in left_out[0].reason
    assert "154 label tokens, over the model's 63" in left_out[1].reason
    kept, left_out = data.fitting(rows, tiny, None)  # to be recognized, not learned
    assert [clip.id for clip in left_out] == ["a-00001"]


def test_a_missing_column_and_unreadable_audio_are_named(tmp_path, tiny):
    rows = [clip(0, ["ទឹក"], "a", audio={"bytes": b"not audio at all", "path": None})]
    folder = write_dataset(tmp_path / "broken", {"train": rows})
    clips = Clips(data.load(str(folder)).get("train"), tiny, Config(dataset="d"))
    with pytest.raises(UserError, match="clip a-00000"):
        clips[0]
    with pytest.raises(UserError, match="nowhere"):
        data.load(str(tmp_path / "nowhere"))
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "data.csv").write_text("id,text\n1,a\n", encoding="utf-8")
    with pytest.raises(UserError, match="no column audio"):
        data.load(str(tmp_path / "text"))
    (tmp_path / "torn" / "data").mkdir(parents=True)
    (tmp_path / "torn" / "data" / "train-00000-of-00001.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(UserError, match=r"torn: cannot be loaded as a dataset: .*[Pp]arquet"):
        data.load(str(tmp_path / "torn"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="empty: cannot be loaded"):
        data.load(str(tmp_path / "empty"))
