"""The lags that are kept between one run and the next."""

import pytest

from khmer_aligned.alignment.calibration import (
    keep_built,
    keep_calibrated,
    lags_file,
    read_lag,
)
from khmer_aligned.alignment.lag import Lag
from khmer_aligned.errors import UserError


def measured(seconds, edges):
    return Lag(seconds, "measured", edges, 5, 0.001)


def kept(seconds, edges):
    return Lag(seconds, "kept", edges, 5, 0.001)


def test_nothing_is_kept_at_first():
    assert read_lag("a@1") is None
    assert not lags_file().exists()


def test_each_version_of_an_aligner_has_its_lag():
    assert keep_calibrated("a@1", measured(0.2, 400)) == lags_file()
    keep_calibrated("a@2", measured(0.1, 400))
    assert read_lag("a@1") == kept(0.2, 400)
    assert read_lag("a@2") == kept(0.1, 400)
    keep_calibrated("a@1", measured(0.3, 90))
    assert read_lag("a@1") == kept(0.3, 90)


def test_a_build_replaces_the_lag_of_a_smaller_build_only():
    keep_built("a@1", measured(0.1, 400))
    keep_built("a@1", measured(0.2, 300))
    assert read_lag("a@1") == kept(0.1, 400)
    keep_built("a@1", measured(0.3, 500))
    assert read_lag("a@1") == kept(0.3, 500)
    keep_calibrated("a@1", measured(0.2, 100))
    keep_built("a@1", measured(0.4, 9_000))
    assert read_lag("a@1") == kept(0.2, 100)


@pytest.mark.parametrize("text", ["{", '{"a@1": {"seconds": 0.1}}', '{"a@1": 3}'])
def test_a_damaged_file_is_named_with_the_way_out(text):
    keep_calibrated("b@1", measured(0.1, 400))
    lags_file().write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=r"lags\.json: is damaged .* remove it, then measure again"):
        read_lag("a@1")
