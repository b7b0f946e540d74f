"""What should not be trusted is named: unspoken, untranscribed, unspelled, and what hardly fits."""

from khmer_aligned.alignment.doubts import NOT_UNDERSTOOD, UNSPOKEN, UNTRANSCRIBED, find_doubts
from khmer_aligned.alignment.thresholds import Thresholds


def test_a_good_alignment_has_no_doubt(aligned):
    assert find_doubts(aligned["farm"], Thresholds()) == []


def test_speech_without_text_is_a_doubt_without_characters(aligned):
    (doubt,) = find_doubts(aligned["market"], Thresholds())
    assert doubt.reason == UNTRANSCRIBED
    assert doubt.end - doubt.start > 2
    assert doubt.span[0] == doubt.span[1]
    assert find_doubts(aligned["market"], Thresholds(max_untranscribed=60.0)) == []


def test_an_unspoken_sentence_is_one_doubt_without_length(aligned):
    (doubt,) = find_doubts(aligned["school"], Thresholds())
    assert doubt.reason == UNSPOKEN
    assert doubt.start == doubt.end
    raw = aligned["school"].transcript.raw
    assert raw[slice(*doubt.span)] == "ពួកគេស្រលាញ់សាលា និងមិត្តភក្តិ"


def test_a_word_that_cannot_be_spelled_is_a_doubt(align_one, waveforms, texts):
    alignment = align_one(waveforms["farm"], "© " + texts["farm"])
    (doubt,) = find_doubts(alignment, Thresholds())
    assert (doubt.reason, doubt.span) == ("the aligner cannot spell it", (0, 1))


def test_a_phrase_that_is_not_read_aloud_is_a_doubt(align_one, waveforms, texts):
    alignment = align_one(waveforms["farm"], "☺ [សើច] " + texts["farm"])
    doubts = find_doubts(alignment, Thresholds())
    assert [(doubt.reason, doubt.span) for doubt in doubts] == [
        ("written and not read aloud: an emoji", (0, 1)),
        ("written and not read aloud: a stage direction", (2, 8)),
    ]


def test_text_that_hardly_fits_is_a_doubt_over_whole_words_by_time(aligned, align_one, waveforms):
    wrong = align_one(waveforms["market"], aligned["journey"].transcript.raw[:300])
    doubts = [d for d in find_doubts(wrong, Thresholds()) if d.reason != UNTRANSCRIBED]
    assert {doubt.reason for doubt in doubts} == {NOT_UNDERSTOOD}
    (whole,) = doubts
    assert (whole.start, whole.end) == (wrong.words[0].start, wrong.words[-1].end)
    strict = find_doubts(aligned["farm"], Thresholds(worst_margin=0))
    assert strict == []  # the text fits everywhere
