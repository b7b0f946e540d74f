"""Where somebody speaks: beside Silero's own reading, on real voices, whatever the blocks."""

from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from khmer_aligned import audio
from khmer_aligned.schema import SAMPLE_RATE
from khmer_aligned.speech import FRAME, SpeechDetector, find_speech, speech_probabilities

VOICE = Path(__file__).parents[1] / "training/khmer_whisper/demo/assets/recordings"


@pytest.fixture(scope="module")
def voice() -> np.ndarray:
    """Half a minute of one of the demo's voices."""
    path = min(VOICE.glob("*.ogg"))
    return audio.load(path, name=path.name)[: 30 * SAMPLE_RATE]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_probabilities_are_those_of_the_package(voice):
    folder = find_spec("silero_vad").submodule_search_locations[0]
    theirs = torch.jit.load(Path(folder) / "data/silero_vad.jit").eval()
    samples = torch.from_numpy(voice[: 600 * FRAME - 100])  # more than a block, and no whole frame
    padded = torch.nn.functional.pad(samples, (0, 100))
    with torch.no_grad():
        expected = [theirs(frame[None], SAMPLE_RATE).item() for frame in padded.view(-1, FRAME)]
    np.testing.assert_allclose(speech_probabilities(samples.numpy()), expected, atol=1e-4)


def test_speech_between_silence_music_and_noise(voice):
    generator = np.random.default_rng(0)
    time = np.arange(5 * SAMPLE_RATE) / SAMPLE_RATE
    music = 0.1 * sum(np.sin(2 * np.pi * note * time) for note in (220, 277.2, 329.6))
    noise = 0.05 * generator.standard_normal(5 * SAMPLE_RATE)
    begin, end = 10.0, 10.0 + len(voice) / SAMPLE_RATE
    waveform = np.concatenate([0 * time, music, voice, noise]).astype(np.float32)
    spoken = find_speech(waveform)
    assert all(begin - 0.1 <= speech.start < speech.end <= end + 0.1 for speech in spoken)
    assert sum(speech.end - speech.start for speech in spoken) > 0.5 * (end - begin)
    assert all(before.end <= after.start for before, after in pairwise(spoken))


def test_blocks_change_nothing(voice):
    detector = SpeechDetector()
    spoken = [s for i in range(0, len(voice), 7001) for s in detector.feed(voice[i : i + 7001])]
    assert [*spoken, *detector.finish()] == find_speech(voice) != []


def test_long_speech_is_cut_to_the_time_that_is_allowed(voice):
    detector = SpeechDetector(longest=1.0)
    spoken = [*detector.feed(voice), *detector.finish()]
    assert max(speech.end - speech.start for speech in spoken) <= 1.0 + 0.1
    seconds = sum(speech.end - speech.start for speech in spoken)
    whole = sum(speech.end - speech.start for speech in find_speech(voice))
    assert seconds == pytest.approx(whole, rel=0.05)
    assert all(before.end <= after.start for before, after in pairwise(spoken))


@pytest.mark.parametrize("samples", [0, 1, FRAME - 1, FRAME, 100_000])
def test_silence_of_any_length_holds_no_speech(samples):
    assert find_speech(np.zeros(samples, np.float32)) == []


def test_torch_keeps_its_threads():
    before = torch.get_num_threads()
    find_speech(np.zeros(SAMPLE_RATE, np.float32))
    assert torch.get_num_threads() == before
