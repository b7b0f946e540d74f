"""Rates and their intervals."""

import json
import random

from khmer_whisper.metrics import compare, score


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


def test_interval_holds_the_rate_and_widens_when_clips_share_a_recording():
    references, hypotheses = corpus(200, 0.2, seed=1)
    # Five recordings, one of them bad throughout: what a bootstrap over clips would miss.
    groups = [str(i // 40) for i in range(200)]
    hypotheses = references[:160] + ["ឆ្កែ"] * 40
    by_clip = score(references, hypotheses)
    by_recording = score(references, hypotheses, groups)
    for scores in (by_clip, by_recording):
        assert scores.cer.low <= scores.cer.rate <= scores.cer.high
    assert by_clip.cer.errors == by_recording.cer.errors
    assert by_recording.cer.high - by_recording.cer.low > 2 * (by_clip.cer.high - by_clip.cer.low)
    assert score(references, hypotheses, groups) == by_recording  # no dice between two calls
    assert json.loads(json.dumps(by_recording.as_dict()))["cer"]["errors"] == by_clip.cer.errors


def test_too_few_recordings_are_not_drawn_from():
    references, hypotheses = corpus(60, 0.2, seed=3)
    alone = score(references, hypotheses, ["one"] * 60)
    assert alone.drawn == "clips"
    assert alone.cer.low < alone.cer.rate < alone.cer.high
    many = score(references, hypotheses, [str(i // 6) for i in range(60)])
    assert many.drawn == "recordings"
    _, other = corpus(60, 0.2, seed=4)
    gain = compare(references, hypotheses, other, ["one"] * 60)["cer"]
    assert gain.low < gain.difference < gain.high


def test_paired_comparison_sees_a_real_gain_and_no_other():
    references, worse = corpus(150, 0.4, seed=2)
    _, better = corpus(150, 0.1, seed=2)
    gain = compare(references, worse, better)["cer"]
    assert gain.low <= gain.difference <= gain.high < 0
    assert gain.p < 0.01
    assert compare(references, worse, worse)["cer"].p == 1
    assert compare(references, better, worse)["wer"].difference > 0
