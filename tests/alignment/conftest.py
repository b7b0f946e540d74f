"""The demo's recordings, aligned once."""

import pytest

from khmer_aligned import aligners, audio
from khmer_aligned.alignment.align import align
from khmer_aligned.alignment.thresholds import DEFAULT
from khmer_aligned.text import Transcript

NAMES = ("farm", "journey", "market", "school")


@pytest.fixture(scope="session")
def aligner(aligner_folder):
    return aligners.load(str(aligner_folder))


@pytest.fixture(scope="session")
def align_one(aligner):
    """`align_one(waveform, text)`: one alignment, with the demo's aligner or another."""

    def run(waveform, text, model=aligner, thresholds=DEFAULT):
        transcript = Transcript.from_text(text)
        (result,) = align([waveform], [transcript], model, thresholds)
        return result

    return run


@pytest.fixture(scope="session")
def texts(recordings):
    return {name: (recordings / f"{name}.txt").read_bytes().decode() for name in NAMES}


@pytest.fixture(scope="session")
def waveforms(recordings):
    return {name: audio.load(recordings / f"{name}.ogg", name=name) for name in NAMES}


@pytest.fixture(scope="session")
def aligned(aligner, waveforms, texts):
    """The alignment of each recording, by its name."""
    transcripts = [Transcript.from_text(texts[name]) for name in NAMES]
    alignments = align([waveforms[name] for name in NAMES], transcripts, aligner)
    return dict(zip(NAMES, alignments, strict=True))
