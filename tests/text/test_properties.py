"""Properties of every text: generated Khmer, well-formed and not, and a thousand sentences."""

import re
import unicodedata
from itertools import pairwise

import pytest
from hypothesis import example, given, settings

from khmer_aligned.text import Break, Transcript, normalize, scoring_form, verbalize, words
from khmer_aligned.text.normalize import _CANONICAL, _edits, normalize_with_spans
from khmer_aligned.text.words import segment

from .khmer import NEWS, khmer_texts, news

# Texts that once broke a property: two shifters, stray marks, ៗ with nothing before it, signs of
# which the second pass made more.
ONCE_BROKEN = [
    "ក\u17b7\u17c9\u17ca",
    "\u17cb\u17b6កៗ",
    "ៗ\u17b6",
    "\u17b6\rៗ",
    "\u17d20",
    "5\u17b6",
    "ក\u17d25",
    "។\u17b7",
    "គ.ស.គ.ស.",
    "$0/0",
]


def once_broken(test):
    for text in ONCE_BROKEN:
        test = example(text)(test)
    return test


often = settings(max_examples=400, deadline=None, derandomize=True)
some = settings(max_examples=200, deadline=None, derandomize=True)


def check_normalize(raw):
    canonical = normalize(raw)
    assert normalize(canonical) == canonical
    with_spans = normalize_with_spans(raw)
    assert with_spans.text == canonical
    if _CANONICAL.fullmatch(raw):  # the rules agree with the short cut
        assert not list(_edits(raw))
    ends = [0, *(end for _, end in with_spans.spans)]
    starts = [*(start for start, _ in with_spans.spans), len(raw)]
    assert starts == sorted(starts)
    assert ends == sorted(ends)


def check_verbalize(raw):
    spoken = verbalize(raw)
    assert verbalize(spoken) == spoken
    assert not re.search(r"\d|[ៗ%‰៛$€฿½²៘]", spoken)
    assert normalize(spoken) == spoken


def check_words(raw):
    spoken = verbalize(raw)
    items = words(spoken)
    assert "".join(items) == re.sub(r"\s", "", spoken)
    ends = {end for _, end, kind in segment(spoken) if kind == "khmer"}
    for cluster in re.finditer(
        "[\u1780-\u17b3](?:\u17d2[\u1780-\u17b3]|[\u17b6-\u17d1\u17dd])+", spoken
    ):
        assert ends.isdisjoint(range(cluster.start() + 1, cluster.end()))
    assert "".join(filter(None, map(scoring_form, items))) == scoring_form(raw)


def check_transcript(raw):
    transcript = Transcript.from_text(raw)
    spoken_words = transcript.words
    assert transcript.canonical == normalize(raw)
    assert transcript.spoken == verbalize(raw)
    slots = [word.slot for word in spoken_words]
    if spoken_words:
        assert slots[0][0] == 0 and slots[-1][1] == len(raw)
        assert all(left[1] == right[0] for left, right in pairwise(slots))
        assert spoken_words[-1].break_after == Break.PARAGRAPH
    ambiguous = {ambiguity.span for ambiguity in transcript.ambiguities}
    covered = set()
    for word in spoken_words:
        start, end = word.span
        assert start < end or start == end == len(raw)
        covered.update(range(start, end))
        assert len(word.char_spans) == len(word.text) > 0
        assert len(word.letter_spans) == len(word.romanized)
        assert re.fullmatch("[a-z']*", word.romanized)
        assert all(start <= left <= right <= end for left, right in word.letter_spans)
        if normalize(raw[start:end]) != word.text:  # read in other words: of one expression
            assert set(word.char_spans) == {word.span}
        assert word.is_star == (not word.romanized)
    assert ambiguous <= {word.span for word in spoken_words}
    for position, char in enumerate(raw):
        if is_spoken(char) and not (char == "ៗ" and not spoken_words):
            assert position in covered or char == "ៗ", (position, char)
    check_slices(transcript)


def is_spoken(char):
    """A letter, a numeral, a Khmer mark that is ever written."""
    return unicodedata.category(char)[0] in "LN" or (
        "\u17b6" <= char <= "\u17d1" or char == "\u17dd"
    )


def check_slices(transcript):
    count = len(transcript.words)
    assert transcript.slice_raw(0, count) == (0, len(transcript.raw))
    assert transcript.written(0, count) == transcript.canonical
    cuts = [0, *range(1, count, 3), count]
    raw, written, spoken = "", "", ""
    for i, j in pairwise(cuts):
        start, end = transcript.slice_raw(i, j)
        raw += transcript.raw[start:end]
        written += transcript.written(i, j)
        spoken += transcript.spoken_text(i, j)
        assert transcript.written(i, j) in transcript.canonical
    assert raw == transcript.raw
    assert re.sub(r"\s", "", written) == re.sub(r"\s", "", transcript.canonical)
    assert re.sub(r"\s", "", spoken) == re.sub(r"\s", "", transcript.spoken)


@often
@once_broken
@given(khmer_texts)
def test_normalize(raw):
    check_normalize(raw)


@often
@once_broken
@given(khmer_texts)
def test_verbalize(raw):
    check_verbalize(raw)


@some
@once_broken
@given(khmer_texts)
def test_words(raw):
    check_words(raw)


@some
@once_broken
@given(khmer_texts)
def test_transcript(raw):
    check_transcript(raw)


@pytest.mark.skipif(not NEWS.is_file(), reason="no shared data here")
@pytest.mark.parametrize("check", [check_normalize, check_verbalize, check_words])
def test_news(check):
    for sentence in news():
        check(sentence)


@pytest.mark.skipif(not NEWS.is_file(), reason="no shared data here")
def test_news_transcripts():
    for sentence in news()[::5]:
        check_transcript(sentence)
    check_transcript("\r\n".join(["\ufeff", *news()[:50]]))
