"""Captions of a part of a recording: the speech that they leave out takes no word of theirs."""

import numpy as np
import pytest

from khmer_aligned import aligners
from khmer_aligned.alignment.align import align
from khmer_aligned.alignment.captioned import fit_line
from khmer_aligned.schema import Cue
from khmer_aligned.text import Transcript

from ..conftest import SHARED
from ..joined import join

SENTENCES = 8


@pytest.mark.parametrize(("slope", "offset"), [(1.0, 0.0), (1.0, 2.0), (1.01, -3.0), (0.96, 40.0)])
def test_a_line_bears_a_quarter_of_the_captions_anywhere(slope, offset):
    shown = np.sort(np.random.default_rng(0).uniform(0, 600, 40))
    spoken = slope * shown + offset + np.random.default_rng(1).normal(0, 0.3, 40)
    spoken[::5] += 90
    line = fit_line(shown, spoken)
    assert line.slope == pytest.approx(slope, abs=0.002)
    assert line.slope * 300 + line.offset == pytest.approx(slope * 300 + offset, abs=0.5)


def test_few_captions_tell_no_drift():
    shown = np.array([0.0, 10.0, 20.0, 30.0])
    assert fit_line(shown, shown * 1.05).slope == 1.0


@pytest.fixture(scope="module")
def sentences(texts, true_words):
    """Of a recording of the demo, its sentences as (first character, last, start, end)."""
    text, words = texts["journey"], true_words("journey")
    sentences, first = [], 0
    for line in text.split("។"):
        last = first + len(line)
        inside = [word for word in words if first <= word[0] < last]
        if inside:
            sentences.append((first, last, inside[0][2], inside[-1][3]))
        first = last + 1
    return sentences


def captions(text, sentences, change=lambda start, end: (start, end)):
    """The text of some sentences, a line each, and its captions."""
    lines, cues, position = [], [], 0
    for first, last, start, end in sentences:
        line = text[first:last].strip()
        cues.append(Cue(position, position + len(line), *change(start, end)))
        lines.append(line)
        position += len(line) + 1
    return "\n".join(lines), cues


def starts_of(alignment):
    """The start of each word."""
    return [word.start for word in alignment.words]


@pytest.mark.parametrize("part", [slice(0, None, 2), slice(1, None, 2)])
def test_every_second_sentence_is_where_the_whole_text_has_it(
    aligned, aligner, waveforms, texts, sentences, lag, part
):
    text, cues = captions(
        texts["journey"], sentences[part], lambda start, end: (1.01 * start + 2, 1.01 * end + 2)
    )
    (alignment,) = align(
        [waveforms["journey"]], [Transcript.from_text(text)], aligner, lag=lag.seconds, cues=[cues]
    )
    assert not any(alignment.unspoken)
    expected = [
        word.start
        for first, last, _, _ in sentences[part]
        for word in aligned["journey"].words
        if first <= word.span[0] < last
    ]
    assert starts_of(alignment) == pytest.approx(expected, abs=0.1)


def test_captions_of_another_recording_change_nothing(aligner, waveforms, texts, sentences, lag):
    text, cues = captions(texts["journey"], sentences[::2])
    shuffled = np.random.default_rng(2).permutation([(cue.start, cue.end) for cue in cues])
    wrong = [
        Cue(cue.first, cue.last, start * 7, end * 7)
        for cue, (start, end) in zip(cues, shuffled.tolist(), strict=True)
    ]
    waveform, transcript = [waveforms["journey"]] * 2, [Transcript.from_text(text)] * 2
    without, within = align(waveform, transcript, aligner, lag=lag.seconds, cues=[(), wrong])
    assert starts_of(within) == starts_of(without)


def test_a_caption_with_a_wrong_time_costs_no_other_one(aligner, waveforms, texts, sentences, lag):
    text, cues = captions(texts["journey"], sentences[::2])
    wrong = list(cues)
    wrong[1] = Cue(cues[1].first, cues[1].last, cues[1].start + 4, cues[1].start + 4.2)
    waveform, transcript = [waveforms["journey"]] * 2, [Transcript.from_text(text)] * 2
    right, one_wrong = align(waveform, transcript, aligner, lag=lag.seconds, cues=[cues, wrong])
    assert not any(one_wrong.unspoken)
    assert starts_of(one_wrong) == pytest.approx(starts_of(right), abs=0.1)


@pytest.mark.slow
@pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared")
def test_read_sentences_that_begin_alike_are_told_apart():
    """Every second sentence of a real voice, some of which begin with the same words, is where the
    whole text has it."""
    model = aligners.load(str(SHARED / "models" / "khmer-ctc-micro"))
    moved = []
    for start in (0, 4):
        joined = join(SHARED / "data" / "keosaly_labelled", start, SENTENCES)
        (whole,) = align([joined.waveform], [Transcript.from_text(joined.text)], model, lag=0.195)
        for first in (0, 1):
            chosen = [(s.first, s.last, s.start, s.end) for s in joined.sentences[first::2]]
            text, cues = captions(joined.text, chosen)
            (alignment,) = align(
                [joined.waveform], [Transcript.from_text(text)], model, lag=0.195, cues=[cues]
            )
            starts = {word.span[0]: word.start for word in alignment.words}
            moved += [
                starts.get(cue.first + word.span[0] - sentence[0], np.inf) - word.start
                for cue, sentence in zip(cues, chosen, strict=True)
                for word in whole.words
                if sentence[0] <= word.span[0] < sentence[1]
            ]
    assert len(moved) > 150
    assert np.mean(np.abs(moved) < 0.1) >= 0.97
