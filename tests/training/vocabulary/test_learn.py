"""The merges that make Khmer characters and longer entries."""

from khmer_whisper.vocabulary.learn import (
    CHARACTERS,
    LONGEST,
    character_merges,
    learn_merges,
    pre_tokenizer,
    symbols,
    written,
)

from .small import SENTENCES


def test_each_character_is_an_entry_made_of_its_bytes():
    merges = character_merges()
    results = [left + right for left, right in merges]
    assert len(set(results)) == len(results) == 2 + len(CHARACTERS)
    assert {written(result) for result in results[2:]} == set(CHARACTERS)
    assert [written(result) for result in results[:2]] == [None, None]  # a part of a character
    known = {symbols(character)[0] for character in CHARACTERS}
    for left, right in merges:  # a merge needs what merges before it have made
        assert len(left) == 1 or left in known
        known.add(left + right)


def test_what_repeats_becomes_an_entry():
    merges = learn_merges(SENTENCES, 20)
    texts = [written(left + right) for left, right in merges]
    assert len(set(texts)) == 20
    assert "ខ្ញុំ" in texts and None not in texts
    assert max(map(len, texts)) <= LONGEST
    assert merges == learn_merges(SENTENCES, 20)


def test_text_that_does_not_repeat_gives_fewer():
    assert learn_merges(["abc", "កខ គឃ"], 20) == []


def test_a_stretch_of_khmer_stays_whole():
    text = "He's at ភ្នំពេញ២០២៤។  ok ខ្ញុំ, abcខ្ញុំ12"
    pieces = [text[start:end] for _, (start, end) in pre_tokenizer().pre_tokenize_str(text)]
    assert pieces == [
        "He", "'s", " at", " ភ្នំពេញ២០២៤។", " ", " ok", " ខ្ញុំ", ",", " abc", "ខ្ញុំ", "12",
    ]  # fmt: skip
