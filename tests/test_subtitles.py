"""Subtitle files show each text at its time, whatever characters it holds."""

import pytest

from khmer_aligned.subtitles import Cue, render_subtitles

CUES = [Cue(0.0, 1.25, "ក <b>ខ</b> & {គ}"), Cue(3661.5, 3662.0, "ឃ\n\n  ង  ច")]


def test_srt_has_a_number_a_time_and_the_text_as_it_is():
    assert render_subtitles(CUES, "srt").strip().split("\n\n") == [
        "1\n00:00:00,000 --> 00:00:01,250\nក <b>ខ</b> & {គ}",
        "2\n01:01:01,500 --> 01:01:02,000\nឃ\nង ច",
    ]


def test_vtt_has_a_header_and_escapes_what_it_reads_as_markup():
    assert render_subtitles(CUES, "vtt").strip().split("\n\n") == [
        "WEBVTT",
        "1\n00:00:00.000 --> 00:00:01.250\nក &lt;b&gt;ខ&lt;/b&gt; &amp; {គ}",
        "2\n01:01:01.500 --> 01:01:02.000\nឃ\nង ច",
    ]


@pytest.mark.parametrize(("form", "empty"), [("srt", ""), ("vtt", "WEBVTT")])
def test_no_cue_is_an_empty_file(form, empty):
    assert render_subtitles([], form).strip() == empty
