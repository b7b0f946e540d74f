"""What should not be trusted is named: unspoken, untranscribed, unspelled, and low scores."""

from khmer_aligned.alignment.doubts import UNSPOKEN, UNTRANSCRIBED, find_doubts
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
        ("written and not read aloud: a stage direction", (2, 7)),
    ]


def test_low_scores_are_doubts_over_whole_words_by_time(aligned):
    alignment = aligned["farm"]
    doubts = find_doubts(alignment, Thresholds(min_worst_score=0.8))
    assert {doubt.reason for doubt in doubts} == {"low alignment score"}
    assert [doubt.start for doubt in doubts] == sorted(doubt.start for doubt in doubts)
    word_starts = {word.span[0] for word in alignment.words}
    assert all(doubt.span[0] in word_starts and doubt.end > doubt.start for doubt in doubts)
    (whole,) = find_doubts(alignment, Thresholds(min_worst_score=1.0))
    assert (whole.start, whole.end) == (alignment.words[0].start, alignment.words[-1].end)
