"""Words where they are spoken, and what cannot be aligned said."""

import numpy as np
import pytest
from praatio import textgrid

from khmer_aligned import aligners, audio
from khmer_aligned.alignment import align
from khmer_aligned.alignment.energy import measure_energy
from khmer_aligned.clips import quality
from khmer_aligned.errors import UserError
from khmer_aligned.schema import SAMPLE_RATE
from khmer_aligned.text import Transcript

from ..conftest import SHARED
from ..joined import join

NAMES = ("farm", "journey", "market", "school")


@pytest.fixture(scope="module")
def aligner(aligner_folder):
    return aligners.load(str(aligner_folder))


@pytest.fixture(scope="module")
def aligned(aligner, recordings):
    waveforms = [audio.load(recordings / f"{name}.ogg", name=name) for name in NAMES]
    texts = [(recordings / f"{name}.txt").read_bytes().decode() for name in NAMES]
    transcripts = [Transcript.from_text(text) for text in texts]
    return dict(zip(NAMES, align.align(waveforms, transcripts, aligner), strict=True))


def errors(alignment, words):
    start_of = {word.span[0]: word.start for word in alignment.words}
    return np.array([start_of[w[0]] - w[2] for w in words if w[0] in start_of])


@pytest.mark.parametrize("name", NAMES)
def test_words_start_where_they_are_spoken(aligned, true_words, name):
    found = np.abs(errors(aligned[name], true_words(name)))
    assert len(found) > 0.9 * len(true_words(name))
    assert np.median(found) <= 0.03
    assert np.percentile(found, 90) <= 0.07


@pytest.mark.parametrize("name", NAMES)
def test_times_are_in_order_and_lead_back_to_the_transcript(aligned, name):
    alignment = aligned[name]
    raw = alignment.transcript.raw
    last = 0.0
    for word, (lo, hi) in zip(alignment.words, alignment.token_ranges, strict=True):
        tokens = alignment.tokens[lo:hi]
        assert last <= word.start <= word.end <= alignment.duration
        assert [t.start for t in tokens] == sorted(t.start for t in tokens)
        assert all(word.span[0] <= t.span[0] < t.span[1] <= word.span[1] for t in tokens)
        assert raw[slice(*word.span)].strip()
        last = word.start


def test_what_was_not_said_and_what_was_not_written_are_reported(aligned):
    limits = quality.Thresholds()
    said_more = quality.doubts(aligned["market"], limits)
    assert [d.reason for d in said_more] == [quality.UNTRANSCRIBED]
    assert said_more[0].end - said_more[0].start > 2
    (unspoken,) = quality.doubts(aligned["school"], limits)
    assert unspoken.reason == quality.GIVEN_UP
    raw = aligned["school"].transcript.raw
    assert raw[slice(*unspoken.span)] == "ពួកគេស្រលាញ់សាលា និងមិត្តភក្តិ"
    assert quality.doubts(aligned["farm"], limits) == []


def test_of_exchanged_lines_one_is_given_up_and_no_other_is_touched(aligned, aligner, recordings):
    raw = aligned["farm"].transcript.raw
    sentences = raw.split("។ ")
    sentences[1], sentences[2] = sentences[2], sentences[1]
    farm = audio.load(recordings / "farm.ogg", name="farm")
    (found,) = align.align([farm], [Transcript.from_text("។ ".join(sentences))], aligner)
    doubts = quality.doubts(found, quality.Thresholds())
    (unspoken,) = [doubt for doubt in doubts if doubt.reason == quality.GIVEN_UP]
    assert quality.UNTRANSCRIBED in [doubt.reason for doubt in doubts]
    assert found.transcript.raw[slice(*unspoken.span)] in sentences[1:3]
    behind = 2 + len("។ ".join(sentences[:3]))
    starts = [
        [word.start for word in alignment.words if word.span[0] >= behind]
        for alignment in (found, aligned["farm"])
    ]
    assert len(starts[0]) > 50
    assert starts[0] == pytest.approx(starts[1], abs=0.05)


def test_a_late_model_is_found_out(aligned, recordings, aligner):
    """The same emissions, 10 frames late, give the same times."""
    farm = audio.load(recordings / "farm.ogg", name="farm")

    class Late:
        def __getattr__(self, name):
            return getattr(aligner, name)

        def emissions(self, waveforms):
            blank = np.full((10, len(aligner.vocabulary)), -20.0, np.float32)
            blank[:, aligner.blank] = 0
            return [np.concatenate([blank, e[:-10]]) for e in aligner.emissions(waveforms)]

    (late,) = align.align([farm], [aligned["farm"].transcript], Late())
    assert late.offset - aligned["farm"].offset == pytest.approx(0.2, abs=0.01)
    starts = [np.array([w.start for w in a.words]) for a in (late, aligned["farm"])]
    assert np.median(np.abs(starts[0] - starts[1])) < 0.02


