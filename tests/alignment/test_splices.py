"""The second witness of the lag, which needs no text."""

import numpy as np
import pytest

from khmer_aligned.alignment.splices import SpliceProbe, probe_lag
from khmer_aligned.schema import SAMPLE_RATE


@pytest.fixture(scope="module")
def probe(aligner, waveforms):
    return probe_lag(aligner, [waveforms["journey"], waveforms["school"]])


def test_splices_tell_what_the_edges_tell(probe, lag):
    assert probe.splices >= 60
    assert probe.seconds == pytest.approx(lag.seconds, abs=0.04)
    assert not probe.disagrees(lag.seconds)
    assert probe.describe(lag.seconds).endswith("they agree")


def test_another_figure_is_said_to_be_apart(probe):
    assert probe.disagrees(probe.seconds + 0.2)
    assert "200 ms apart: one of them is wrong" in probe.describe(probe.seconds + 0.2)


def test_too_few_splices_tell_nothing(aligner, waveforms):
    short = probe_lag(aligner, [waveforms["farm"][: 10 * SAMPLE_RATE]])
    assert short.seconds is None
    assert 0 < short.splices < 60
    assert short.describe(0.1) == f"{short.splices} splices of quiet tell nothing"
    assert not short.disagrees(0.1)
    assert probe_lag(aligner, [np.zeros(0, np.float32)]) == SpliceProbe(None, 0, 0, 0.0)
