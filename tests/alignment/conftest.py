"""The demo's recordings, aligned once."""

import pytest

from khmer_aligned import aligners, audio
from khmer_aligned.alignment.align import align, locate, set_times
from khmer_aligned.alignment.lag import Lag, estimate_lag
from khmer_aligned.alignment.thresholds import DEFAULT
from khmer_aligned.text import Transcript

NAMES = ("farm", "journey", "market", "school")


@pytest.fixture(scope="session")
def aligner(aligner_folder):
    return aligners.load(str(aligner_folder))


@pytest.fixture(scope="session")
def located(aligner, waveforms, texts):
    """The path of each transcript through its recording, by its name."""
    transcripts = [Transcript.from_text(texts[name]) for name in NAMES]
    paths = locate([waveforms[name] for name in NAMES], transcripts, aligner)
    return dict(zip(NAMES, paths, strict=True))


@pytest.fixture(scope="session")
def lag(located):
    """Of the demo's aligner, as its recordings tell it."""
    return Lag.of(estimate_lag([item.edges for item in located.values()]), "measured")


@pytest.fixture(scope="session")
def align_one(aligner, lag):
    """`align_one(waveform, text)`: one alignment, with the demo's aligner or another."""

    def run(waveform, text, model=aligner, thresholds=DEFAULT, seconds=lag.seconds):
        transcript = Transcript.from_text(text)
        (result,) = align([waveform], [transcript], model, lag=seconds, thresholds=thresholds)
        return result

    return run


@pytest.fixture(scope="session")
def texts(recordings):
    return {name: (recordings / f"{name}.txt").read_bytes().decode() for name in NAMES}


@pytest.fixture(scope="session")
def waveforms(recordings):
    return {name: audio.load(recordings / f"{name}.ogg", name=name) for name in NAMES}


@pytest.fixture(scope="session")
def aligned(located, lag):
    """The alignment of each recording, by its name."""
    return {name: set_times(item, lag) for name, item in located.items()}
