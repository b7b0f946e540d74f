"""The makers of the assets: speech with times from espeak-ng, sentences, and guides."""

import random

import numpy as np
import pytest

from demo_assets import make_aligner, make_whisper, sentences
from demo_assets.corpus import Reading, disturb, read, stream
from demo_assets.make_recordings import SCRIPTS, perform
from demo_assets.synthesize import Espeak, Voice
from khmer_aligned.schema import SAMPLE_RATE
from khmer_aligned.text import Transcript, normalize
from khmer_whisper.demo.run import RECORDINGS
from khmer_whisper.demo.tokenizer import byte_tokenizer
from khmer_whisper.labels import Labeller

VOICE = Voice("id", "f2")


@pytest.fixture(scope="module")
def espeak():
    pytest.importorskip("espeakng_loader", reason="only the makers of the assets need espeak-ng")
    return Espeak()


def level(samples, start, end):
    part = samples[round(start * SAMPLE_RATE) : round(end * SAMPLE_RATE)]
    return 10 * np.log10(np.mean(part**2) + 1e-12)


def test_words_are_canonical_and_have_letters():
    words = [word for kind in sentences.lexicon().values() for word in kind]
    assert len(set(words)) > 500
    for word in words:
        assert normalize(word) == word
        assert all(spoken.romanized for spoken in Transcript.from_text(word).words)


def test_random_sentences_fit_and_differ():
    words = sentences.lexicon()
    chance = random.Random(0)
    made = [sentences.random_sentence(words, chance, 130, 3) for _ in range(200)]
    assert len(set(made)) == 200
    several = [text for text in made if " " in text]
    assert several
    assert max(len(text.encode()) for text in several) <= 130
    assert all(text.endswith("។") for text in made)


def test_speaks_at_the_times_it_tells(espeak):
    speech = espeak.speak(["phsaar", "mtaay", "tau"], VOICE)
    assert len(speech.times) == 3
    for (start, end), (following, _) in zip(speech.times, speech.times[1:], strict=False):
        assert 0 <= start < end <= following
    assert all(level(speech.samples, *time) > -35 for time in speech.times)
    assert level(speech.samples, speech.times[-1][1] + 0.05, 1e9) < -40


def test_a_faster_voice_takes_less_time(espeak):
    words = ["phsaar", "mtaay", "tau"]
    slow, fast = (espeak.speak(words, Voice("id", "m3", rate=rate)) for rate in (120, 200))
    assert len(fast.samples) < 0.8 * len(slow.samples)


def test_what_is_read_otherwise_is_an_error(espeak):
    with pytest.raises(RuntimeError, match="espeak-ng"):
        espeak.speak(["chaaba²neh"], VOICE)
    with pytest.raises(RuntimeError, match="no voice"):
        espeak.speak(["tau"], Voice("nowhere", "f2"))


def test_reads_khmer_with_pauses_at_its_spaces(espeak):
    text = "ខ្ញុំទៅផ្សារ ទិញត្រី២គីឡូ។ គាត់សើច"
    reading = read(espeak, text, VOICE, random.Random(0))
    assert [w.text for w in reading.words] == [w.text for w in Transcript.from_text(text).words]
    gaps = {
        a.text: following[0] - end
        for a, (_, end), following in zip(
            reading.words, reading.times, reading.times[1:], strict=False
        )
    }
    assert 0.25 < gaps["ផ្សារ"] < 0.5 < gaps["គីឡូ"]
    assert gaps["ទៅ"] == pytest.approx(0, abs=0.02)
    with pytest.raises(ValueError, match="no letters"):
        read(espeak, "ខ្ញុំ🙂", VOICE, random.Random(0))


def test_disturbing_keeps_words_where_they_sound(espeak):
    reading = read(espeak, "ខ្ញុំទៅផ្សារ", VOICE, random.Random(0))
    moved = disturb(reading, random.Random(3))
    shift = moved.times[0][0] - reading.times[0][0]
    assert shift > 0.05
    assert len(moved.samples) > len(reading.samples)
    assert level(moved.samples, 0, moved.times[0][0]) < level(moved.samples, *moved.times[0]) - 10


def test_the_stream_is_the_same_for_the_same_seed(espeak):
    def texts(seed):
        endless = stream(seed, ["id"], ["m1", "f1"], 100)
        return [next(endless)[0] for _ in range(5)]

    assert texts(1) == texts(1) != texts(2)


def test_a_performance_leaves_out_and_adds_what_its_script_says(espeak):
    script = SCRIPTS["school"]
    text = (RECORDINGS / "school.txt").read_text(encoding="utf-8")
    samples, timed = perform(espeak, text, script, seed=0)
    start = text.index(script.unspoken)
    spans = [each.span for each in timed]
    assert not [s for s in spans if start <= s[0] < start + len(script.unspoken)]
    assert all(text[a:b] for a, b in spans)
    assert spans == sorted(spans)
    assert timed[-1].end < len(samples) / SAMPLE_RATE


def reading_of(text, times):
    return Reading(np.zeros(SAMPLE_RATE, np.float32), Transcript.from_text(text).words, times)


def test_the_aligners_guide_spells_each_word_over_its_time():
    reading = reading_of("ទៅ ផ្ទះ", [(0.1, 0.3), (0.5, 0.8)])
    path = make_aligner.guide(reading, 50)
    heard = "".join(make_aligner.LETTERS[i] for i in path.unique_consecutive() if i)
    assert heard == reading.letters
    assert not path[:5].any()
    assert not path[15:25].any()
    assert not path[40:].any()


def test_whispers_guide_places_each_byte_where_it_is_spoken():
    text = "ទៅ ២។"
    reading = reading_of(text, [(0.5, 0.7), (1.0, 1.4)])
    places = make_whisper.guide(text, reading)
    labels = Labeller(byte_tokenizer()).plain(text).labels
    assert len(places) == len(labels)
    assert places[:3] == [(0, 0)] * 3
    assert places[-1] == (0, 0)
    seconds = [(a * 0.02, b * 0.02) for a, b in places[3:-1]]
    first, digit = seconds[0], seconds[len("ទៅ ".encode())]
    assert first[0] < 0.5 < first[1] < 0.8
    assert digit[0] < 1.0 and digit[1] > 1.4  # a number stands where all its words are spoken
