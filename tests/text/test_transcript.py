"""From any word, letter or slice back to the exact characters of the raw text."""

import pytest

from khmer_aligned.text import Transcript

HARD = "\ufeffនៅ\u200bថ្ងៃទី១៨ លោក ហ៊ុន សែន (ស្រ្តី) ចំណាយ $1.50 និងក្មេង ៗ ២០% 😀 បាន ។\r\nចប់"


@pytest.fixture(scope="module")
def hard():
    return Transcript.from_text(HARD)


def word_of(transcript, text):
    return next(word for word in transcript.words if word.text == text)


def test_words_and_their_raw_text(hard):
    read = [(word.text, hard.raw[slice(*word.span)]) for word in hard.words]
    assert read == [
        ("នៅ", "នៅ"),
        ("ថ្ងៃទី", "ថ្ងៃទី"),
        ("ដប់", "១៨"),
        ("ប្រាំបី", "១៨"),
        ("លោក", "លោក"),
        ("ហ៊ុន", "ហ៊ុន"),
        ("សែន", "សែន"),
        ("ស្ត្រី", "ស្រ្តី"),
        ("ចំណាយ", "ចំណាយ"),
        ("មួយ", "$1.50"),
        ("ដុល្លារ", "$1.50"),
        ("ហាសិប", "$1.50"),
        ("សេន", "$1.50"),
        ("និង", "និង"),
        ("ក្មេង", "ក្មេង"),
        ("ក្មេង", " ៗ"),
        ("ម្ភៃ", "២០%"),
        ("ភាគរយ", "២០%"),
        ("😀", "😀"),
        ("បាន", "បាន"),
        ("ចប់", "ចប់"),
    ]


def test_a_bullet_stands_with_the_line_that_it_opens():
    transcript = Transcript.from_text("ចំណុច៖\n- ខ្ញុំ (ទៅ)\n • «គាត់»\nក-ខ")
    parts = [transcript.written(i, i + 1) for i in range(len(transcript.words))]
    assert parts == ["ចំណុច៖", "- ខ្ញុំ", "(ទៅ)", "• «គាត់»", "ក-", "ខ"]


def test_slots_tile_and_brackets_stay_with_their_words(hard):
    slots = [hard.raw[slice(*word.slot)] for word in hard.words]
    assert "".join(slots) == HARD
    assert slots[0] == "\ufeffនៅ\u200b"
    assert slots[2:4] == ["", "១៨ "]  # of one number the last word takes the slot
    assert slots[7] == "(ស្រ្តី) "
    assert slots[-2] == "បាន ។\r\n"


def test_breaks(hard):
    breaks = [word.break_after.name for word in hard.words]
    assert breaks == [
        *("WORD", "WORD", "NEVER", "SPACE"),  # នៅ ថ្ងៃទី ១៨
        *("NEVER", "NEVER", "SPACE", "SPACE", "SPACE"),  # a title and a name of two parts
        *("NEVER", "NEVER", "NEVER", "SPACE"),  # $1.50
        *("WORD", "NEVER", "SPACE"),  # before ៗ
        *("NEVER", "SPACE", "SPACE"),
        *("PARAGRAPH", "PARAGRAPH"),
    ]


def test_slices(hard):
    assert hard.written(0, 21) == hard.canonical
    assert hard.written(2, 4) == "១៨"
    assert hard.spoken_text(2, 4) == "ដប់ប្រាំបី"
    assert hard.written(4, 9) == "លោក ហ៊ុន សែន (ស្ត្រី) ចំណាយ"
    assert hard.written(14, 16) == "ក្មេង ៗ"
    assert hard.spoken_text(14, 16) == "ក្មេងក្មេង"
    assert hard.spoken_text(9, 16) == "មួយដុល្លារហាសិបសេន និងក្មេងក្មេង"
    assert HARD[slice(*hard.slice_raw(19, 21))] == "បាន ។\r\nចប់"
    for i, j in [(-1, 2), (3, 2), (0, 22)]:
        with pytest.raises(IndexError, match="no words"):
            hard.slice_raw(i, j)


def test_brackets_before_a_number_stay_with_it():
    transcript = Transcript.from_text("ថ្លៃ ($5) និង «១០»")
    assert transcript.written(1, 3) == "($5)"
    assert transcript.spoken_text(1, 3) == "(ប្រាំដុល្លារ)"
    assert transcript.written(4, 5) == "«១០»"


def test_letters_have_raw_spans(hard):
    word = word_of(hard, "ស្ត្រី")
    assert word.romanized == "strii"
    assert {hard.raw[slice(*span)] for span in word.letter_spans} == {"ស្រ្តី"}
    word = word_of(hard, "ចំណាយ")
    assert [hard.raw[slice(*span)] for span in word.char_spans] == list("ចំណាយ")
    assert hard.raw[slice(*word.letter_spans[0])] == "ច"


def test_a_star_keeps_its_place(hard):
    assert [word.text for word in hard.words if word.is_star] == ["😀"]
    assert [word.text for word in Transcript.from_text("ក © ខ • គ").words] == ["ក", "©", "ខ", "គ"]


@pytest.mark.parametrize("raw", ["", "\ufeff", " \r\n", "។", "\u200b៖ "])
def test_a_text_without_words(raw):
    transcript = Transcript.from_text(raw)
    assert transcript.words == ()
    assert transcript.slice_raw(0, 0) == (0, len(raw))


def test_another_reading_changes_the_words_and_nothing_else(hard):
    money = next(item for item in hard.ambiguities if hard.raw[slice(*item.span)] == "$1.50")
    assert [word.text for word in hard.words[money.first : money.last]] == [
        word.text for word in money.readings[money.chosen]
    ]
    half = next(k for k, reading in enumerate(money.readings) if reading[-1].text == "កន្លះ")
    reread = hard.reread({money.span: half})
    assert reread.words[money.first : money.first + 3] == money.readings[half]
    assert reread.spoken == hard.spoken.replace("ហាសិបសេន", "កន្លះ")
    assert reread.canonical == hard.canonical
    assert reread.words[: money.first] == hard.words[: money.first]
    assert reread.words[money.first + 3 :] == hard.words[money.last :]
    assert reread.reread({money.span: 0}) == hard
    with pytest.raises(KeyError, match="no expression"):
        hard.reread({(0, 1): 1})


def test_every_reading_of_every_ambiguity_is_what_reread_gives():
    transcript = Transcript.from_text("ម៉ោង 14:30 (4.5) លេខ 010 123 123 បន្តិចម្ដងៗ 1/2។ល។")
    assert len(transcript.ambiguities) == 6
    for ambiguity in transcript.ambiguities:
        for k, reading in enumerate(ambiguity.readings):
            reread = transcript.reread({ambiguity.span: k})
            first = ambiguity.first
            assert reread.words[first : first + len(reading)] == reading
