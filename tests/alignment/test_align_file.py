"""An audio file and a text file to words, as a Python user calls it."""

import pytest
import soundfile as sf

from khmer_aligned.alignment import calibration
from khmer_aligned.alignment.align_file import align_file, describe_lag
from khmer_aligned.alignment.lag import Lag
from khmer_aligned.errors import UserError


def test_paths_in_words_out(recordings, aligner_folder, aligned):
    recording, transcript = recordings / "farm.ogg", recordings / "farm.txt"
    lag = aligned["farm"].lag.seconds
    alignment = align_file(str(recording), transcript, str(aligner_folder), lag=lag)
    assert alignment.words == aligned["farm"].words
    assert alignment.lag == Lag(lag, "given")
    assert alignment.acoustics.aligner.startswith("aligner@sha256:")


def test_a_file_that_cannot_be_aligned_is_named(recordings, aligner_folder, tmp_path):
    transcript = tmp_path / "empty.txt"
    transcript.write_text("\n")
    with pytest.raises(UserError, match=r"farm\.ogg with .*empty\.txt: the transcript is empty"):
        align_file(recordings / "farm.ogg", transcript, str(aligner_folder))


def test_a_lag_that_is_kept_is_used(recordings, aligner_folder, aligner, aligned):
    calibration.keep_calibrated(aligner.name, Lag(0.041, "measured", 900, 7, 0.002))
    alignment = align_file(recordings / "farm.ogg", recordings / "farm.txt", str(aligner_folder))
    assert alignment.lag == Lag(0.041, "kept", 900, 7, 0.002)
    assert alignment.acoustics.lag == 0.041
    (line,) = describe_lag(alignment, "mine")
    assert line == (
        "lag of the aligner: 41 ms, kept from a calibration on 900 edges of speech in 7 recordings"
    )


def test_without_one_the_recording_tells_it(recordings, aligner_folder, lag):
    alignment = align_file(recordings / "farm.ogg", recordings / "farm.txt", str(aligner_folder))
    assert alignment.lag.source == "measured"
    assert alignment.lag.seconds == pytest.approx(lag.seconds, abs=0.02)
    (line,) = describe_lag(alignment, "mine")
    assert "measured on this recording alone" in line
    assert "khmer-aligned calibrate mine SOURCE" in line


def test_a_recording_too_short_to_tell_is_said_to_be(
    recordings, aligner_folder, aligner, waveforms, true_words, tmp_path
):
    _, last, _, seconds = max(word for word in true_words("farm") if word[3] < 8)
    sf.write(tmp_path / "a.wav", waveforms["farm"][: round(seconds * 16_000)], 16_000)
    (tmp_path / "a.txt").write_text((recordings / "farm.txt").read_text("utf-8")[:last], "utf-8")
    alignment = align_file(tmp_path / "a.wav", tmp_path / "a.txt", str(aligner_folder))
    assert (alignment.lag.source, alignment.lag.seconds) == ("none", 0.0)
    assert 0 < alignment.lag.edges < 60
    first, second = describe_lag(alignment, "mine")
    assert f"unknown, 0 ms taken: {alignment.lag.edges} edges of speech" in first
    assert "give --lag, or" in second and "khmer-aligned calibrate mine SOURCE" in second


def test_a_recording_that_differs_is_named_and_not_moved(recordings, aligner_folder, aligner):
    calibration.keep_calibrated(aligner.name, Lag(0.2, "measured", 900, 7, 0.002))
    alignment = align_file(recordings / "farm.ogg", recordings / "farm.txt", str(aligner_folder))
    assert alignment.acoustics.lag == 0.2
    _, line = describe_lag(alignment, "mine")
    assert "this recording tells 39 ms" in line and "200 ms were taken" in line
