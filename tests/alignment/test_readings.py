"""Of several readings of a number, the one that was spoken is kept."""

import numpy as np
import pytest

from khmer_aligned.alignment.readings import find_best_path
from khmer_aligned.alignment.target import make_target
from khmer_aligned.schema import SAMPLE_RATE
from khmer_aligned.text import Transcript


def test_the_reading_that_was_spoken_is_kept(align_one, waveforms, texts, true_words):
    """The same text, ៥-៦, over audio that says five to six in three ways."""

    def clip(name, text):
        """The samples of a word of a recording."""
        times = next((w[2], w[3]) for w in true_words(name) if texts[name][w[0] : w[1]] == text)
        return waveforms[name][slice(*(round(second * SAMPLE_RATE) for second in times))]

    sentence = texts["farm"].index("។") + 1
    (next_start,) = (w[2] for w in true_words("farm") if w[0] == sentence + 1)
    spoken = waveforms["farm"][: round((next_start - 0.1) * SAMPLE_RATE)]
    pause = np.zeros(SAMPLE_RATE // 20, np.float32)
    five, six = clip("market", "៥"), clip("journey", "៦")
    arrive = clip("school", "មកដល់")
    readings = {
        "ប្រាំ ដល់ ប្រាំមួយ": [five, arrive[len(arrive) // 2 :], six],
        "ប្រាំ ទៅ ប្រាំមួយ": [five, clip("school", "ទៅ"), six],
        "ប្រាំ ប្រាំមួយ": [five, pause, six],
    }
    for expected, parts in readings.items():
        waveform = np.concatenate([spoken, pause, *parts, pause])
        alignment = align_one(waveform, texts["farm"][:sentence] + " ៥-៦")
        words = [word for word in alignment.words if word.span[0] > sentence]
        assert [word.text for word in words] == expected.split()
        assert [w.text for w in alignment.transcript.words][-len(words) :] == expected.split()
        second_start = (len(spoken) + len(pause) + len(five)) / SAMPLE_RATE
        assert words[1].start == pytest.approx(second_start, abs=0.15)


def emission_of(aligner, words):
    """An emission that is sure of the tokens of some words, a frame each and a blank between."""
    ids = [
        n for word in words for token in aligner.tokens(word).ids for n in (token, aligner.blank)
    ]
    emission = np.full((len(ids), len(aligner.vocabulary)), -8.0, np.float32)
    emission[np.arange(len(ids)), ids] = -0.01
    return emission


@pytest.mark.parametrize("written", ["UN", "U.N.", "គ.ស.", "ស.រ.អ."])
def test_an_abbreviation_is_read_as_it_was_spoken(aligner, written):
    transcript = Transcript.from_text(f"ខ្ញុំទៅផ្សារ {written} នៅថ្ងៃនេះ")
    (ambiguity,) = transcript.ambiguities
    assert len(ambiguity.readings) == 2
    for k in range(2):
        head, tail = transcript.words[: ambiguity.first], transcript.words[ambiguity.last :]
        emission = emission_of(aligner, [*head, *ambiguity.readings[k], *tail])
        path = find_best_path(make_target(transcript, aligner), emission, aligner)
        assert path.target.transcript.ambiguities[0].chosen == k
