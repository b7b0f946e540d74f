"""Speech from espeak-ng, with the times of its words."""

import pytest

from demo_assets.synthesize import Voice

from .conftest import VOICE, level


def test_speaks_at_the_times_it_tells(espeak):
    speech = espeak.speak(["phsaar", "mtaay", "tau"], VOICE)
    assert len(speech.times) == 3
    for (start, end), (following, _) in zip(speech.times, speech.times[1:], strict=False):
        assert 0 <= start < end <= following
    assert all(level(speech.samples, *time) > -35 for time in speech.times)
    assert level(speech.samples, speech.times[-1][1] + 0.05, 1e9) < -40


def test_a_faster_voice_takes_less_time(espeak):
    words = ["phsaar", "mtaay", "tau"]
    slow, fast = (espeak.speak(words, Voice("id", "m3", rate=rate)) for rate in (120, 200))
    assert len(fast.samples) < 0.8 * len(slow.samples)


def test_what_is_read_otherwise_is_an_error(espeak):
    with pytest.raises(RuntimeError, match="espeak-ng"):
        espeak.speak(["chaaba²neh"], VOICE)
    with pytest.raises(RuntimeError, match="no voice"):
        espeak.speak(["tau"], Voice("nowhere", "f2"))
