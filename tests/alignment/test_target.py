"""The tokens of a transcript, and where its stars are."""

import pytest

from khmer_aligned.alignment.target import make_target, span_index, star_id
from khmer_aligned.errors import UserError
from khmer_aligned.text import Transcript


def spell(target, aligner):
    """The target as text, with a star for each star."""
    vocabulary = [*aligner.vocabulary, "*"]
    return "".join(vocabulary[k] for k in target.ids).lower()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("កក", "*kk*"),
        ("ក ខ", "*k*kh*"),
        ("ក\nខ។", "*k*kh*"),
        ("ក ☺ ខ", "*k***kh*"),  # the smiley's star between those of the spaces
    ],
)
def test_stars_stand_at_ends_at_breaks_and_for_what_cannot_be_spelled(aligner, text, expected):
    target = make_target(Transcript.from_text(text), aligner)
    assert spell(target, aligner).replace("a", "").replace("'", "") == expected
    assert all(target.ids[k] == star_id(aligner) for k in target.stars)
    assert target.stars[0] == 0 and target.stars[-1] == len(target.ids) - 1


def test_ranges_are_those_of_the_words(aligner):
    target = make_target(Transcript.from_text("កកក ☺ ខ"), aligner)
    for word, (lo, hi) in zip(target.words, target.ranges, strict=True):
        assert tuple(target.ids[lo:hi]) == (word.ids or (star_id(aligner),))
    assert target.range_of(0, len(target.words)) == (1, len(target.ids) - 1)


def test_an_omitted_phrase_leaves_the_star_before_it(aligner):
    transcript = Transcript.from_text("ក ខ គ")
    whole = make_target(transcript, aligner)
    target = make_target(transcript, aligner, [(2, 4)])
    assert spell(target, aligner) == spell(whole, aligner).replace(
        spell(make_target(Transcript.from_text("ខ"), aligner), aligner)[1:], "", 1
    )
    assert target.words[1].ids == ()
    assert target.ranges[1] == (target.stars[1], target.stars[1] + 1)


@pytest.mark.parametrize(
    ("text", "reason"),
    [("", "is empty"), ("\ufeff \u200b\n", "is empty"), ("☺", "holds nothing that .* can spell")],
)
def test_a_transcript_without_a_token_is_refused(aligner, text, reason):
    with pytest.raises(UserError, match=reason):
        make_target(Transcript.from_text(text), aligner)


def test_the_span_of_a_character():
    spans = [(2, 4), (4, 6), (9, 10)]
    indices = [span_index(spans, position) for position in range(11)]
    assert indices == [None, None, 0, 0, 1, 1, None, None, None, 0 + 2, None]
