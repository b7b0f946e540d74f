"""Every request of a publish going wrong in turn; all kinds are in benchmarks/bench_publish.py."""

import pytest

from ..benchmarks.bench_publish import faults


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["answer lost", "409"])
def test_after_any_one_failing_request_the_publish_is_whole(hub, kind):
    assert faults(hub, [kind], 12) == {(kind, "done", "whole"): 12}
