"""Word times by an aligner, against the times that are known."""

import statistics

import numpy as np
import pytest

from khmer_aligned.schema import SAMPLE_RATE
from khmer_whisper.transcription.words import AlignWords

from ..conftest import VOICES, voice

LAG = 0.0


@pytest.fixture(scope="module")
def aligner() -> AlignWords:
    return AlignWords(str(VOICES.parent / "aligner"), lag=LAG)


def test_words_start_where_they_are_spoken(aligner):
    text = (VOICES / "farm.txt").read_text(encoding="utf-8")
    rows = [
        row.split("\t")
        for row in (VOICES / "farm.words.tsv").read_text(encoding="utf-8").splitlines()[1:]
    ]
    starts = {(int(row[1]), int(row[2])): float(row[3]) for row in rows}
    (words,) = aligner([voice(100)], [text])
    position = 0
    differences = []
    for word in words:
        position = text.index(word.text, position)
        span = position, position + len(word.text)
        position = span[1]
        if span in starts:
            differences.append(abs(word.start - starts[span]))
    assert len(differences) > 0.8 * len(starts)
    assert statistics.median(differences) < 0.06


def test_a_number_is_one_word_however_it_is_read(aligner):
    (words,) = aligner([voice(8)], ["ឪពុករបស់ខ្ញុំជាកសិករ។ គាត់ធ្វើស្រែ៣ហិកតា នៅខាងកើតភូមិ។"])
    assert [word.text for word in words].count("៣") == 1
    assert "".join(word.text for word in words).startswith("ឪពុករបស់ខ្ញុំ")


def test_what_cannot_be_aligned_has_no_words(aligner):
    short = np.zeros(SAMPLE_RATE // 20, np.float32)
    missing, words = aligner([short, voice(8)], ["ឪពុក", "ឪពុករបស់ខ្ញុំជាកសិករ"])
    assert missing is None and words


def test_an_unknown_lag_is_said(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("KHMER_ALIGNED_HOME", str(tmp_path))
    assert AlignWords(str(VOICES.parent / "aligner")).lag == 0.0
    assert "khmer-aligned calibrate" in capsys.readouterr().err
