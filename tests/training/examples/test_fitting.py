"""Which clips fit a model."""

import pytest

from khmer_whisper.examples import data
from khmer_whisper.examples.fitting import select_fitting

from ..conftest import clip, plain_dataset, write_dataset


def test_clips_that_do_not_fit_are_listed_and_never_cut(tmp_path, tiny):
    rows = [
        clip(0, ["ទឹក"], "a"),
        clip(1, ["ទឹក"] * 6, "a"),  # 2.4 s
        clip(2, ["ធំ"], "a", text="ខ្មែរ" * 10),  # 154 tokens
    ]
    folder = write_dataset(tmp_path / "d", {"train": rows})
    for streaming in (False, True):
        splits = data.load(str(folder), streaming=streaming)
        fitting = select_fitting(splits, "train", tiny, "text")
        assert [row["id"] for row in fitting.rows] == ["a-00000"]
        assert fitting.seconds.tolist() == pytest.approx([0.4])
        assert [clip.id for clip in fitting.left_out] == ["a-00001", "a-00002"]
        assert "2.40 s of audio, over the model's 2 s" in fitting.left_out[0].reason
        assert "154 labels, over the model's 63" in fitting.left_out[1].reason
        fitting = select_fitting(splits, "train", tiny, None)  # to be recognized, not learned
        assert [clip.id for clip in fitting.left_out] == ["a-00001"]


def test_half_a_sample_over_the_window_does_not_fit(tmp_path, tiny):
    # 64,001 samples at 32 kHz are 32,001 at 16 kHz, one more than the window of 2 s.
    folder = plain_dataset(tmp_path, ["a"], rate=32_000, seconds=2 + 1 / 32_000)
    fitting = select_fitting(data.load(str(folder), language="en"), "train", tiny, "text")
    assert [clip.reason for clip in fitting.left_out] == ["2.00 s of audio, over the model's 2 s"]


def test_a_clip_that_nobody_transcribed_is_listed(tmp_path, tiny):
    plain_dataset(tmp_path, ["big", None, "...", " "])
    splits = data.load(str(tmp_path), language="en")
    fitting = select_fitting(splits, "train", tiny, "text")
    assert len(fitting) == 1
    assert [clip.reason for clip in fitting.left_out] == ["no text"] * 3
