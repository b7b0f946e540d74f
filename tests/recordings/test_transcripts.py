"""Transcript files: encodings, captions and annotations."""

import json

import pytest

from khmer_aligned.errors import UserError
from khmer_aligned.recordings import annotated, captions
from khmer_aligned.recordings.transcripts import read_transcript
from khmer_aligned.schema import Cue, Problem

from .sound import TEXT

A, B = "ខ្ញុំទៅផ្សារ។", "គាត់នៅផ្ទះ។"
BOTH = f"{A}\n{B}"
CUES = (Cue(0, len(A), 1.0, 2.5), Cue(len(A) + 1, len(BOTH), 3.0, 64.25))


@pytest.mark.parametrize(
    "data",
    [
        TEXT.encode("utf-16"),
        b"\xfe\xff" + TEXT.encode("utf-16-be"),
        TEXT.encode("utf-32"),
        TEXT.encode("utf-16-le"),
        TEXT.encode("utf-16-be"),
        TEXT.encode(),
    ],
)
def test_encodings_with_a_mark_and_utf16_without(tmp_path, data):
    (tmp_path / "a.txt").write_bytes(data)
    assert read_transcript(tmp_path / "a.txt") == (TEXT, ())


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_latin_text_in_utf16_is_known_by_its_zeros(tmp_path, encoding):
    text = "SOKHA:\r\n" + TEXT + "\r\nhttps://example.com\r\n"
    for each in (text, "only Latin\n"):
        (tmp_path / "a.txt").write_bytes(each.encode(encoding))
        assert read_transcript(tmp_path / "a.txt").text == each


@pytest.mark.parametrize("data", [b"caf\xe9", b"\xa1\xb5\xd2\xbe\xdb", bytes(range(128, 256))])
def test_another_encoding_is_refused_with_the_way_out(tmp_path, data):
    (tmp_path / "a.txt").write_bytes(data)
    with pytest.raises(UserError, match=r"^a\.txt: byte \d is not UTF-8; save .* as UTF-8"):
        read_transcript(tmp_path / "a.txt")


def test_plain_text_stays_as_it_stands():
    text = f"\ufeff[00:12] {A}\r\n{B} 7:30\n1 --> 2\n"
    assert captions.parse(text) == (text, ())


SRT = f"1\n00:00:01,000 --> 00:00:02,500\n{A}\n\n2\n00:00:03,000 --> 00:01:04,250\n{B}\n"
VTT = (
    "WEBVTT - title\n\nSTYLE\n::cue {}\n\nNOTE\nnobody says this\n\n"
    f"first\n00:01.000 --> 00:02.500 align:start\n<c.red>{A}</c>&nbsp;\n\n"
    f"NOTE nor this\n\n00:03.000 --> 01:04.250\n{{\\an8}}{B}\n"
)
LRC = f"[ar:nobody]\n[00:01.00]{A}\n[00:03.00]{B}\n"
LABELS = f"1.000000\t2.500000\t{A}\n\\\t100.0\t200.0\n3,000000\t64,250000\t{B}\n"


@pytest.mark.parametrize(
    "text",
    [
        SRT,
        "\ufeff" + SRT.replace("\n", "\r\n"),
        SRT.replace("\n\n2", "\n2"),
        SRT.replace(",", "."),
        VTT,
        LABELS,
    ],
)
def test_captions_are_text_with_rough_times(text):
    assert captions.parse(text) == (BOTH, CUES)


def test_a_caption_of_lrc_ends_where_the_next_begins():
    text, (first, second) = captions.parse(LRC)
    assert text == BOTH
    assert (first.start, first.end, second.start) == (1.0, 3.0, 3.0)
    refrain = f"[00:01.00][00:05.00]{A}\n[00:03.00]{B}\n"
    assert captions.parse(refrain).text == f"{A}\n{B}\n{A}"


def test_lines_below_a_bare_time():
    text, cues = captions.parse(f"0:01\n{A}\n0:03\n{B}\n1:04\n{A}\n")
    assert text == f"{A}\n{B}\n{A}"
    assert [cue.start for cue in cues] == [1.0, 3.0, 64.0]


def test_a_blank_line_in_a_caption_loses_nothing():
    text = (
        f"1\n00:00:01,000 --> 00:00:02,000\n{A}\n\n{B}\n\n2\n00:00:03,000 --> 00:00:04,000\n{A}\n"
    )
    assert captions.parse(text).text == f"{A}\n{B}\n{A}"


def test_a_voice_stands_before_a_colon():
    text = f"WEBVTT\n\n00:01.000 --> 00:02.000\n<v Sok Dara>{A}\n"
    assert captions.parse(text).text == f"Sok Dara: {A}"


def rolling(lines):
    """YouTube's captions: the line before above the new one, then the new one alone."""
    cues, before = ["WEBVTT\nKind: captions\nLanguage: km\n"], " "
    for k, line in enumerate(lines):
        head, _, tail = line.partition("ទៅ")
        timed = f"{head}<00:0{k}.500><c>ទៅ{tail}</c>" if tail else line
        cues.append(f"00:0{k}.000 --> 00:0{k}.990 align:start\n{before}\n{timed}\n")
        cues.append(f"00:0{k}.990 --> 00:0{k + 1}.000 align:start\n{line}\n \n")
        before = line
    return "\n".join(cues)


def test_rolling_captions_say_each_line_once():
    lines = [A, B, "យើងទៅសាលារៀន", "បាទ", "បាទ", B]
    assert captions.parse(rolling(lines)).text.split("\n") == lines


