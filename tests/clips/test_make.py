"""The function given to `Dataset.map`: a row for each clip and each rejection."""

import json
import pickle

import pytest

from khmer_aligned.alignment.thresholds import Thresholds
from khmer_aligned.clips.make import MakeClips
from khmer_aligned.schema import SAMPLE_RATE, Problem


@pytest.fixture(scope="module")
def make_clips(aligner_folder, tokenizer_folder):
    return MakeClips(str(aligner_folder), str(tokenizer_folder), 440, 0.038, Thresholds())


def recording(path, text, problem=None, start=None, end=None):
    """A row of RECORDING_FEATURES."""
    audio = {"bytes": path.read_bytes() if path else None, "path": "a.ogg"}
    return {
        "id": "a", "recording": "a", "audio": audio, "text": text, "path": "shelf/a.ogg",
        "speaker": None, "split": None, "start": start, "end": end, "problem": problem,
        "detail": "it is not there" if problem else "", "cues": [], "content": None,
        "corrections": [], "text_file": None,
    }  # fmt: skip


def run(make_clips, rows):
    outcomes = make_clips({name: [row[name] for row in rows] for name in rows[0]})
    columns = outcomes.values()
    return [dict(zip(outcomes, v, strict=True)) for v in zip(*columns, strict=True)]


def test_a_failed_recording_is_a_rejection_and_costs_no_other(make_clips, recordings):
    text = (recordings / "farm.txt").read_text(encoding="utf-8")
    sentence, farm = text.split("។")[0], recordings / "farm.ogg"
    rows = [
        recording(None, "ក", problem="no transcript"),
        recording(farm, "\n"),
        recording(farm, sentence, end=4.0),
    ]
    missing, empty, *others = run(make_clips, rows)
    rejection = json.loads(missing["rejection"])
    assert (rejection["reason"], rejection["start"]) == ("no transcript", None)
    assert rejection["figures"] == {"path": "shelf/a.ogg", "detail": "it is not there"}
    assert (missing["recording_samples"], missing["recording_characters"]) == (0, 1)
    rejection = json.loads(empty["rejection"])
    assert (rejection["reason"], rejection["start"]) == ("the transcript is empty", 0)
    (clip,) = [row for row in others if row["rejection"] is None]
    assert clip["text"] == sentence
    assert others == run(make_clips, rows[2:])
    assert sum(row["samples"] for row in others) == 4 * SAMPLE_RATE
    assert sum(row["characters"] for row in others) == len(sentence)


def test_the_models_are_never_pickled(make_clips, recordings):
    before = pickle.dumps(MakeClips(*(getattr(make_clips, name) for name in (
        "aligner", "tokenizer", "max_labels", "lag", "thresholds"
    ))))  # fmt: skip
    run(make_clips, [recording(recordings / "farm.ogg", "ក", end=1.0)])
    assert make_clips._models is not None
    assert pickle.dumps(make_clips) == before


def test_a_clip_has_the_speaker_that_the_text_names(make_clips, recordings):
    lines = (recordings / "farm.txt").read_text(encoding="utf-8").splitlines()
    names = ("សុខា", "ដារ៉ា") * 2
    text = "\n".join(f"{name}៖ {line}" for name, line in zip(names, lines, strict=True))
    row = recording(recordings / "farm.ogg", text)
    clips = [each for each in run(make_clips, [row]) if each["rejection"] is None]
    assert {clip["speaker"] for clip in clips} == set(names)
    for clip in clips:
        assert any(clip["text"] in line for line in lines)
        assert clip["speaker"] == names[[clip["text"] in line for line in lines].index(True)]
    named = run(make_clips, [row | {"speaker": "of the table"}])
    assert {each["speaker"] for each in named if each["rejection"] is None} == {"of the table"}


def test_the_audio_that_speaks_no_passage_of_its_text_counts(make_clips, recordings):
    row = recording(recordings / "farm.ogg", "", problem=Problem.NOT_IN_TEXT, end=4.0)
    (outcome,) = run(make_clips, [row | {"text_file": "book.txt"}])
    rejection = json.loads(outcome["rejection"])
    assert (rejection["reason"], rejection["end"]) == (Problem.NOT_IN_TEXT, 4.0)
    assert outcome["recording_samples"] == outcome["samples"] == 4 * SAMPLE_RATE
    unspoken = recording(None, "ក", problem=Problem.UNSPOKEN_TEXT)
    (outcome,) = run(make_clips, [unspoken])
    assert (outcome["recording_samples"], outcome["recording_characters"]) == (None, 1)
