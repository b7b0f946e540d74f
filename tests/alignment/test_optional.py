"""Phrases that may not be spoken: kept where they were, left out where they were not."""

import pytest


def kept(align_one, waveform, text):
    """What is left of a text, and the kinds of what is left out."""
    transcript = align_one(waveform, text).transcript
    written = transcript.written(0, len(transcript.words))
    return written, [each.kind for each in transcript.omitted]


@pytest.mark.parametrize(
    ("extra", "kind"),
    [
        ("[មនុស្សសើចខ្លាំង]", "a stage direction"),
        ("(UN)", "a stage direction"),
        ("https://example.com/market", "an address"),
        ("012 345 678", "a telephone number"),
        ("[3]", "a footnote mark"),
        ("😀", "an emoji"),
    ],
)
def test_what_nobody_said_is_left_out(align_one, waveforms, texts, extra, kind):
    text = texts["farm"].strip()
    for place in (text.index(" "), text.index("។")):
        wild = f"{text[:place]} {extra}{text[place:]}"
        written, kinds = kept(align_one, waveforms["farm"], wild)
        assert kinds == [kind]
        assert written.replace(" ", "") == text.replace(" ", "")


def test_what_was_said_is_kept(align_one, waveforms, texts):
    text = texts["farm"].strip()
    place, end = text.index(" "), text.index("។")
    wild = f"{text[:place]} ({text[place + 1 : end]}){text[end:]}"
    assert kept(align_one, waveforms["farm"], wild) == (wild, [])


def test_names_before_a_colon_cost_no_word(align_one, aligned, waveforms, texts):
    lines = [line.strip() for line in texts["farm"].strip().split("។") if line.strip()]
    wild = "\n".join(f"{('សុខា', 'Mr. Vibol')[k % 2]}៖ {line}។" for k, line in enumerate(lines))
    alignment = align_one(waveforms["farm"], wild)
    assert {each.kind for each in alignment.transcript.omitted} == {"a name before a colon"}
    assert len(alignment.transcript.omitted) == len(lines)
    clean = aligned["farm"]
    assert [word.text for word in alignment.words] == [word.text for word in clean.words]
    for word, expected in zip(alignment.words, clean.words, strict=True):
        assert word.start == pytest.approx(expected.start, abs=0.05)


def test_a_text_of_optional_phrases_only_is_aligned_as_it_is(align_one, waveforms):
    alignment = align_one(waveforms["farm"], "[សើច]")
    assert [word.text for word in alignment.words] == ["សើច"]
