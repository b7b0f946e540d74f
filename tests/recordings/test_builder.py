"""Recordings as a `datasets.Dataset`."""

from khmer_aligned.recordings.builder import Recordings
from khmer_aligned.schema import RECORDING_FEATURES

from .sound import write_sound


def test_changed_recordings_are_read_anew(tmp_path):
    source = tmp_path / "mine"
    write_sound(source / "a.wav")
    (source / "a.txt").write_text("មួយ", encoding="utf-8")

    def rows():
        builder = Recordings(cache_dir=str(tmp_path / "cache"), source=str(source))
        builder.download_and_prepare()
        return builder.as_dataset(split="recordings")

    assert rows().features == RECORDING_FEATURES
    assert rows()["text"][:] == ["មួយ"]
    (source / "a.txt").write_text("ពីរ", encoding="utf-8")
    assert rows()["text"][:] == ["ពីរ"]
    assert rows()["audio"][:] == [{"bytes": None, "path": str(source / "a.wav")}]
