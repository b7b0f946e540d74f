"""Canonical Khmer: every ill-formed spelling of a text becomes the one well-formed one."""

import unicodedata

import pytest
from khmernormalizer import normalize as khmernormalizer

from khmer_aligned.text import normalize
from khmer_aligned.text.normalize import normalize_with_spans

SIL = "sillsdev/khmer-character-specification, texts/bad_kh.txt"
UCD = "Unicode code chart U+1780..17FF, notes on discouraged and deprecated characters"
TUS = "The Unicode Standard, chapter 16.4, Khmer: consonant shifters"
KN = "khmernormalizer's README"
NEWS = "seen in raw news"

# (as typed, canonical, source, what is wrong)
ILL_FORMED = [
    ("\u179f\u17d2\u179a\u17d2\u178f\u17b8", "ស្ត្រី", SIL, "coeng RO before coeng TA"),
    ("\u179f\u17d2\u178a\u17d2\u179a\u17b8", "ស្ត្រី", SIL, "coeng DA for its look-alike coeng TA"),
    ("\u179f\u17d2\u179a\u17b8\u17d2\u178f", "ស្ត្រី", SIL, "coeng after the vowel"),
    ("\u1781\u17c2\u17d2\u1798\u179a", "ខ្មែរ", SIL, "vowel before the coeng"),
    ("\u1780\u17c6\u17bb", "កុំ", SIL, "nikahit before the vowel"),
    ("\u1785\u17c6\u17b6", "ចាំ", SIL, "nikahit before AA"),
    ("\u179b\u17c1\u17b6\u1780", "លោក", SIL, "vowel OO in two parts"),
    ("\u179b\u17b6\u17c1\u1780", "លោក", SIL, "vowel OO in two parts, swapped"),
    ("\u1792\u17d2\u179c\u17c1\u17b8", "ធ្វើ", SIL, "vowel OE in two parts"),
    ("\u1792\u17be\u17d2\u179c", "ធ្វើ", SIL, "composed vowel before the coeng"),
    ("\u1798\u17c9\u17d2\u1799\u17b6\u1784", "ម្យ៉ាង", SIL, "register shifter before the coeng"),
    ("\u179f\u17bb\u17b8", "ស៊ី", SIL, "vowel U for the triisap it looks like"),
    ("\u179f\u17c9\u17b8", "ស៊ី", SIL, "muusikatoan where only triisap has a meaning"),
    ("\u1798\u17bb\u17b8", "ម៉ី", SIL, "vowel U for the muusikatoan it looks like"),
    ("\u179f\u17c6\u17bb\u17b6", "ស៊ាំ", SIL, "vowel U for triisap, nikahit first"),
    ("\u179f\u17bb\u17c1\u17b8\u1794", "ស៊ើប", SIL, "vowel U for triisap, vowel OE in two parts"),
    ("\u1789\u17bb\u17b6\u17c6", "ញ៉ាំ", TUS, "vowel U for muusikatoan before AA and nikahit"),
    ("\u1791\u17d2\u1794\u17be\u1784", "ឡើង", SIL, "THO with coeng BA for its look-alike LA"),
    ("\u17a3\u1780\u17d2\u179f\u179a", "អក្សរ", UCD, "deprecated QAQ"),
    ("\u17a4\u1785\u17b6\u179a\u17d2\u1799", "អាចារ្យ", UCD, "discouraged QAA"),
    ("\u1780\u17b4\u179a\u17b5", "ករ", UCD, "inherent vowels that are never written"),
    ("\u179f\u17b8\u17a0\u17d3", "សីហំ", UCD, "discouraged BATHAMASAT, typed for nikahit"),
    ("\u1795\u17d2\u179b\u17c2\u1788\u17be\u17d8", "ផ្លែឈើ។ល។", UCD, "discouraged BEYYAL"),
    ("\u1780\u17b6\u17b6\u17b6\u178f\u17cb", "កាត់", KN, "doubled vowel"),
    ("\u1798\u200b\u17c9\u17c4\u200c\u1784", "ម៉ោង", NEWS, "zero-width characters inside a cluster"),
    ("\u1780\u17d2\u17d2\u179a\u17bb\u1798", "ក្រុម", NEWS, "doubled coeng"),
]


@pytest.mark.parametrize(("typed", "canonical", "source", "fault"), ILL_FORMED)
def test_ill_formed(typed, canonical, source, fault):
    assert normalize(typed) == canonical, f"{fault} ({source})"
    assert normalize(canonical) == canonical


