"""From any word, letter or slice back to the exact characters of the raw text."""

import pytest

from khmer_aligned.text import Break, Transcript, scoring_form
from khmer_aligned.text.spans import rewrite

HARD = "\ufeffនៅ\u200bថ្ងៃទី១៨ លោក ហ៊ុន សែន (ស្រ្តី) ចំណាយ $1.50 និងក្មេង ៗ ២០% 😀 បាន ។\r\nចប់"


@pytest.fixture(scope="module")
def hard():
    return Transcript.from_text(HARD)


def at(transcript, text):
    return next(word for word in transcript.words if word.text == text)


def test_words_and_what_they_were_read_from(hard):
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


@pytest.mark.parametrize(
    ("text", "strength"),
    [
        ("បាន ។ ទៅ", Break.SENTENCE),
        ("បាន៕ ទៅ", Break.PARAGRAPH),
        ("បាន! ទៅ", Break.SENTENCE),
        ("បាន. ទៅ", Break.SENTENCE),
        ("បាន៖ ទៅ", Break.COLON),
        ("បាន, ទៅ", Break.SPACE),
        ("បាន ទៅ", Break.SPACE),
        ("បានទៅ", Break.WORD),
        ("Phnom Penh", Break.NEVER),
        ("phnom penh", Break.SPACE),
        ("J. Smith", Break.SPACE),
        ("COVID-19", Break.NEVER),
        ("បាន/ទៅ", Break.WORD),
        ("បាន - ទៅ", Break.SPACE),
    ],
)
def test_strength_of_a_break(text, strength):
    assert Transcript.from_text(text).words[0].break_after == strength


def test_a_heading_is_no_name():
    breaks = [
        word.break_after for word in Transcript.from_text("A Very Long Heading Of Seven").words
    ]
    assert [each == Break.NEVER for each in breaks] == [True, True, True, False, True, False]


def test_what_follows_a_title_may_be_no_name():
    words = Transcript.from_text("លោក បានមានប្រសាសន៍ថាទៅផ្សារ ហើយ").words
    assert words[0].text == "លោក"
    assert all(word.break_after > Break.NEVER for word in words)


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


def test_letters_lead_back(hard):
    word = at(hard, "ស្ត្រី")
    assert word.romanized == "strii"
    assert {hard.raw[slice(*span)] for span in word.letter_spans} == {"ស្រ្តី"}
    word = at(hard, "ចំណាយ")
    assert [hard.raw[slice(*span)] for span in word.char_spans] == list("ចំណាយ")
    assert hard.raw[slice(*word.letter_spans[0])] == "ច"


def test_a_star_keeps_its_place(hard):
    assert [word.text for word in hard.words if word.is_star] == ["😀"]
    assert [word.text for word in Transcript.from_text("ក © ខ • គ").words] == ["ក", "©", "ខ", "គ"]


@pytest.mark.parametrize("raw", ["", "\ufeff", " \r\n", "។", "\u200b៖ "])
def test_nothing_to_say(raw):
    transcript = Transcript.from_text(raw)
    assert transcript.words == ()
    assert transcript.slice_raw(0, 0) == (0, len(raw))


def test_another_reading_changes_the_words_and_nothing_else(hard):
    money = next(each for each in hard.ambiguities if hard.raw[slice(*each.span)] == "$1.50")
    assert [word.text for word in hard.words[money.first : money.last]] == [
        word.text for word in money.readings[money.chosen]
    ]
    half = next(k for k, reading in enumerate(money.readings) if reading[-1].text == "កន្លះ")
    other = hard.reread({money.span: half})
    assert other.words[money.first : money.first + 3] == money.readings[half]
    assert other.spoken == hard.spoken.replace("ហាសិបសេន", "កន្លះ")
    assert other.canonical == hard.canonical
    assert other.words[: money.first] == hard.words[: money.first]
    assert other.words[money.first + 3 :] == hard.words[money.last :]
    assert other.reread({money.span: 0}) == hard
    with pytest.raises(KeyError, match="no verbalized unit"):
        hard.reread({(0, 1): 1})


def test_every_reading_of_every_ambiguity_is_what_reread_gives():
    transcript = Transcript.from_text("ម៉ោង 14:30 (4.5) លេខ 010 123 123 បន្តិចម្ដងៗ 1/2។ល។")
    assert len(transcript.ambiguities) == 6
    for each in transcript.ambiguities:
        for k, reading in enumerate(each.readings):
            other = transcript.reread({each.span: k})
            assert other.words[each.first : each.first + len(reading)] == reading


def test_rewrite_and_compose():
    inner = rewrite("a--b", [(1, 3, "-")])
    assert (inner.text, inner.spans) == ("a-b", ((0, 1), (1, 3), (3, 4)))
    outer = rewrite(inner.text, [(0, 1, "xyz"), (1, 2, "")]).onto(inner)
    assert (outer.text, outer.spans) == ("xyzb", ((0, 1), (0, 1), (0, 1), (3, 4)))
    assert outer.locate(2, 4) == (0, 4)
    assert outer.locate(3, 3) == (3, 3)
    assert outer.locate(4, 4) == (4, 4)
    assert rewrite("", []).locate(0, 0) == (0, 0)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("ក្មេងៗ ២០% ។", "ក្មេង ក្មេង ម្ភៃភាគរយ"),
        ("ស្រ្តី\u200bល្អ!", "ស្ត្រីល្អ"),
        ("កណ្ដាល", "កណ្តាល"),
        ("COVID-១៩", "covid ដប់ប្រាំបួន"),
    ],
)
def test_scoring_form_hears_no_difference(left, right):
    assert scoring_form(left) == scoring_form(right)


def test_scoring_form_keeps_every_mark():
    assert scoring_form("ទឹក") != scoring_form("ទុក")
    assert scoring_form("ទឹក ក្តៅ។") == "ទឹកក្តៅ"
