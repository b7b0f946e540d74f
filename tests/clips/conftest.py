"""Recordings of the demo, aligned once."""

import pytest

from khmer_aligned import aligners, audio
from khmer_aligned.alignment.align import align
from khmer_aligned.text import Transcript


@pytest.fixture(scope="session")
def aligned(aligner_folder, recordings):
    """The alignment of each recording and its samples, by its name."""
    names = ("journey", "market", "school")
    waveforms = [audio.load(recordings / f"{name}.ogg", name=name) for name in names]
    texts = [(recordings / f"{name}.txt").read_text(encoding="utf-8") for name in names]
    transcripts = [Transcript.from_text(text) for text in texts]
    alignments = align(waveforms, transcripts, aligners.load(str(aligner_folder)), lag=0.038)
    return {
        name: (alignment, len(waveform))
        for name, alignment, waveform in zip(names, alignments, waveforms, strict=True)
    }
