"""What is decoded again, and what is no speech."""

from pathlib import Path

import pytest

from khmer_whisper.transcription.checks import (
    MAX_COMPRESSION_RATIO,
    choose,
    compression_ratio,
    is_silence,
    needs_fallback,
)
from khmer_whisper.transcription.engine import Decoded

PLAIN = (
    "ព្រឹកនេះ ម្តាយរបស់ខ្ញុំទៅផ្សារ តាំងពីម៉ោងប្រាំ។ ផ្សារនៅជិតផ្ទះ គាត់ដើរតែដប់នាទីប៉ុណ្ណោះ។ "
    "នៅទីនោះ មានមនុស្សច្រើនណាស់ ហើយបន្លែស្រស់ៗ ក៏មានច្រើនដែរ។"
)


def test_plain_khmer_is_no_repetition_and_a_loop_is():
    assert compression_ratio(PLAIN) < 1.6
    assert compression_ratio("ហើយ" * 40) > MAX_COMPRESSION_RATIO
    assert compression_ratio("and then " * 20) > MAX_COMPRESSION_RATIO
    assert compression_ratio("") == 0.0


@pytest.mark.parametrize("count", [1, 3, 6])
def test_news_is_no_repetition(count):
    path = Path(__file__).parents[4] / "shared/data/text/ntrex_khm_1-1000.txt"
    if not path.exists():
        pytest.skip("needs shared/")
    lines = path.read_text(encoding="utf-8").splitlines()
    texts = [" ".join(lines[i : i + count]) for i in range(0, 900, count)]
    assert max(map(compression_ratio, texts)) < MAX_COMPRESSION_RATIO


@pytest.mark.parametrize(
    ("result", "again", "silent"),
    [
        (Decoded(PLAIN, False, -0.3, 0.0), False, False),
        (Decoded(PLAIN, False, -1.2, 0.0), True, False),
        (Decoded("ហើយ" * 40, False, -0.1, 0.0), True, False),
        (Decoded("ហើយ", True, -0.1, 0.0), True, False),  # its loop was cut
        (Decoded(PLAIN, False, -1.2, 0.9), False, True),
        (Decoded(PLAIN, False, -0.3, 0.9), False, False),  # sure of its text
    ],
)
def test_what_is_decoded_again(result, again, silent):
    assert needs_fallback(result) is again
    assert is_silence(result) is silent


def test_the_most_probable_without_repetition_is_chosen():
    loop, weak, better = (
        Decoded("ហើយ" * 40, False, -0.1, 0.0),
        Decoded(PLAIN, False, -1.4, 0.0),
        Decoded(PLAIN, False, -1.1, 0.0),
    )
    assert choose([loop, weak, better]) == 2
    assert choose([loop]) == 0
