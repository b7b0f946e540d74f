"""Words have their times, and what cannot be aligned costs the others nothing."""

import re

import numpy as np
import pytest
from praatio import textgrid
from rapidfuzz.distance import Levenshtein

from khmer_aligned import aligners, audio
from khmer_aligned.alignment.align import align
from khmer_aligned.alignment.lag import recording_lag
from khmer_aligned.errors import Failed
from khmer_aligned.schema import SAMPLE_RATE
from khmer_aligned.text import Transcript

from ..conftest import SHARED
from ..joined import join
from .conftest import NAMES

MICRO_LAG = 0.195  # seconds, of khmer-ctc-micro; bench_conditions.py measures it


def start_errors(alignment, true_starts):
    """Seconds that words start too late, (K,); true_starts: first character -> seconds."""
    starts = {word.span[0]: word.start for word in alignment.words}
    return np.array([starts[k] - true for k, true in true_starts.items() if k in starts])


@pytest.mark.parametrize("name", NAMES)
def test_words_start_where_they_are_spoken(aligned, true_words, name):
    true_starts = {first: start for first, _, start, _ in true_words(name)}
    errors = np.abs(start_errors(aligned[name], true_starts))
    assert len(errors) > 0.9 * len(true_starts)
    assert np.median(errors) <= 0.03
    assert np.percentile(errors, 90) <= 0.07


@pytest.mark.parametrize("name", NAMES)
def test_times_are_in_order_and_spans_lead_back_to_the_transcript(aligned, name):
    alignment = aligned[name]
    raw = alignment.transcript.raw
    last_start = 0.0
    for word, (lo, hi) in zip(alignment.words, alignment.token_ranges, strict=True):
        tokens = alignment.tokens[lo:hi]
        assert last_start <= word.start <= word.end <= alignment.acoustics.duration
        assert [t.start for t in tokens] == sorted(t.start for t in tokens)
        assert all(word.span[0] <= t.span[0] < t.span[1] <= word.span[1] for t in tokens)
        assert raw[slice(*word.span)].strip()
        last_start = word.start


def test_words_end_before_the_untranscribed_speech_behind_them(aligned):
    alignment = aligned["market"]
    start, end = max(alignment.stars.tolist(), key=lambda star: star[1] - star[0])
    assert end - start > 2
    assert all(word.end <= start or word.start >= end - 0.05 for word in alignment.words)


def test_greedy_tokens_are_nearly_those_of_the_words(aligned, aligner):
    alignment = aligned["farm"]
    first, last = alignment.words[0], alignment.words[9]
    expected = alignment.token_ids[: alignment.token_ranges[9][1]].tolist()
    greedy = alignment.acoustics.greedy_tokens(first.start, last.end)
    assert aligner.blank not in greedy
    assert Levenshtein.distance(greedy, expected) < 0.3 * len(expected)


@pytest.mark.parametrize(
    ("samples", "text", "reason"),
    [
        (None, " \ufeff\n", "the transcript is empty"),
        (None, "☺ ☺", "the transcript holds nothing that .* can spell"),
        (160, None, "10 ms of audio are too short"),
        (2 * SAMPLE_RATE, None, r"\d+ frames cannot hold \d+ tokens"),
    ],
)
def test_one_that_cannot_be_aligned_costs_its_neighbours_nothing(
    aligned, aligner, lag, waveforms, texts, samples, text, reason
):
    farm, whole = waveforms["farm"], Transcript.from_text(texts["farm"])
    transcript = whole if text is None else Transcript.from_text(text)
    waveforms = [farm[:samples], farm]
    failed, fine = align(waveforms, [transcript, whole], aligner, lag=lag.seconds)
    assert isinstance(failed, Failed)
    assert re.match(reason, failed.reason)
    assert fine.words == aligned["farm"].words


@pytest.mark.parametrize(
    ("sample", "reason"), [(0.0, "the audio is silent"), (np.nan, "NaN or infinite samples")]
)
def test_audio_without_sound_fails(align_one, sample, reason):
    result = align_one(np.full(SAMPLE_RATE, sample, np.float32), "ក")
    assert isinstance(result, Failed)
    assert reason in result.reason


def test_an_unspellable_word_keeps_its_place(aligned, align_one, waveforms, texts):
    alignment = align_one(waveforms["farm"], "© " + texts["farm"])
    sign, *words = alignment.words
    assert (sign.text, sign.score) == ("©", 0)
    assert alignment.token_ranges[0] == (0, 0)
    expected = [word.start for word in aligned["farm"].words]
    assert [word.start for word in words] == pytest.approx(expected, abs=0.1)


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs real recordings")
def test_real_khmer_news(align_one):
    folder = SHARED / "data" / "long"
    raw = (folder / "audio.txt").read_text(encoding="utf-8")
    micro = aligners.load(str(SHARED / "models" / "khmer-ctc-micro"))
    waveform = audio.load(folder / "audio.wav", name="long")
    alignment = align_one(waveform, raw, micro, seconds=MICRO_LAG)
    grid = textgrid.openTextgrid(str(folder / "audio.TextGrid"), False)
    true_starts, position = {}, 0
    for start, _, label in grid.getTier("words").entries:
        first = raw.index(label, position)
        position = first + len(label)
        true_starts[first] = start
    errors = np.abs(start_errors(alignment, true_starts))
    assert len(errors) == 81
    assert np.median(errors) <= 0.03
    assert np.percentile(errors, 90) <= 0.07


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs real recordings")
def test_real_sentences_joined_without_spaces_between_words(align_one):
    micro = aligners.load(str(SHARED / "models" / "khmer-ctc-micro"))
    joined = join(SHARED / "data" / "keosaly_labelled", 100, 20, spaced=False)
    alignment = align_one(joined.waveform, joined.text, micro, seconds=MICRO_LAG)
    assert recording_lag(alignment.edges) == pytest.approx(MICRO_LAG, abs=0.03)
    errors = np.abs(start_errors(alignment, {w.position: w.start for w in joined.words}))
    assert len(errors) > 0.8 * len(joined.words)
    assert np.median(errors) <= 0.03
    assert np.percentile(errors, 90) <= 0.08
