"""The same sentence in train and held out: what counts as the same, and what does not."""

import csv

import pytest
from rapidfuzz import fuzz

from khmer_aligned.dataset.duplicates import HeldOutTexts, letters_of
from khmer_aligned.text.normalize import normalize

from ..conftest import SHARED
from .whole_clips import sentence


def find(text: str, *held_out: str):
    return HeldOutTexts(held_out).find([letters_of(text)])


def test_spaces_punctuation_and_zero_width_characters_do_not_count():
    assert letters_of("ខ្ញុំ\u200b ទៅ «ផ្សារ»។ OK 1") == "ខ្ញុំទៅផ្សារok1"
    (duplicate,) = find("ខ្ញុំចង់ បានកាហ្វេ\u200bមួយកែវ!", sentence(1), "ខ្ញុំចង់បានកាហ្វេមួយកែវ។")
    assert (duplicate.held_out, duplicate.similarity, duplicate.is_equal) == (1, 1.0, True)


def test_a_particle_more_is_nearly_the_same_and_another_object_is_not():
    assert find("ខ្ញុំសង្ឃឹមថាយើងអាចជួបគ្នាម្តងទៀត", "ខ្ញុំសង្ឃឹមថាយើងជួបគ្នាម្តងទៀត")
    assert not find("ខ្ញុំចង់បានកាហ្វេមួយកែវ", "ខ្ញុំចង់បានស្រាសមួយកែវ")  # 80 %


def test_a_longer_text_that_holds_a_held_out_sentence_is_a_duplicate():
    held_out = sentence(1, 8) + sentence(2, 8)  # each of its sentences counts
    (duplicate,) = find(sentence(3) + sentence(2, 8) + sentence(4), held_out)
    assert not duplicate.is_equal
    assert not find(sentence(3) + sentence(4), held_out)


def test_words_and_greetings_are_no_sentences():
    texts = HeldOutTexts(["អរគុណ", sentence(1)])
    assert texts.find(["អរគុណ"]) == []
    assert texts.is_short_duplicate("អរគុណ") and not texts.is_short_duplicate("បាទ")


def test_nothing_held_out_and_nothing_asked_for():
    assert HeldOutTexts([]).find([letters_of(sentence(1))]) == []
    assert HeldOutTexts([sentence(1)]).find([]) == []
    assert HeldOutTexts(["", "ក"]).find(["", "ក"]) == []


def test_a_sentence_that_many_held_out_clips_have_is_still_found():
    many = [sentence(1), *(sentence(1) + sentence(i) for i in range(2, 60))]
    assert find(sentence(1), *many)[0].is_equal


@pytest.mark.skipif(not (SHARED / "data" / "keosaly").is_dir(), reason="needs ../shared")
def test_nine_of_ten_near_duplicates_of_a_read_corpus_are_found():
    with (SHARED / "data" / "keosaly" / "metadata.csv").open(encoding="utf-8") as file:
        texts = [normalize(row["transcription"]) for row in csv.DictReader(file)]
    held_out, train = texts[::2], [letters_of(text) for text in texts[1::2]]
    found = {item.index for item in HeldOutTexts(held_out).find(train)}
    others = [letters_of(text) for text in held_out]
    near = {
        i
        for i, text in enumerate(train)
        if any(abs(len(text) - len(o)) < 12 and fuzz.ratio(text, o) >= 90 for o in others)
    }
    assert len(near) > 5
    assert len(near & found) >= 0.9 * len(near)
    assert len(found) < 0.03 * len(train)
