"""An audio file and a text file to words, as a Python user calls it."""

import pytest

from khmer_aligned.alignment.align_file import align_file
from khmer_aligned.errors import UserError


def test_paths_in_words_out(recordings, aligner_folder, aligned):
    recording, transcript = recordings / "farm.ogg", recordings / "farm.txt"
    alignment = align_file(str(recording), transcript, str(aligner_folder))
    assert alignment.words == aligned["farm"].words
    assert alignment.acoustics.aligner.startswith("aligner@sha256:")


def test_a_file_that_cannot_be_aligned_is_named(recordings, aligner_folder, tmp_path):
    transcript = tmp_path / "empty.txt"
    transcript.write_text("\n")
    with pytest.raises(UserError, match=r"farm\.ogg with .*empty\.txt: the transcript is empty"):
        align_file(recordings / "farm.ogg", transcript, str(aligner_folder))
