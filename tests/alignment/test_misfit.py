"""A text's misfit, of emissions that are made up."""

import numpy as np
import pytest

from khmer_aligned.alignment.misfit import Misfit, measure_misfit

BLANK, VOCABULARY = 0, 12


def emission_of(tokens, confidence):
    """A token and a blank in turn, each with this probability (2 * n, V)."""
    probabilities = np.full((2 * len(tokens), VOCABULARY), (1 - confidence) / (VOCABULARY - 1))
    probabilities[np.arange(0, len(probabilities), 2), tokens] = confidence
    probabilities[1::2, BLANK] = confidence
    return np.log(probabilities).astype(np.float32)


def misfit_of(tokens, emission):
    return measure_misfit(emission, np.array(tokens), BLANK, 0, len(emission))


@pytest.fixture
def text():
    return np.random.default_rng(0).integers(1, VOCABULARY, 60)


@pytest.mark.parametrize("confidence", [0.3, 0.6, 0.99])
def test_the_choice_of_the_model_fits_however_sure_it_is(text, confidence):
    assert misfit_of(text, emission_of(text, confidence)) == pytest.approx((0, 0), abs=1e-4)


@pytest.mark.parametrize("confidence", [0.3, 0.6, 0.99])
def test_another_text_fits_as_badly_as_any_order(text, confidence):
    other = np.random.default_rng(1).permutation(text)
    mean, worst = misfit_of(other, emission_of(text, confidence))
    assert 0.75 < mean < 1.25
    assert worst >= mean


def test_one_wrong_second_shows_in_the_worst_only(text):
    spoken = text.copy()
    spoken[20:35] = text[20:35][::-1]
    mean, worst = misfit_of(text, emission_of(spoken, 0.8))
    assert mean < 0.4 < 0.7 < worst


def test_more_tokens_than_frames_fit_nothing(text):
    assert misfit_of(text, emission_of(text[:4], 0.9)) == Misfit(1.0, 1.0)
