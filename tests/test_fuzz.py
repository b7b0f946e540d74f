"""Odd text and odd audio give an alignment that is sound, or one line that says what is wrong."""

import random
import re

import numpy as np
import pytest
import soundfile as sf

from khmer_aligned import aligners, audio
from khmer_aligned.aligners import windows
from khmer_aligned.alignment.align import align
from khmer_aligned.alignment.doubts import find_doubts
from khmer_aligned.alignment.thresholds import Thresholds
from khmer_aligned.clips import quality
from khmer_aligned.clips.cut import cut
from khmer_aligned.errors import Failed, UserError
from khmer_aligned.schema import SAMPLE_RATE
from khmer_aligned.text import Transcript

SECONDS = 4
ALPHABET = (
    "កខគងចញដតទនបពមយរលវសហអ" + "ាិីុូេែៃោំះ់៉៊័" + "្្្" + "០១២៣៤៥៦៧៨៩" + "0123456789.,"
    + "ៗ។៕៖៛$%-/():\"'" + " \n\t\u200b\u200c\ufeff" + "aZé☺→½\U0001f600"
)  # fmt: skip


@pytest.fixture(scope="module")
def aligner(aligner_folder):
    return aligners.load(str(aligner_folder))


@pytest.fixture(scope="module")
def speech(recordings):
    waveform = audio.load(recordings / "farm.ogg", name="farm")
    return waveform[SAMPLE_RATE : (1 + SECONDS) * SAMPLE_RATE]


@pytest.fixture(scope="module")
def quick(aligner, speech):
    """The aligner, with the emission of `speech` for whatever it is given: computed only once."""
    (emission,) = aligner.emissions([speech])

    class Quick:
        def __getattr__(self, name):
            return getattr(aligner, name)

        def emissions(self, waveforms):
            return [emission for _ in waveforms]

    return Quick()


def align_one(speech, text, aligner):
    (result,) = align([speech], [Transcript.from_text(text)], aligner, lag=0.038)
    return result


def check(alignment):
    """Times in order, spans within the text, and figures of every piece of it."""
    raw, duration, last_start = alignment.transcript.raw, alignment.acoustics.duration, 0.0
    assert len(alignment.words) == len(alignment.transcript.words)
    for word in alignment.words:
        assert last_start <= word.start <= word.end <= duration
        assert 0 <= word.span[0] < word.span[1] <= len(raw)
        assert 0 <= word.score <= 1
        last_start = word.start
    samples = round(duration * SAMPLE_RATE)
    pieces = cut(alignment, samples, lambda written, spoken: len(written), 40, Thresholds())
    assert [p.first for p in pieces] == [0, *(p.last for p in pieces[:-1])]
    assert pieces[-1].last == len(alignment.words)
    for piece in pieces:
        figures = quality.measure(alignment, piece)
        assert np.isfinite(list(figures.as_row().values())).all()
        verdict = quality.judge(figures, Thresholds())
        assert verdict is True or (verdict[0] is False and verdict[1])
    for doubt in find_doubts(alignment, Thresholds()):
        assert 0 <= doubt.start <= doubt.end <= duration


@pytest.mark.parametrize(
    "text",
    [
        "ក",
        "កកកកកកកកកក",
        "កក កក កក",
        "១២៣៤៥",
        "១ ២ ៣ ៤ ៥ ៦",
        "១.២៣៤,៥៦ $៧",
        "ា",
        "a",
        "\u200bក\u200b\n\n\nខ\u200b",
        "☺ ក ☺",
        "ក" + " ☺" * 50,
        "។" * 20 + "ក" + "។" * 20,
    ],
)
def test_odd_texts_are_aligned(speech, quick, text):
    check(align_one(speech, text, quick))


@pytest.mark.parametrize(
    "text", ["", " ", "\n\n", "\ufeff", "\u200b\u200b", "។", "ៗ", "ៗៗៗ", "្", "☺", "-", "()"]
)
def test_texts_with_nothing_to_say_fail(speech, quick, text):
    result = align_one(speech, text, quick)
    assert isinstance(result, Failed)
    assert re.search("empty|holds nothing that .* can spell", result.reason)


