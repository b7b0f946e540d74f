"""Files of an alignment read back by the tools that they are for, with the right times."""

import itertools
import json

import pysubs2
import pytest
from praatio import textgrid

from khmer_aligned.alignment import exports


@pytest.fixture
def farm(aligned):
    return aligned["farm"]


def render(alignment, form, level="word"):
    return exports.render(alignment, form, level, audio="shelf/farm.ogg")


def test_json_spans_lead_back_to_the_transcript(farm):
    whole = json.loads(render(farm, "json"))
    assert whole["audio"] == "shelf/farm.ogg"
    assert whole["aligner"].startswith("aligner@sha256:")
    assert whole["duration"] == pytest.approx(farm.acoustics.duration, abs=1e-3)
    assert whole["rejected"] == []
    lag = whole["lag"]
    assert (lag["seconds"], lag["source"]) == (farm.lag.seconds, "measured")
    assert lag["this_recording"] == pytest.approx(lag["seconds"], abs=0.02)
    assert lag["edges"] > 400 and lag["recordings"] == 4
    for word in whole["words"]:
        begin, end = word["span"]
        assert 0 <= word["start"] <= word["end"] <= whole["duration"]
        assert 0 <= word["score"] <= 1
        written = farm.transcript.raw[begin:end]
        assert word["text"] == written or any(c in written for c in "០១២៣៤៥៦៧៨៩ៗ")
    assert "".join(t["text"] for t in whole["tokens"]).isascii()
    assert len(whole["tokens"]) > 3 * len(whole["words"])


@pytest.mark.parametrize("level", ["token", "word", "phrase"])
def test_textgrid_reads_back(farm, level, tmp_path):
    path = tmp_path / "farm.TextGrid"
    path.write_text(render(farm, "textgrid", level), encoding="utf-8")
    grid = textgrid.openTextgrid(str(path), includeEmptyIntervals=False)
    (name,) = grid.tierNames
    entries = grid.getTier(name).entries
    assert name == f"{level}s"
    assert grid.maxTimestamp == pytest.approx(farm.acoustics.duration, abs=1e-3)
    if level == "word":
        timed = [word for word in farm.words if word.end > word.start]
        assert [e.label for e in entries] == [word.text for word in timed]
        assert [e.start for e in entries] == pytest.approx([w.start for w in timed], abs=1e-3)
    if level == "phrase":
        assert 5 < len(entries) < len(farm.words) / 2
        assert "".join(e.label for e in entries).replace(" ", "") == "".join(
            farm.transcript.canonical.split()
        )


@pytest.mark.parametrize("form", ["srt", "vtt"])
def test_subtitles_read_back(farm, form):
    phrases = pysubs2.SSAFile.from_string(render(farm, form, "phrase"), format_=form)
    assert len(phrases) > 5
    assert phrases[0].start / 1000 == pytest.approx(farm.words[0].start, abs=2e-3)
    assert all(a.end <= b.start for a, b in itertools.pairwise(phrases))
    assert phrases[0].text.split()[0].startswith(farm.words[0].text)


def test_ctm_has_a_line_of_six_fields_a_word(farm):
    lines = [line.split() for line in render(farm, "ctm").splitlines()]
    assert {len(line) for line in lines} == {6}
    assert {line[0] for line in lines} == {"farm"}
    first = farm.words[0]
    assert float(lines[0][2]) == pytest.approx(first.start, abs=1e-3)
    assert float(lines[0][3]) == pytest.approx(first.end - first.start, abs=2e-3)
    assert lines[0][4] == first.text


def test_json_names_what_is_in_doubt(aligned):
    (doubt,) = json.loads(render(aligned["school"], "json"))["rejected"]
    assert doubt["reason"] == "not spoken where the transcript has it"
    begin, end = doubt["span"]
    assert aligned["school"].transcript.raw[begin:end].startswith("ពួកគេស្រលាញ់សាលា")
