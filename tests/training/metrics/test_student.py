"""Student's t, against the table in every textbook."""

import pytest

from khmer_whisper.metrics.student import quantile, two_sided


@pytest.mark.parametrize(
    ("freedom", "table"),
    [(1, 12.706), (2, 4.303), (4, 2.776), (7, 2.365), (19, 2.093), (30, 2.042), (99, 1.984)],
)
def test_the_quantiles_of_a_95_percent_interval(freedom, table):
    assert quantile(0.95, freedom) == pytest.approx(table, abs=5e-4)
    assert two_sided(quantile(0.95, freedom), freedom) == pytest.approx(0.05)
    assert two_sided(-2, freedom) == two_sided(2, freedom)


def test_ends():
    assert two_sided(0, 4) == 1
    assert two_sided(1e9, 4) == pytest.approx(0, abs=1e-12)
    assert quantile(0.95, 100_000) == pytest.approx(1.960, abs=1e-3)