@pytest.mark.parametrize("text", ["ក" * 300, "កខគ" * 200, "៩" * 60, "១២៣ " * 60, "ៗក" * 150])
def test_too_much_text_is_counted(speech, quick, text):
    result = align_one(speech, text, quick)
    assert isinstance(result, Failed)
    numbers = re.search(r"(\d+) frames cannot hold (\d+) tokens with (\d+) repeats", result.reason)
    frames, tokens, repeats = map(int, numbers.groups())
    assert frames < tokens + repeats
    assert frames == pytest.approx(SECONDS / 0.02, abs=2)
    assert "\n" not in result.reason


def test_random_texts(speech, quick):
    choice = random.Random(0)
    aligned = 0
    for _ in range(150):
        text = "".join(choice.choices(ALPHABET, k=choice.randint(0, 60)))
        result = align_one(speech, text, quick)
        if isinstance(result, Failed):
            assert re.search("empty|spell|frames cannot hold", result.reason), text
            assert "\n" not in result.reason
        else:
            check(result)
            aligned += 1
    assert aligned > 75


@pytest.mark.parametrize("samples", [0, 1, 159, 319, 320, 399, 400, 401, 720, 1599])
def test_too_little_audio_fails_and_costs_no_other(aligner, speech, samples):
    texts = [Transcript.from_text("ក")] * 2
    short, fine = align([speech[:samples], speech], texts, aligner, lag=0.0)
    assert isinstance(short, Failed)
    assert "too short" in short.reason
    check(fine)


@pytest.mark.parametrize("off", [-320, -161, -160, -159, -1, 0, 1, 79, 80, 160, 240, 319, 320])
@pytest.mark.parametrize("windows_full", [1, 2])
def test_windows_lose_and_add_no_frame(aligner, speech, monkeypatch, off, windows_full):
    part = speech[: windows_full * SAMPLE_RATE + off]
    (whole,) = aligner.emissions([part])
    monkeypatch.setattr(windows, "WINDOW_SECONDS", 1.0)
    monkeypatch.setattr(windows, "CONTEXT_SECONDS", 0.2)
    (windowed,) = aligner.emissions([part])
    assert windowed.shape == whole.shape
    assert len(whole) == pytest.approx(len(part) / aligner.stride, abs=2)
    assert np.isfinite(windowed).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 3e4, 1e30])
@pytest.mark.parametrize(("rate", "channels"), [(16_000, 1), (44_100, 2)])
def test_samples_that_are_no_sound_are_said_with_the_file(tmp_path, bad, rate, channels):
    path = tmp_path / "x.wav"
    samples = np.full((rate, channels), 0.1, np.float32)
    samples[rate // 2, 0] = bad
    sf.write(path, samples, rate, subtype="FLOAT")
    with pytest.raises(UserError, match=r"^shelf/x\.wav: holds samples ") as caught:
        audio.load(path, name="shelf/x.wav")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("level", [1.9, 1.0, 0.002])
def test_loud_and_soft_audio_is_aligned_as_any(aligner, speech, level):
    """Louder than full scale, as floats may be, and hardly over what counts as silence."""
    part = speech / np.abs(speech).max() * np.float32(level)
    check(align_one(part, "ក ខ", aligner))


@pytest.mark.parametrize("noise", ["constant", "clicks", "alternating", "noise"])
def test_audio_that_is_no_speech(aligner, noise):
    rng = np.random.default_rng(0)
    n = 2 * SAMPLE_RATE
    waveform = {
        "constant": np.full(n, 0.5),
        "clicks": (np.arange(n) % 4000 == 0) * 1.0,
        "alternating": np.where(np.arange(n) % 2, 1.0, -1.0),
        "noise": rng.uniform(-1, 1, n),
    }[noise].astype(np.float32)
    check(align_one(waveform, "ក ខ\nគ ១២", aligner))