def test_what_cannot_be_aligned_costs_its_neighbours_nothing(aligned, aligner, recordings):
    farm = audio.load(recordings / "farm.ogg", name="farm")
    text = aligned["farm"].transcript
    cases = {
        "empty": (farm, Transcript.from_text(" \ufeff\n")),
        "can spell": (farm, Transcript.from_text("☺ ☺")),
        "too short": (farm[:160], text),
        "silent": (np.zeros(SAMPLE_RATE, np.float32), text),
        r"\d+ labels": (farm[: 2 * SAMPLE_RATE], text),
    }
    waveforms, transcripts = zip(*cases.values(), (farm, text), strict=True)
    *failed, fine = align.align(waveforms, transcripts, aligner)
    for complaint, error in zip(cases, failed, strict=True):
        assert isinstance(error, UserError)
        with pytest.raises(UserError, match=complaint):
            raise error
    assert fine.words == aligned["farm"].words


def test_an_unspellable_word_keeps_its_place(aligner, recordings, aligned):
    raw = "☺ " + aligned["farm"].transcript.raw
    farm = audio.load(recordings / "farm.ogg", name="farm")
    (alignment,) = align.align([farm], [Transcript.from_text(raw)], aligner)
    assert alignment.words[0].text == "☺"
    assert alignment.words[0].score == 0
    reasons = [d.reason for d in quality.doubts(alignment, quality.Thresholds())]
    assert reasons == ["the aligner cannot spell it"]
    shifted = [w.start for w in alignment.words[1:]]
    assert np.allclose(shifted, [w.start for w in aligned["farm"].words], atol=0.1)


def test_pauses_of_known_length_are_found():
    rng = np.random.default_rng(0)
    noise = 0.3 * rng.standard_normal(3 * SAMPLE_RATE).astype(np.float32)
    noise[SAMPLE_RATE : SAMPLE_RATE + SAMPLE_RATE // 2] *= 0.001
    energy = measure_energy(noise)
    ((start, end),) = energy.pauses
    assert (start, end) == (pytest.approx(1.0, abs=0.03), pytest.approx(1.5, abs=0.03))
    assert energy.quietest(0.8, 1.6) == pytest.approx(1.25, abs=0.03)
    assert energy.speech_seconds(0.5, 2.0) == pytest.approx(1.0, abs=0.05)


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs real recordings")
def test_real_khmer_news():
    micro = aligners.load(str(SHARED / "models" / "khmer-ctc-micro"))
    raw = (SHARED / "data" / "long" / "audio.txt").read_text(encoding="utf-8")
    waveform = audio.load(SHARED / "data" / "long" / "audio.wav", name="long")
    (alignment,) = align.align([waveform], [Transcript.from_text(raw)], micro)
    grid = textgrid.openTextgrid(str(SHARED / "data" / "long" / "audio.TextGrid"), False)
    words, position = [], 0
    for start, end, label in grid.getTier("words").entries:
        first = raw.index(label, position)
        position = first + len(label)
        words.append((first, position, start, end))
    found = np.abs(errors(alignment, words))
    assert len(found) == 81
    assert np.median(found) <= 0.03
    assert np.percentile(found, 90) <= 0.07


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs real recordings")
def test_real_sentences_joined_without_spaces_between_words():
    micro = aligners.load(str(SHARED / "models" / "khmer-ctc-micro"))
    joined = join(SHARED / "data" / "keosaly_labelled", 100, 20, spaced=False)
    (alignment,) = align.align([joined.waveform], [Transcript.from_text(joined.text)], micro)
    words = [(first, 0, start, end) for first, start, end in joined.words]
    found = np.abs(errors(alignment, words))
    assert len(found) > 0.8 * len(words)
    assert np.median(found) <= 0.03
    assert np.percentile(found, 90) <= 0.08


def test_the_reading_that_was_spoken_is_kept(aligner, recordings, true_words):
    """The same text, ៥-៦, over audio that says five to six in three ways."""

    def said(name, word):
        text = (recordings / f"{name}.txt").read_bytes().decode()
        times = next((w[2], w[3]) for w in true_words(name) if text[w[0] : w[1]] == word)
        samples = audio.load(recordings / f"{name}.ogg", name=name)
        return samples[slice(*(round(second * SAMPLE_RATE) for second in times))]

    farm = audio.load(recordings / "farm.ogg", name="farm")
    text = (recordings / "farm.txt").read_bytes().decode()
    end = text.index("។") + 1
    (until,) = (w[2] for w in true_words("farm") if w[0] == end + 1)
    first = farm[: round((until - 0.1) * SAMPLE_RATE)]
    pause = np.zeros(SAMPLE_RATE // 20, np.float32)
    five, six = said("market", "៥"), said("journey", "៦")
    arrive = said("school", "មកដល់")
    spoken = {
        "ប្រាំ ដល់ ប្រាំមួយ": [five, arrive[len(arrive) // 2 :], six],
        "ប្រាំ ទៅ ប្រាំមួយ": [five, said("school", "ទៅ"), six],
        "ប្រាំ ប្រាំមួយ": [five, pause, six],
    }
    raw = text[:end] + " ៥-៦"
    waveforms = [np.concatenate([first, pause, *parts, pause]) for parts in spoken.values()]
    found = align.align(waveforms, [Transcript.from_text(raw)] * len(spoken), aligner)
    for wanted, alignment in zip(spoken, found, strict=True):
        words = [word.text for word in alignment.words if word.span[0] > end]
        assert words == wanted.split()
        assert [word.text for word in alignment.transcript.words][-len(words) :] == words
        begin = (len(first) + len(pause) + len(five)) / SAMPLE_RATE
        assert alignment.words[-len(words) + 1].start == pytest.approx(begin, abs=0.15)
