"""What a training of an aligner takes where nothing is given."""

import pytest

from khmer_whisper.ctc.config import CtcConfig


@pytest.mark.parametrize(
    ("given", "parameters", "rate"),
    [
        ({}, 2_400_000, 2e-3),
        ({"model": "base"}, 2_400_000, 1.5e-3),
        ({"model": "base"}, 300_000_000, 1e-4),
        ({"model": "base", "freeze": True}, 300_000_000, 2e-3),
        ({"model": "base", "learning_rate": 3e-5}, 2_400_000, 3e-5),
    ],
)
def test_the_learning_rate_follows_what_is_trained(given, parameters, rate):
    assert CtcConfig(dataset="dataset", **given).rate(parameters) == rate
