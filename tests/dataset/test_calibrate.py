"""The lag of an aligner over a source, kept for later alignments."""

import json

import pytest
import soundfile as sf
from click.testing import CliRunner
from datasets import Dataset

from khmer_aligned.alignment import calibration
from khmer_aligned.alignment.lag import LagEstimate
from khmer_aligned.alignment.splices import SpliceProbe
from khmer_aligned.audio import load
from khmer_aligned.cli import main
from khmer_aligned.dataset.calibrate import Measurement, _groups, calibrate
from khmer_aligned.errors import UserError


def run(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def excerpt(recordings, true_words, tmp_path_factory):
    """The first eight seconds of a recording: too little to tell a lag."""
    folder = tmp_path_factory.mktemp("excerpt")
    _, last, _, seconds = max(word for word in true_words("farm") if word[3] < 8)
    sf.write(folder / "farm.wav", load(recordings / "farm.ogg", name="farm", end=seconds), 16_000)
    text = (recordings / "farm.txt").read_text(encoding="utf-8")[:last]
    (folder / "farm.txt").write_text(text, encoding="utf-8")
    return folder


def test_calibrate_keeps_what_align_then_uses(recordings, aligner_folder, excerpt):
    align = "align", excerpt / "farm.wav", excerpt / "farm.txt", "--aligner", aligner_folder
    before = run(*align)
    assert "lag of the aligner: unknown, 0 ms taken" in before.stderr
    assert json.loads(before.stdout)["lag"]["source"] == "none"

    done = run("calibrate", aligner_folder, recordings)
    assert done.exit_code == 0, done.output
    assert done.stderr.startswith("device: CPU (")
    assert "edges of speech in 4 recordings" in done.stdout
    assert done.stdout.count("they agree") == 1
    assert str(calibration.lags_file()) in done.stdout

    after = run(*align)
    assert after.stderr.splitlines()[0].startswith("device: CPU (")
    assert "kept from a calibration" in after.stderr
    lag = json.loads(after.stdout)["lag"]
    assert lag["source"] == "kept"
    assert lag["seconds"] == pytest.approx(0.038, abs=0.01)
    assert f"{lag['seconds'] * 1000:.0f} ms" in done.stdout
    starts = [[word["start"] for word in json.loads(r.stdout)["words"]] for r in (before, after)]
    assert starts[0][5] - starts[1][5] == pytest.approx(lag["seconds"], abs=0.002)


def test_too_little_speech_is_an_error_and_keeps_nothing(aligner_folder, excerpt):
    with pytest.raises(UserError, match=r"stays unknown; \d+ edges of speech in 1 recording: at"):
        calibrate(str(aligner_folder), excerpt)
    assert not calibration.lags_file().exists()


def test_the_sample_is_the_same_in_any_order():
    rows = [{"id": f"r{k}", "text": "ក" * (200 + 7 * k)} for k in range(40)]
    forward, backward = Dataset.from_list(rows), Dataset.from_list(rows[::-1])
    names = [[d["id"][i] for group in _groups(d) for i in group] for d in (forward, backward)]
    assert names[0] == names[1]
    assert sorted(names[0]) == sorted(row["id"] for row in rows)
    assert names[0] != sorted(names[0])


def test_very_long_recordings_are_aligned_twice_only_where_there_is_nothing_else():
    rows = [{"id": f"r{k}", "text": "ក" * (90_000 if k < 5 else 300)} for k in range(20)]
    data = Dataset.from_list(rows)
    lengths = [len(data["text"][i]) for group in _groups(data) for i in group]
    assert lengths == sorted(lengths)


def test_witnesses_that_differ_are_said():
    estimate = LagEstimate(0.2, 100, 3, 7.0, 0.01)
    assert Measurement(estimate, SpliceProbe(0.21, 90, 900, 0.98), 60.0, []).doubt is None
    assert Measurement(estimate, SpliceProbe(None, 9, 90, 0.98), 60.0, []).doubt is None
    doubt = Measurement(estimate, SpliceProbe(0.3, 90, 900, 0.98), 60.0, []).doubt
    assert doubt == (
        "the edges of speech tell 200 ms, 90 splices of quiet tell 300 ms, 100 ms apart: "
        "one of them is wrong"
    )