def test_captions_that_grow_word_by_word_are_one_line():
    grown = ["ខ្ញុំ", "ខ្ញុំ ទៅ", "ខ្ញុំ ទៅ ផ្សារ", "គាត់", "គាត់ នៅ"]
    text = "".join(
        f"{k}\n00:00:0{k},000 --> 00:00:0{k},900\n{line}\n\n" for k, line in enumerate(grown)
    )
    assert captions.parse(text).text.split() == ["ខ្ញុំ", "ទៅ", "ផ្សារ", "គាត់", "នៅ"]


def test_a_refrain_is_no_rolling():
    lines = [A, B, A, A, B, A]
    text = "".join(
        f"{k}\n00:00:0{k},000 --> 00:00:0{k},900\n{line}\n\n" for k, line in enumerate(lines)
    )
    assert captions.parse(text).text.split("\n") == lines


def tier(name, rows):
    intervals = "".join(
        f"        intervals [{k}]:\n            xmin = {a}\n            xmax = {b}\n"
        f'            text = "{text}"\n'
        for k, (a, b, text) in enumerate(rows, start=1)
    )
    return (
        f'        class = "IntervalTier"\n        name = "{name}"\n        xmin = 0\n'
        f"        xmax = 70\n        intervals: size = {len(rows)}\n{intervals}"
    )


def test_the_coarsest_tier_of_a_textgrid_that_has_the_text():
    sentences = [(0, 1, ""), (1, 2.5, A), (2.5, 3, ""), (3, 64.25, B)]
    words = [(1, 2, "ខ្ញុំ"), (2, 2.5, "ទៅផ្សារ។"), (3, 4, "គាត់នៅ"), (4, 64.25, "ផ្ទះ។")]
    comments = [(0, 70, 'speaker said ""hm"" [2]: 17')]
    text = (
        'File type = "ooTextFile"\nObject class = "TextGrid"\n\nxmin = 0\nxmax = 70\n'
        "tiers? <exists>\nsize = 3\nitem []:\n    item [1]:\n" + tier("words", words)
        + "    item [2]:\n" + tier("notes [1]", comments)
        + "    item [3]:\n" + tier("sentences", sentences)
    )  # fmt: skip
    assert annotated.parse_textgrid(text) == (BOTH, CUES)
    with pytest.raises(ValueError, match="breaks off"):
        annotated.parse_textgrid(text[: text.rindex("xmin")])
    with pytest.raises(ValueError, match="no TextGrid"):
        annotated.parse_textgrid(A)


def test_a_short_textgrid():
    rows = f'1\n2.5\n"{A}"\n3\n64.25\n"{B}"\n'
    text = (
        'File type = "ooTextFile"\nObject class = "TextGrid"\n\n0\n70\n<exists>\n1\n'
        f'"IntervalTier"\n"km"\n0\n70\n2\n{rows}'
    )
    assert annotated.parse_textgrid(text) == (BOTH, CUES)


ELAN = f"""<?xml version="1.0" encoding="UTF-8"?>
<ANNOTATION_DOCUMENT><TIME_ORDER>
<TIME_SLOT TIME_SLOT_ID="t1" TIME_VALUE="1000"/><TIME_SLOT TIME_SLOT_ID="t2" TIME_VALUE="2500"/>
<TIME_SLOT TIME_SLOT_ID="t3" TIME_VALUE="3000"/><TIME_SLOT TIME_SLOT_ID="t4" TIME_VALUE="64250"/>
</TIME_ORDER>
<TIER TIER_ID="sokha"><ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="a2" TIME_SLOT_REF1="t3"
TIME_SLOT_REF2="t4"><ANNOTATION_VALUE>{B}</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION></TIER>
<TIER TIER_ID="dara"><ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="a1" TIME_SLOT_REF1="t1"
TIME_SLOT_REF2="t2"><ANNOTATION_VALUE>{A}</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION></TIER>
<TIER TIER_ID="gloss" PARENT_REF="dara"><ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="a3"
TIME_SLOT_REF1="t1" TIME_SLOT_REF2="t2"><ANNOTATION_VALUE>I go</ANNOTATION_VALUE>
</ALIGNABLE_ANNOTATION></ANNOTATION></TIER>
</ANNOTATION_DOCUMENT>"""


def test_elan_gives_the_tiers_that_depend_on_no_other():
    assert annotated.parse_elan(ELAN) == (BOTH, CUES)
    with pytest.raises(ValueError, match="is no ELAN file"):
        annotated.parse_elan(ELAN[:900])


def test_nothing_that_an_xml_entity_names_is_read():
    entity = '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>'
    attack = ELAN.replace("<ANNOTATION_DOCUMENT>", entity + "<ANNOTATION_DOCUMENT>")
    with pytest.raises(ValueError, match="declares entities"):
        annotated.parse_elan(attack.replace(A, "&e;"))


SEGMENTS = [{"start": 1.0, "end": 2.5, "text": f" {A}"}, {"start": 3.0, "end": 64.25, "text": B}]


@pytest.mark.parametrize(
    "content",
    [
        {"text": A + B, "segments": SEGMENTS, "language": "km"},
        SEGMENTS,
        {"chunks": [{"timestamp": [s["start"], s["end"]], "text": s["text"]} for s in SEGMENTS]},
        {
            "transcription": [
                {"offsets": {"from": 1000 * s["start"], "to": 1000 * s["end"]}, "text": s["text"]}
                for s in SEGMENTS
            ]
        },
    ],
)
def test_the_json_of_programs_that_run_whisper(content):
    assert annotated.parse_whisper(json.dumps(content)) == (BOTH, CUES)


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"segments": [{}]}', '{"a": 1}', "[]"])
def test_json_that_is_no_transcript_is_named(tmp_path, text):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(UserError, match=r"^a\.json: ") as caught:
        read_transcript(tmp_path / "a.json")
    assert caught.value.category == Problem.UNREADABLE_TRANSCRIPT
