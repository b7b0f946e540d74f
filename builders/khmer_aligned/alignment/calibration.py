"""The lags that are kept on this machine, for recordings that tell too little by themselves.

A JSON file in the user's data folder, or in the folder that KHMER_ALIGNED_HOME names. Its keys are
aligners with their version, so that new weights never get the lag of old ones.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from platformdirs import user_data_path

from khmer_aligned.alignment.lag import Lag
from khmer_aligned.errors import UserError
from khmer_aligned.files import write_whole

_BY_CALIBRATE, _BY_BUILD = "calibrate", "build"


def lags_file() -> Path:
    """Where the lags are kept; the file need not exist."""
    home = os.environ.get("KHMER_ALIGNED_HOME")
    return (Path(home) if home else user_data_path("khmer-aligned")) / "lags.json"


def read_lag(aligner: str) -> Lag | None:
    """The lag that is kept for an aligner, by its name with the version.

    Raises UserError for a file that cannot be read.
    """
    row = _read().get(aligner)
    if row is None:
        return None
    try:
        return Lag(**{name: row[name] for name in asdict(Lag(0.0, "kept"))})
    except (KeyError, TypeError) as error:
        raise _damaged(f"the row of {aligner}") from error


def keep_calibrated(aligner: str, lag: Lag) -> Path:
    """Keep a lag that `calibrate` measured, whatever was kept before; returns the file."""
    return _keep(aligner, lag, _BY_CALIBRATE)


def keep_built(aligner: str, lag: Lag) -> None:
    """Keep a lag that a build measured, unless `calibrate` or a larger build measured it, too."""
    row = _read().get(aligner)
    if row is None or (row["by"] == _BY_BUILD and row["edges"] <= lag.edges):
        _keep(aligner, lag, _BY_BUILD)


def _keep(aligner: str, lag: Lag, by: str) -> Path:
    file = lags_file()
    rows = _read() | {aligner: {**asdict(replace(lag, source="kept")), "by": by}}
    file.parent.mkdir(parents=True, exist_ok=True)
    write_whole(file, json.dumps(rows, ensure_ascii=False, indent=1, sort_keys=True) + "\n")
    return file


def _read() -> dict[str, dict[str, Any]]:
    file = lags_file()
    if not file.is_file():
        return {}
    try:
        rows: dict[str, dict[str, Any]] = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise _damaged(str(error)) from error
    return rows


def _damaged(what: str) -> UserError:
    return UserError(
        f"{lags_file()}: is damaged ({what}); remove it, then measure again with: "
        "khmer-aligned calibrate"
    )
