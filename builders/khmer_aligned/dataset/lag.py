"""The lag that a build subtracts from all its times: settled once, before the first shard.

It is given, stated by the aligner, or measured on a sample of the build's own recordings, so that
one source gives the same bytes on every machine. Only where these tell too little is a figure used
that is kept on this machine; without one, 0 stands for the unknown lag. Both are said before the
work.
"""

from __future__ import annotations

import sys

import datasets
from tqdm import tqdm

from khmer_aligned import aligners
from khmer_aligned.alignment import calibration
from khmer_aligned.alignment.lag import Lag
from khmer_aligned.dataset.calibrate import Measurement, measure_lag
from khmer_aligned.dataset.config import BuildConfig
from khmer_aligned.dataset.report import LagReport, describe_lag
from khmer_aligned.device import run_forkable


def settle_lag(config: BuildConfig, aligner: str, recordings: datasets.Dataset) -> LagReport:
    """The lag of a build of these recordings; aligner: its name with the version."""
    if config.lag is not None:
        return _report(Lag(config.lag, "given"), None)
    if (stated := aligners.stated_lag(config.aligner)) is not None:
        return _report(Lag(round(stated, 3), "stated"), None)
    measured = run_forkable(measure_lag, recordings, config.aligner, config.thresholds, False)
    return _choose(aligner, config.aligner, measured)


def _choose(aligner: str, name: str, measured: Measurement) -> LagReport:
    """The lag that was measured, else the one that is kept, else 0; says what is in doubt.

    aligner: with its version; name: as the user gave it
    """
    lag = Lag.of(measured.estimate, "measured")
    if lag.source == "measured":
        if measured.doubt:
            _say(f"the lag is in doubt: {measured.doubt}; check some times by ear, or give --lag")
        else:
            _keep(aligner, lag)
        return _report(lag, measured)
    kept = calibration.read_lag(aligner)
    report = _report(kept or lag, measured)
    _say(f"lag of the aligner: {describe_lag(report)}")
    if kept is not None:
        _say(f"  these recordings tell none: {measured.estimate.describe()}")
    if measured.probe is not None:
        _say(f"  {measured.probe.describe(kept.seconds if kept else None)}")
    if kept is None:
        _say(
            "  times may come some 0.2 s late; give --lag, or measure it once over more recordings "
            f"with: khmer-aligned calibrate {name} SOURCE"
        )
    return report


def _keep(aligner: str, lag: Lag) -> None:
    """Keep the lag for later `align`s; a build does not fail where that is not possible."""
    try:
        calibration.keep_built(aligner, lag)
    except OSError as error:
        _say(f"the lag is not kept for align: {error.filename}: {error.strerror}")


def _report(lag: Lag, measured: Measurement | None) -> LagReport:
    probe = measured.probe if measured else None
    splices = None if probe is None or probe.seconds is None else round(probe.seconds, 3)
    return {
        "seconds": lag.seconds,
        "source": lag.source,
        "edges": lag.edges,
        "recordings": lag.recordings,
        "standard_error": lag.standard_error,
        "splices": splices,
        "differing": [],
    }


def _say(line: str) -> None:
    tqdm.write(line, file=sys.stderr)
