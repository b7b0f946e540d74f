"""Decoding: batches, memory, silence."""

import numpy as np
import pytest
import torch

from khmer_whisper import decode
from khmer_whisper import model as models
from khmer_whisper.examples import data

from .conftest import sound


@pytest.mark.slow
def test_a_batch_is_decoded_as_its_clips_alone(trained, dataset):
    whisper = models.load(str(trained.folder))
    rows = data.load(str(dataset)).get("test")
    alone = decode.predict(whisper, rows, batch_size=1)
    assert decode.predict(whisper, rows, batch_size=5) == alone


@pytest.mark.slow
def test_out_of_memory_halves_the_batch(trained, dataset, monkeypatch, capsys):
    whisper = models.load(str(trained.folder))
    rows = data.load(str(dataset)).get("test")
    expected = decode.predict(whisper, rows, batch_size=4)
    plain = decode.recognize

    def small_gpu(whisper, waveforms):
        if len(waveforms) > 3:
            raise torch.OutOfMemoryError
        return plain(whisper, waveforms)

    monkeypatch.setattr(decode, "recognize", small_gpu)
    assert decode.predict(whisper, rows, batch_size=8) == expected


@pytest.mark.slow
def test_a_silent_clip_does_not_break_decoding(trained):
    whisper = models.load(str(trained.folder))
    results = decode.recognize(whisper, [np.zeros(8000, np.float32), sound(["ទឹក"], seed=5)])
    assert len(results) == 2
