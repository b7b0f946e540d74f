"""The numbers of what was checked by ear."""

import json

import pytest

from khmer_aligned.dataset.checked import (
    count_checked,
    describe_checked,
    describe_sample,
    wilson_interval,
)
from khmer_aligned.recordings.corrections import Decision

SAMPLE = json.dumps({"size": 200, "clips": 5000, "seed": 1, "build": "007ac5791a5b"})


def look(number, *, verdict="accept", after="ក", changed=False, session="1", **values) -> Decision:
    start = float(number)
    return Decision(
        values.pop("recording", f"r{number}"), (0, 1), "ក", after, start, start + 1, verdict,
        values.pop("kind", "clip"), changed=changed, session=session, **values,
    )  # fmt: skip


def test_the_interval_of_a_share_is_wilsons():
    assert wilson_interval(197, 200) == pytest.approx((0.9568, 0.9949), abs=1e-4)
    assert wilson_interval(0, 10) == pytest.approx((0.0, 0.2775), abs=1e-4)
    assert wilson_interval(10, 10) == pytest.approx((0.7225, 1.0), abs=1e-4)


def test_a_sample_tells_the_share_of_right_clips():
    looks = [look(i, sample=SAMPLE) for i in range(197)]
    looks += [look(i, verdict="reject", changed=True, sample=SAMPLE) for i in range(197, 200)]
    checked = count_checked([*looks, look(900)])
    assert checked["sample"] == {
        "size": 200, "clips": 5000, "seed": 1, "build": "007ac5791a5b",
        "checked": 200, "right": 197, "low": 0.9568, "high": 0.9949,
    }  # fmt: skip
    assert describe_sample(checked["sample"]) == "of 200 clips checked, 197 right (95 %: 95.7-99.5)"


def test_a_clip_that_was_corrected_was_not_right_also_when_it_is_looked_at_again():
    first = look(1, after="ខ", changed=True, sample=SAMPLE)
    second = look(1, after="ខ", session="2", sample=SAMPLE)
    sample = count_checked([first, second])["sample"]
    assert (sample["checked"], sample["right"]) == (1, 0)


def test_each_stretch_counts_once_by_its_last_decision():
    looks = [
        look(1),
        look(2, after="ខ", changed=True),
        look(3, verdict="reject"),
        look(3, session="2"),
        look(4, kind="rejection", after="ង"),
        look(5, kind="rejection", verdict="reject"),
        look(2, after="ខ", session="2"),
    ]
    checked = count_checked(looks, stale=1)
    assert {k: v for k, v in checked.items() if k != "sample"} == {
        "clips": 3, "corrected": 1, "rejected": 0, "recovered": 1, "stale": 1,
        "second_looks": 2, "agreed": 1,
    }  # fmt: skip
    assert describe_checked(checked) == (
        "3 clips checked by ear, of them 1 corrected and 0 rejected; 1 rejected stretch made a "
        "clip by ear; on a second look at 2, 1 agreed; 1 decisions do not apply to the recordings "
        "of now."
    )


def test_nothing_decided_is_nothing_to_say():
    assert count_checked([]) is None
