"""The lag of a build: given, measured, kept, or unknown and said to be."""

import pytest

from khmer_aligned.alignment import calibration
from khmer_aligned.alignment.lag import Lag, LagEstimate
from khmer_aligned.alignment.splices import SpliceProbe
from khmer_aligned.dataset import lag as lags
from khmer_aligned.dataset.calibrate import Measurement
from khmer_aligned.dataset.config import BuildConfig
from khmer_aligned.dataset.lag import settle_lag

AMPLE = LagEstimate(0.1874, 500, 9, 20.0, 0.0021)
THIN = LagEstimate(None, 23, 2, 3.0, None)


@pytest.fixture
def settle(monkeypatch):
    """`settle(estimate)`: the lag of a build whose sample tells this, and whose aligner states
    that one."""

    def run(estimate, probe=None, given=None, stated=None):
        measured = []

        def measure(*_):
            measured.append(1)
            return Measurement(estimate, probe, 60.0, [])

        monkeypatch.setattr(lags, "measure_lag", measure)
        monkeypatch.setattr(lags.aligners, "stated_lag", lambda _: stated)
        return settle_lag(BuildConfig("mine", lag=given), "mine@1", []), len(measured)

    return run


def test_a_measured_lag_is_used_and_kept_for_align(settle, capsys):
    report, measured = settle(AMPLE)
    assert report == {
        "seconds": 0.187, "source": "measured", "edges": 500, "recordings": 9,
        "standard_error": 0.0021, "splices": None, "differing": [],
    }  # fmt: skip
    assert measured == 1
    assert calibration.read_lag("mine@1") == Lag(0.187, "kept", 500, 9, 0.0021)
    assert capsys.readouterr().err == ""


def test_a_given_lag_is_used_as_it_is(settle):
    report, measured = settle(AMPLE, given=0.3)
    assert (report["seconds"], report["source"], measured) == (0.3, "given", 0)
    assert calibration.read_lag("mine@1") is None


def test_a_stated_lag_goes_before_all_but_a_given_one(settle):
    report, measured = settle(AMPLE, stated=-0.015)
    assert (report["seconds"], report["source"], measured) == (-0.015, "stated", 0)
    assert calibration.read_lag("mine@1") is None
    report, _ = settle(AMPLE, given=0.0, stated=-0.015)
    assert (report["seconds"], report["source"]) == (0.0, "given")


def test_the_builds_own_measurement_goes_before_a_kept_one(settle):
    calibration.keep_calibrated("mine@1", Lag(0.2, "measured", 900, 7, 0.002))
    report, _ = settle(AMPLE)
    assert (report["seconds"], report["source"]) == (0.187, "measured")


def test_too_little_evidence_takes_the_kept_lag_and_says_so(settle, capsys):
    calibration.keep_calibrated("mine@1", Lag(0.2, "measured", 900, 7, 0.002))
    report, _ = settle(THIN, SpliceProbe(None, 9, 90, 0.98))
    assert (report["seconds"], report["source"], report["edges"]) == (0.2, "kept", 900)
    assert capsys.readouterr().err.splitlines() == [
        "lag of the aligner: 200 ms, kept from an earlier calibration "
        "(900 edges of speech in 7 recordings)",
        "  these recordings tell none: 23 edges of speech in 2 recordings: at least 60 that agree "
        "are needed",
        "  9 splices of quiet tell nothing",
    ]


def test_without_a_kept_one_it_is_unknown_and_the_way_out_is_said(settle, capsys):
    report, _ = settle(THIN, SpliceProbe(0.19, 90, 900, 0.98))
    assert (report["seconds"], report["source"], report["splices"]) == (0.0, "none", 0.19)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("lag of the aligner: unknown, 0 ms taken; 23 edges of speech")
    assert lines[1] == "  90 splices of quiet tell 190 ms"
    assert "give --lag, or measure it once" in lines[2]
    assert "khmer-aligned calibrate mine SOURCE" in lines[2]


def test_witnesses_that_differ_are_said_and_nothing_is_kept(settle, capsys):
    report, _ = settle(AMPLE, SpliceProbe(0.33, 90, 900, 0.98))
    assert (report["seconds"], report["source"], report["splices"]) == (0.187, "measured", 0.33)
    assert "the lag is in doubt: the edges of speech tell 187 ms" in capsys.readouterr().err
    assert calibration.read_lag("mine@1") is None
