"""Clips to examples: timestamps, previous text, neighbours, phrases."""

import numpy as np
import pytest

from khmer_whisper.examples import data
from khmer_whisper.examples.data import Splits
from khmer_whisper.examples.make import split_phrases
from khmer_whisper.examples.mix import Key
from khmer_whisper.labels import IGNORED

from ..conftest import (
    WORD_SECONDS,
)
from .conftest import clips_of


def examples(splits: Splits, tiny, **options) -> list:
    clips = clips_of(splits, tiny, **options)
    return [clips[Key(0, i)] for i in range(len(clips))]


def test_a_clip_is_learned_as_it_is(recording, tiny):
    first = examples(recording, tiny)[2]
    assert len(first.samples) == 2 * WORD_SECONDS * 16_000
    assert tiny.labeller.decode(first.labels.labels) == "ល្អ ធំ"
    spoken = examples(recording, tiny, text="spoken")[2]
    assert tiny.labeller.decode(spoken.labels.labels) == "ល្អធំ"


def test_neighbours_are_joined_up_to_the_window_with_their_pauses(recording, tiny):
    joined = examples(recording, tiny, join=1.0)
    texts = [tiny.labeller.decode(e.labels.labels) for e in joined]
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
    prompts = []
    for example in prompted:
        learned_from = example.labels.labels.index(tiny.labeller.language)
        assert set(example.labels.labels[:learned_from]) <= {IGNORED}
        prompts.append(tiny.labeller.decode(example.labels.inputs[:learned_from]))
    assert prompts == ["", "ទឹក", "ឆ្កែ", "", ""]


def test_no_example_outgrows_the_model(dataset, tiny):
    everything = {"join": 1.0, "timestamps": 1.0, "previous_text": 1.0, "augment": 1.0}
    for example in examples(data.load(str(dataset)), tiny, **everything):
        assert len(example.labels) <= tiny.max_labels
        assert len(example.samples) <= tiny.extractor.n_samples
        assert np.isfinite(example.samples).all()


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
    phrases = split_phrases(spoken_clip(pause=0.3), "text")
    assert [s.text for s in phrases] == ["ទៅផ្សារ", "ទិញត្រី។", "ទៅផ្ទះ"]
    times = [time for s in phrases for time in (s.start, s.end)]
    assert times == pytest.approx([0.0, 0.4, 0.8, 1.2, 1.2, 1.6])
    # A space that nobody pauses at ends no phrase; a sentence does.
    assert [s.text for s in split_phrases(spoken_clip(0.0), "text")] == ["ទៅផ្សារ ទិញត្រី។", "ទៅផ្ទះ"]


def test_a_clip_read_otherwise_stays_whole():
    other = spoken_clip(0.3)
    other["words"][0]["text"] = "ទើប"  # aligned with another reading
    for row in (other, spoken_clip(0.3, words=[])):
        phrases = split_phrases(row, "text")
        assert [s.text for s in phrases] == [row["text"]]
    assert (phrases[0].start, phrases[0].end) == (0.0, 1.8)
    phrases = split_phrases(spoken_clip(0.3, text="...", words=[]), "text")
    assert [s.text for s in phrases] == ["..."]


def test_numbers_stand_in_their_phrase_as_they_are_written(tiny):
    times = [("ទិញ", 0.0), ("ដប់", 0.2), ("ប្រាំបី", 0.4), ("ត្រី", 0.9)]
    words = [{"text": w, "start": t, "end": t + 0.2, "score": 0.9} for w, t in times]
    row = spoken_clip(0.0, text="ទិញ១៨ ត្រី", spoken="ទិញដប់ប្រាំបី ត្រី", words=words)
    assert [s.text for s in split_phrases(row, "text")] == ["ទិញ១៨", "ត្រី"]
    assert [s.text for s in split_phrases(row, "spoken")] == ["ទិញដប់ប្រាំបី", "ត្រី"]
    labels = tiny.labeller.timed(split_phrases(row, "text")).labels
    first = tiny.labeller.first_timestamp
    assert [round((i - first) * 0.02, 2) for i in labels if i >= first] == [0.0, 0.6, 0.9, 1.1]
