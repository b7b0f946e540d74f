"""A recording in parts, and the clips that a person decided on."""

import json

import numpy as np
import pytest

from khmer_aligned import audio
from khmer_aligned.alignment.thresholds import Thresholds
from khmer_aligned.clips.make import MakeClips
from khmer_aligned.clips.parts import divide
from khmer_aligned.schema import SAMPLE_RATE


def row(path, text, corrections):
    names = ("first", "last", "start", "end", "verdict", "reason")
    return {
        "id": "farm", "recording": "farm", "audio": {"bytes": None, "path": str(path)},
        "text": text, "path": "farm.ogg", "speaker": None, "split": None, "start": None,
        "end": 12.0, "problem": None, "detail": "", "cues": [], "content": None,
        "corrections": [dict(zip(names, item, strict=True)) for item in corrections],
    }  # fmt: skip


def test_parts_tile_audio_and_text():
    waveform = np.arange(10 * SAMPLE_RATE, dtype=np.float32)
    cues = [{"first": 0, "last": 2, "start": 0.0, "end": 1.0},
            {"first": 6, "last": 9, "start": 7.0, "end": 9.0}]  # fmt: skip
    whole = row(
        "a", "0123456789", [(2, 4, 1.5, 3.0, "accept", ""), (5, 5, 3.0, 4.0, "reject", "x")]
    )
    parts = divide(whole | {"cues": cues, "start": 1.0}, waveform)
    assert "".join(part.row["text"] for part in parts) == "0123456789"
    assert np.array_equal(np.concatenate([part.waveform for part in parts]), waveform)
    assert [(part.first, part.sample / SAMPLE_RATE) for part in parts] == [
        (0, 0), (2, 0.5), (4, 2.0), (5, 2.0), (5, 3.0),
    ]  # fmt: skip
    assert [part.row["start"] for part in parts] == [1.0, 1.5, 3.0, 3.0, 4.0]
    assert [part.is_aligned for part in parts] == [True, True, True, False, True]
    assert parts[4].row["cues"] == [{"first": 1, "last": 4, "start": 4.0, "end": 6.0}]


@pytest.fixture(scope="module")
def make_clips(aligner_folder, tokenizer_folder):
    return MakeClips(str(aligner_folder), str(tokenizer_folder), 440, 0.038, Thresholds())


def test_an_accepted_stretch_is_the_clip_between_its_edges(make_clips, recordings):
    path = recordings / "farm.ogg"
    text = (recordings / "farm.txt").read_text(encoding="utf-8").split("ពេល")[0]
    first = text.index("។") + 2  # behind the first sentence
    source = row(path, text, [(first, len(text), 3.21, 9.5, "accept", "")])
    outcomes = make_clips({name: [value] for name, value in source.items()})
    rows = [dict(zip(outcomes, v, strict=True)) for v in zip(*outcomes.values(), strict=True)]
    clips = [item for item in rows if item["rejection"] is None]
    assert [item["id"] for item in clips] == [f"farm-{i:05d}" for i in range(len(clips))]
    accepted = clips[-1]
    assert (accepted["start"], accepted["end"]) == pytest.approx((3.21, 9.5))
    assert accepted["text"] == text[first:].strip().replace("\n", " ")
    assert accepted["audio"]["bytes"] == audio.encode_flac(
        audio.load(path, name="farm", start=3.21, end=9.5)
    )
    # The balance, and spans in the text of the whole recording.
    assert sum(item["samples"] for item in rows) == 12 * SAMPLE_RATE == rows[0]["recording_samples"]
    assert sum(item["characters"] for item in rows) == len(text)
    rejections = [json.loads(item["rejection"]) for item in rows if item["rejection"]]
    assert rejections[-1]["start"] == 9.5 and rejections[-1]["span"] == [len(text), len(text)]
    for rejection in rejections:
        assert text[slice(*rejection["span"])] == rejection["text"]
        assert rejection["path"] == "farm.ogg"


def test_a_rejected_stretch_has_the_reason_of_the_person(make_clips, recordings):
    text = (recordings / "farm.txt").read_text(encoding="utf-8").split("\n")[0]
    reason = "rejected by ear: noise or music"
    source = row(recordings / "farm.ogg", text, [(0, len(text), 0.0, 12.0, "reject", reason)])
    outcomes = make_clips({name: [value] for name, value in source.items()})
    (rejection,) = [json.loads(line) for line in outcomes["rejection"] if line]
    assert (rejection["reason"], rejection["text"]) == (reason, text)
