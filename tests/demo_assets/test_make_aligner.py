"""The guide of the demo's aligner."""

from demo_assets import make_aligner

from .conftest import reading_of


def test_the_aligners_guide_spells_each_word_over_its_time():
    reading = reading_of("ទៅ ផ្ទះ", [(0.1, 0.3), (0.5, 0.8)])
    path = make_aligner.guide(reading, 50)
    letters = "".join(make_aligner.LETTERS[i] for i in path.unique_consecutive() if i)
    assert letters == reading.letters
    assert not path[:5].any()
    assert not path[15:25].any()
    assert not path[40:].any()
