"""The balance of a build."""

import json

import pytest

from khmer_aligned.dataset.report import Tally, reasons_by_seconds, sum_tallies, summary
from khmer_aligned.errors import UserError

NO_DUPLICATES = {"equal": 0, "nearly_equal": 0, "short": 0, "kept": False, "recordings": []}


def tally(clips=1, **changes):
    counts = {
        "clips": clips, "recordings": 4, "unread": 0,
        "samples": 48_000, "clip_samples": 32_000, "rejected_samples": 16_000,
        "characters": 10, "clip_characters": 7, "rejected_characters": 3,
    }  # fmt: skip
    row = {"reason": "too quiet", "start": 2.0, "end": 3.0, "text": "កខគ"}
    return Tally(counts | changes, [json.dumps(row)], [])


def test_the_sums_of_all_shards():
    totals = sum_tallies([tally(), tally()])
    assert totals["balance"]["samples"] == {"in": 96_000, "clips": 64_000, "rejected": 32_000}
    assert totals["balance"]["characters"] == {"in": 20, "clips": 14, "rejected": 6}
    assert totals["rejected"] == {"too quiet": {"stretches": 2, "seconds": 2.0, "characters": 6}}


@pytest.mark.parametrize("unit", ["samples", "characters"])
def test_a_build_that_loses_something_fails(unit):
    with pytest.raises(RuntimeError, match=rf"{unit} came in and \d+ came out"):
        sum_tallies([tally(), tally(**{f"clip_{unit}": 1})])


def test_a_build_without_a_clip_names_the_reason_that_took_most_text():
    with pytest.raises(UserError, match=r"nothing became a clip; .* rejected for: too quiet"):
        sum_tallies([tally(clips=0)])


def test_a_rejection_without_times_takes_no_seconds():
    row = {"reason": "broken file", "start": None, "end": None, "text": "ក"}
    totals = sum_tallies([tally(), Tally({}, [json.dumps(row)], [])])
    assert totals["rejected"]["broken file"]["seconds"] == 0
    assert [name for name, _ in reasons_by_seconds(totals)] == ["too quiet", "broken file"]


def test_audio_that_could_not_be_read_is_said_beside_the_balance():
    lag = {
        "seconds": 0.187, "source": "measured", "edges": 500, "recordings": 9, "differing": []
    }  # fmt: skip
    size = {"recordings": 2, "clips": 5, "seconds": 120.0, "bytes": 1, "stored_bytes": 1}
    totals = sum_tallies([tally(unread=3), tally()])
    assert totals["recordings"] == {"in": 8, "unread": 3}
    more = {"texts": {}, "lag": lag, "duplicates": NO_DUPLICATES}
    table = summary({**totals, "splits": {"train": size}, **more})
    assert "3 of 8 recordings could not be read: their audio is in none of these numbers" in table
    assert "could not be read" not in summary({**sum_tallies([tally()]), "splits": {}, **more})


def test_the_table_on_the_screen():
    size = {"recordings": 2, "clips": 5, "seconds": 120.0, "bytes": 1, "stored_bytes": 1}
    lag = {
        "seconds": 0.187, "source": "measured", "edges": 500, "recordings": 9, "differing": []
    }  # fmt: skip
    report = {
        **sum_tallies([tally()]),
        "splits": {"train": size},
        "texts": {},
        "lag": lag,
        "duplicates": NO_DUPLICATES,
    }
    lines = summary(report).splitlines()
    assert lines[1].split() == ["train", "2", "5", "2.0"]
    assert "kept 66.7% of 0.1 minutes and 70.0% of 10 characters" in lines[2]
    assert lines[3].split() == ["1", "x", "0.0", "min", "too", "quiet"]
    assert lines[4:] == [
        "lag of the aligner: 187 ms, measured on 500 edges of speech in 9 recordings"
    ]
    lag["differing"] = [{"recording": f"r{k}", "seconds": 0.2 + k / 10} for k in range(1, 8)]
    assert summary(report).splitlines()[5] == (
        "7 recordings tell another lag, check the times by ear: "
        "r1 300 ms, r2 400 ms, r3 500 ms, r4 600 ms, r5 700 ms and 2 more"
    )
