"""Phrases that may not be read aloud."""

import pytest

from khmer_aligned.text import Transcript, normalize
from khmer_aligned.text.optional import find_optional

A, B = "ខ្ញុំទៅផ្សារ", "គាត់នៅផ្ទះធំ"


def phrases(text):
    canonical = normalize(text)
    return [(each.kind, canonical[each.start : each.end]) for each in find_optional(canonical)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"សុខា៖ {A}។", [("a name before a colon", "សុខា៖ ")]),
        (f"{A}។\nMr. Dara: {B}។", [("a name before a colon", "Mr. Dara: ")]),
        (f"{A} [សើច] {B}", [("a stage direction", "[សើច]")]),
        (f"{A} (ទះដៃ) {B}", [("a stage direction", "(ទះដៃ)")]),
        (f"{A} ♪ ភ្លេង ♪ {B}", [("a stage direction", "♪ ភ្លេង ♪")]),
        (f"{A}[12] {B}", [("a footnote mark", "[12]")]),
        (f"{A}¹ {B}*", [("a footnote mark", "¹"), ("a footnote mark", "*")]),
        (f"{A} https://a.example/b?c=1&d {B}", [("an address", "https://a.example/b?c=1&d")]),
        (f"{A} www.example.com.kh។", [("an address", "www.example.com.kh")]),
        (f"{A} example.com/a {B}", [("an address", "example.com/a")]),
        (f"{A} a.b-c@example.com {B}", [("an address", "a.b-c@example.com")]),
        (f"{A} 012 345 678 {B}", [("a telephone number", "012 345 678")]),
        (f"{A} +855 12 345 678។", [("a telephone number", "+855 12 345 678")]),
        (f"{A}។\n- 12 -\n{B}។", [("a page number", "- 12 -")]),
        (f"{A}។\nទំព័រ ១២\n{B}។", [("a page number", "ទំព័រ ១២")]),
        (f"ចំណងជើង\n{A}។\n{B}។", [("a heading", "ចំណងជើង")]),
        (f"{A}។\n## ចំណងជើង។\n{B}។", [("a heading", "## ចំណងជើង។")]),
        (f"១. {A}។\n២) {B}។", [("a list number", "១. "), ("a list number", "២) ")]),
        (f"{A}។\nI go to the market.\n{B}។", [("a line of another script", "I go to the market.")]),
        (f"{A}។\n我去市场。\n{B}។", [("a line of another script", "我去市场。")]),
        (f"<p>{A}</p>&nbsp;{B}", [("markup", x) for x in ("<p>", "</p>", "&nbsp;")]),
        (f"{A} 😀👍🏽 {B}", [("an emoji", "😀👍🏽")]),
    ],
)
def test_each_kind(text, expected):
    assert phrases(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        f"{A}។ {B}។",
        f"{A}\n{B}",  # lines without marks are no headings
        f"ម៉ោង 7:30 {A}",
        f"៧:៣០ {A}",
        f"{A}។ ២០១៩\n{B}",
        f"{A} 3 < 5 > 2",
        f"{A} & {B} AT&T;",
        "I go to the market.\nAnd back.",
        f"{A} $1.50 និង ២០% ឆ្នាំ១៩៩៩។",
        "",
    ],
)
def test_what_is_none(text):
    assert phrases(text) == []


RAW = f"សុខា៖ {A} [សើច ៣] ៥ &amp; <b>{B}</b> 😀។\nDara: ២០%។"


def test_all_in_place_is_the_text_as_it_was():
    transcript = Transcript.from_text(RAW)
    assert transcript.omitted == ()
    assert transcript.written(0, len(transcript.words)) == transcript.canonical == RAW
    assert [RAW[slice(*each.span)] for each in transcript.optional] == [
        "សុខា៖ ", "[សើច ៣]", "&amp;", "<b>", "</b>", "😀", "Dara: ",
    ]  # fmt: skip
    assert [each.silent for each in transcript.optional] == [False, False, *[True] * 4, False]


def test_what_is_left_out_is_neither_written_nor_spoken():
    transcript = Transcript.from_text(RAW)
    left = transcript.omit([each.span for each in transcript.optional])
    assert left.written(0, len(left.words)) == f"{A} ៥ & {B} ។\n២០%។"
    assert "".join(word.text for word in left.words) == f"{A}ប្រាំនិង{B}ម្ភៃភាគរយ"
    assert left.optional == ()
    assert left.slice_raw(0, len(left.words)) == (0, len(RAW))
    starts = [left.slice_raw(k, k + 1) for k in range(len(left.words))]
    assert "".join(RAW[a:b] for a, b in starts) == RAW
    for word in left.words:
        assert not any(a < word.span[1] and word.span[0] < b for a, b in
                       (each.span for each in left.omitted if each.kind != "markup"))  # fmt: skip


def test_phrases_are_left_out_one_after_the_other_and_readings_stay():
    transcript = Transcript.from_text(f"[ក] {A} ៤.៥ [ខ] {B}")
    first, second = (each.span for each in transcript.optional)
    number = transcript.ambiguities[0]
    left = transcript.omit([second]).omit([first])
    assert left == transcript.omit([first, second])
    reread = left.reread({number.span: 1})
    assert [each.span for each in reread.omitted] == [first, second]
    assert reread.ambiguities[0].chosen == 1
    with pytest.raises(KeyError, match="no optional phrase"):
        transcript.omit([(0, 1)])
