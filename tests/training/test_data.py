"""Rows of a built dataset to examples: which, in which order, and drawn from what."""

import numpy as np
import pytest

from khmer_aligned.errors import UserError
from khmer_whisper.config import Config
from khmer_whisper.examples import data
from khmer_whisper.examples.data import Splits
from khmer_whisper.examples.make import phrases
from khmer_whisper.examples.mix import Clips, Epochs, Key, Part
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
    return data.load(str(folder))


def clips_of(splits: Splits, tiny, **options) -> Clips:
    config = Config(dataset="d", **options)
    return Clips([Part("d", data.fitting(splits, "train", tiny, config.text))], tiny, config)


def examples(splits: Splits, tiny, **options) -> list:
    clips = clips_of(splits, tiny, **options)
    return [clips[Key(0, i)] for i in range(len(clips))]


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
    everything = {"join": 1.0, "timestamps": 1.0, "previous_text": 1.0, "augment": 1.0}
    for example in examples(data.load(str(dataset)), tiny, **everything):
        assert len(example.labels) <= tiny.max_tokens
        assert len(example.samples) <= tiny.extractor.n_samples
        assert np.isfinite(example.samples).all()


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


def test_clips_that_do_not_fit_are_listed_and_never_cut(tmp_path, tiny):
    rows = [
        clip(0, ["ទឹក"], "a"),
        clip(1, ["ទឹក"] * 6, "a"),  # 2.4 s
        clip(2, ["ធំ"], "a", text="ខ្មែរ" * 10),  # 154 tokens
    ]
    folder = write_dataset(tmp_path / "d", {"train": rows})
    for streaming in (False, True):
        splits = data.load(str(folder), streaming=streaming)
        found = data.fitting(splits, "train", tiny, "text")
        assert [row["id"] for row in found.rows] == ["a-00000"]
        assert found.seconds.tolist() == pytest.approx([0.4])
        assert [clip.id for clip in found.left_out] == ["a-00001", "a-00002"]
        assert "2.40 s of audio, over the model's 2 s" in found.left_out[0].reason
        assert "154 label tokens, over the model's 63" in found.left_out[1].reason
        found = data.fitting(splits, "train", tiny, None)  # to be recognized, not learned
        assert [clip.id for clip in found.left_out] == ["a-00001"]


def test_a_missing_column_and_unreadable_audio_are_named(tmp_path, tiny):
    rows = [clip(0, ["ទឹក"], "a", audio={"bytes": b"not audio at all", "path": None})]
    folder = write_dataset(tmp_path / "broken", {"train": rows})
    with pytest.raises(UserError, match="clip a-00000"):
        examples(data.load(str(folder)), tiny)
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


def spoken_clip(pause: float, **changes) -> dict:
    """ទៅផ្សារ ទិញត្រី។ ទៅផ្ទះ, with a pause after the first phrase."""
    words = [("ទៅ", 0.0), ("ផ្សារ", 0.2), ("ទិញ", 0.5 + pause), ("ត្រី", 0.7 + pause)]
    words += [("ទៅ", 0.9 + pause), ("ផ្ទះ", 1.1 + pause)]
    times = [{"text": w, "start": t, "end": t + 0.2, "score": 0.9} for w, t in words]
    return {
        "text": "ទៅផ្សារ ទិញត្រី។ ទៅផ្ទះ",
        "spoken": "ទៅផ្សារ ទិញត្រី។ ទៅផ្ទះ",
        "words": times,
        "duration": 1.5 + pause,
    } | changes


def test_a_clip_is_split_into_the_phrases_of_its_speaker():
    found = phrases(spoken_clip(pause=0.3), "text")
    assert [s.text for s in found] == ["ទៅផ្សារ", "ទិញត្រី។", "ទៅផ្ទះ"]
    times = [time for s in found for time in (s.start, s.end)]
    assert times == pytest.approx([0.0, 0.4, 0.8, 1.2, 1.2, 1.6])
    # A space that nobody pauses at ends no phrase; a sentence does.
    assert [s.text for s in phrases(spoken_clip(0.0), "text")] == ["ទៅផ្សារ ទិញត្រី។", "ទៅផ្ទះ"]


def test_a_clip_read_otherwise_stays_whole():
    other = spoken_clip(0.3)
    other["words"][0]["text"] = "ទើប"  # the aligner heard another reading
    for row in (other, spoken_clip(0.3, words=[])):
        found = phrases(row, "text")
        assert [s.text for s in found] == [row["text"]]
    assert (found[0].start, found[0].end) == (0.0, 1.8)
    assert [s.text for s in phrases(spoken_clip(0.3, text="...", words=[]), "text")] == ["..."]


def test_numbers_stand_in_their_phrase_as_they_are_written(tiny):
    times = [("ទិញ", 0.0), ("ដប់", 0.2), ("ប្រាំបី", 0.4), ("ត្រី", 0.9)]
    words = [{"text": w, "start": t, "end": t + 0.2, "score": 0.9} for w, t in times]
    row = spoken_clip(0.0, text="ទិញ១៨ ត្រី", spoken="ទិញដប់ប្រាំបី ត្រី", words=words)
    assert [s.text for s in phrases(row, "text")] == ["ទិញ១៨", "ត្រី"]
    assert [s.text for s in phrases(row, "spoken")] == ["ទិញដប់ប្រាំបី", "ត្រី"]
    labels = tiny.labeller.timed(phrases(row, "text")).labels
    first = tiny.labeller.first_timestamp
    assert [round((i - first) * 0.02, 2) for i in labels if i >= first] == [0.0, 0.6, 0.9, 1.1]
