"""Audio as a page carries it."""

import numpy as np

from khmer_aligned.audio import load
from khmer_aligned.report.sound import BIT_RATE, encode_opus, peaks
from khmer_aligned.schema import SAMPLE_RATE


def test_opus_sounds_as_the_speech_did_and_takes_little(recordings):
    speech = load(recordings / "farm.ogg", name="farm", end=10.0)
    opus = encode_opus(speech)
    assert opus == encode_opus(speech)
    assert len(opus) < 1.5 * BIT_RATE / 8 * 10
    back = load(opus, name="opus")
    assert abs(len(back) - len(speech)) <= SAMPLE_RATE // 40
    count = min(len(back), len(speech))
    assert np.corrcoef(back[:count], speech[:count])[0, 1] > 0.9


def test_peaks_follow_the_level():
    waveform = np.concatenate([np.zeros(SAMPLE_RATE), np.full(SAMPLE_RATE, -0.5)])
    levels = peaks(waveform.astype(np.float32))
    assert len(levels) in (120, 121)
    assert (levels[:59] == 0).all() and (levels[61:-1] == 255).all()
    assert len(peaks(np.zeros(0, np.float32))) == 0