def test_more_spellings_are_repaired_than_by_the_best_peer():
    ours = sum(normalize(typed) == canonical for typed, canonical, *_ in ILL_FORMED)
    peer = sum(khmernormalizer(typed) == canonical for typed, canonical, *_ in ILL_FORMED)
    assert ours >= 25 > peer, f"of {len(ILL_FORMED)}: ours {ours}, khmernormalizer {peer}"


@pytest.mark.parametrize(
    "group",
    [
        "ស៊ី សីុ សុី ស៉ី",
        "ម៉ី មីុ មុី ម៊ី",
        "ស្ត្រី ស្រ្តី ស្ដ្រី ស្រ្ដី ស្ដី្រ ស្តី្រ ស្រី្ដ ស្រី្ត",
        "ធ្វើ ធើ្វ ធ្វេី ធ្វីេ",
        "ស្រ៊ី ស៊្រី ស្រុី ស្រីុ សុី្រ សីុ្រ ស្រ៉ី",
        "ស៊ើប ស៊េីប ស៊ីេប សុើប សើុប សុេីប សុីេប សីុេប សីេុប សេុីប សេីុប ស៉េីប ស៉ីេប",
        "ស៊ាំ សំុា សុំា សាុំ សុាំ ស៉ាំ សាំុ",
        "ប៊ី បុី បីុ",
        "នំប៉័ង នំបុ័ង",
    ],
)
def test_spellings_that_look_alike_become_one(group):
    """The groups of SIL's list, and two of news: the first of each is the well-formed one."""
    assert {normalize(spelling) for spelling in group.split()} == {group.split()[0]}


def test_nfc_would_break_canonical_text():
    text = "\u1780\u17dd\u17d2\u1780"  # a mark of class 230, then a coeng of class 9
    assert unicodedata.normalize("NFC", text) != text
    assert normalize("ក្កា\u17dd") == "ក្កា\u17dd"
    assert unicodedata.normalize("NFC", "ក្កា\u17dd") == "ក្កា\u17dd"
    assert normalize(text) == "ក្ក\u17dd"  # the coeng belongs before the mark


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ព័ត៌មានប្លែកៗ",
        "កាលពីថ្ងៃទី១៨ ខែកក្កដា ឆ្នាំ២០១៩ លោក ហ៊ុន សែន បានថ្លែងថា៖ «ល្អណាស់!»។",
        "ឱ្យ ឲ្យ ឮ ឬ ឯ ឧទាហរណ៍ ប៊ីក ម្ល៉េះ ញ៉ាំ អ៊ុំ ប៉ះ",
        "line one\nline two — café, COVID-19 😀",
        "👩\u200d👧 ❤\ufe0f",
    ],
)
def test_canonical_text_is_returned_unchanged(text):
    assert normalize(text) == text


@pytest.mark.parametrize(
    ("raw", "canonical"),
    [
        ("\ufeffសួស្តី", "សួស្តី"),
        ("  ក \u00a0\u200b ខ\t", "ក ខ"),
        ("ក\r\nខ\u2028គ \n\n ឃ", "ក\nខ\nគ\nឃ"),
        ("កូវីដ–១៩ \u2212៥ ១០‑២០", "កូវីដ-១៩ -៥ ១០-២០"),
        ("ក―ខ", "ក—ខ"),
        ("១２３，５", "១23,5"),
        ("cafe\u0301", "café"),
        ("ស\u200bាលា\u200bរៀន", "សាលារៀន"),
        ("\u200b \u200d", ""),
    ],
)
def test_spaces_dashes_and_invisible_characters(raw, canonical):
    assert normalize(raw) == canonical


def test_every_character_has_its_raw_span():
    raw = "\ufeff ខែ្មរ\u200bស្រី្ត ១"
    canonical = normalize_with_spans(raw)
    assert canonical.text == normalize(raw) == "ខ្មែរស្ត្រី ១"
    assert [raw[start:end] for start, end in canonical.spans[:5]] == ["ខែ្ម"] * 4 + ["រ"]
    assert canonical.spans[-1] == (len(raw) - 1, len(raw))
    assert {raw[start:end] for start, end in canonical.spans[5:-2]} == {"ស្រី្ត"}


def test_a_stray_coeng_is_dropped_without_a_letter():
    assert normalize("ក្ា") == "កា"
    assert normalize("ក្ ខ") == "ក ខ"
