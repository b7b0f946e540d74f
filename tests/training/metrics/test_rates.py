"""Rates and their intervals."""

import json
import random
from dataclasses import asdict

import numpy as np
import pytest

from khmer_whisper.metrics import compare, score
from khmer_whisper.metrics.intervals import rate_interval
from khmer_whisper.metrics.rates import describe_difference

from ...benchmarks.bench_intervals import coverage, false_alarms


def corpus(clips: int, rate: float, seed: int) -> tuple[list[str], list[str]]:
    chooser, recognizer = random.Random(seed), random.Random(seed + 1)
    words = ["ខ្ញុំ", "ទៅ", "ផ្សារ", "ទឹក", "ម្ដាយ", "សាលា", "សៀវភៅ", "ល្អ", "ធំ", "ឆ្កែ"]
    references, hypotheses = [], []
    for _ in range(clips):
        clip_words = chooser.choices(words, k=6)
        references.append("".join(clip_words))
        hypotheses.append(
            "".join(
                recognizer.choice(words) if recognizer.random() < rate else w for w in clip_words
            )
        )
    return references, hypotheses


@pytest.mark.parametrize("units", [5, 8, 20, 100])
def test_an_interval_holds_as_often_as_it_says(units):
    """The percentile bootstrap holds in 85 % of such sets of 5 recordings, and in 86 % of 8."""
    assert 0.92 <= coverage(rate_interval, "even", units, runs=1_000) <= 0.98
    assert 0.03 <= false_alarms("even", units, runs=1_000) <= 0.065


def test_interval_holds_the_rate_and_widens_when_clips_share_a_recording():
    references, hypotheses = corpus(200, 0.2, seed=1)
    # Five recordings, one of them bad throughout: what an interval over clips would miss.
    groups = [str(i // 40) for i in range(200)]
    hypotheses = hypotheses[:160] + ["ឆ្កែ"] * 40
    by_clip = score(references, hypotheses)
    by_recording = score(references, hypotheses, groups)
    for scores in (by_clip, by_recording):
        assert scores.cer.low <= scores.cer.rate <= scores.cer.high
        assert scores.no_interval == ""
    assert (by_clip.unit, by_clip.units) == ("clips", 200)
    assert (by_recording.unit, by_recording.units) == ("recordings", 5)
    assert by_clip.cer.errors == by_recording.cer.errors
    assert by_recording.cer.high - by_recording.cer.low > 2 * (by_clip.cer.high - by_clip.cer.low)
    assert score(references, hypotheses, groups) == by_recording  # no dice between two calls
    assert json.loads(json.dumps(by_recording.as_dict()))["cer"]["errors"] == by_clip.cer.errors


def test_from_too_little_no_interval_is_told_and_the_reason_is():
    references, hypotheses = corpus(60, 0.2, seed=3)
    single = score(references, hypotheses, ["one"] * 60)
    assert (single.cer.low, single.cer.high) == (None, None)
    assert str(single.cer) == f"{single.cer.rate:.1%}"  # and not "40.0 % (40.0-40.0)"
    assert single.no_interval == "no interval and no p-value: 1 recording, and they need 5"
    assert score(references[:4], hypotheses[:4]).no_interval.startswith("no interval and no p-va")
    _, other = corpus(60, 0.2, seed=4)
    gain = compare(references, hypotheses, other, ["one"] * 60)["cer"]
    assert (gain.low, gain.high, gain.p) == (None, None, None)
    assert describe_difference(asdict(gain)).startswith("Whether it differs from its base cannot")
    assert score(references[:5], hypotheses[:5]).cer.low is not None


def test_recordings_that_do_not_differ_do_not_tell_how_others_would():
    assert rate_interval(np.zeros(8), np.full(8, 100)) == (None, None)
    assert rate_interval(np.full(8, 20), np.full(8, 100)) == (None, None)
    perfect = score(["ទឹក"] * 8, ["ទឹក"] * 8)
    assert perfect.no_interval == "no interval where all clips have the same rate"


def test_paired_comparison_sees_a_real_gain_and_no_other():
    references, worse = corpus(150, 0.4, seed=2)
    _, better = corpus(150, 0.1, seed=2)
    gain = compare(references, worse, better)["cer"]
    assert gain.low <= gain.difference <= gain.high < 0
    assert gain.p < 0.01
    assert compare(references, worse, worse)["cer"].p == 1
    loss = compare(references, better, worse)
    assert loss["wer"].difference > 0
    assert describe_difference(asdict(gain)).startswith("It is better than its base: -")
    assert describe_difference(asdict(loss["cer"])).startswith("It is WORSE than its base: +")
    same = compare(references, worse, worse)["cer"]
    assert describe_difference(asdict(same)).startswith("It is no different from its base: +0.0")
