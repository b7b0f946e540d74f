"""Every threshold says what it does and refuses what cannot be one."""

from dataclasses import fields

import pytest

from khmer_aligned.alignment.thresholds import Thresholds
from khmer_aligned.errors import UserError


@pytest.mark.parametrize("field", fields(Thresholds), ids=lambda field: field.name)
def test_every_threshold_has_a_help_text_and_a_bound(field):
    assert field.metadata["help"].endswith(".")
    assert any(bound is not None for bound in field.metadata["bounds"].values())


@pytest.mark.parametrize(
    ("name", "value"),
    [("max_misfit", 2.5), ("misfit_margin", -0.1), ("quiet_level", 0), ("min_pause", float("nan"))],
)
def test_a_value_out_of_bounds_is_named_as_its_option(name, value):
    with pytest.raises(UserError, match="--" + name.replace("_", "-")):
        Thresholds(**{name: value})
