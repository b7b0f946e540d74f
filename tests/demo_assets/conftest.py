"""A synthesizer, and what tests of its speech share."""

import numpy as np
import pytest

from demo_assets.corpus import Reading
from demo_assets.synthesize import Espeak, Voice
from khmer_aligned.schema import SAMPLE_RATE
from khmer_aligned.text import Transcript

VOICE = Voice("id", "f2")


@pytest.fixture(scope="session")
def espeak():
    return Espeak()


def level(samples, start, end):
    part = samples[round(start * SAMPLE_RATE) : round(end * SAMPLE_RATE)]
    return 10 * np.log10(np.mean(part**2) + 1e-12)


def reading_of(text, times):
    return Reading(np.zeros(SAMPLE_RATE, np.float32), Transcript.from_text(text).words, times)
