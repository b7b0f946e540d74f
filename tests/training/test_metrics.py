"""The rates on Khmer whose errors were counted by hand, and the promises their docs make."""

import csv
import json
import random
from pathlib import Path

import evaluate
import jiwer
import pytest

from khmer_aligned.text import scoring_form
from khmer_whisper.metrics import compare, score
from khmer_whisper.metrics.counts import characters, projected_words, scored_words, segmented_words

from ..conftest import SHARED

REPOSITORY = Path(__file__).parents[2]
SENTENCE = "ខ្ញុំទៅផ្សារជាមួយម្ដាយ"


def counted(function, reference: str, hypothesis: str) -> tuple[int, int]:
    counts = function([reference], [hypothesis])
    return int(counts.errors[0]), int(counts.totals[0])


def test_a_vowel_is_an_error():
    # Whisper's own normalizer deletes every Khmer combining mark and calls these two equal.
    assert counted(characters, "ទឹក", "ទុក") == (1, 3)
    assert counted(projected_words, "ទឹក", "ទុក") == (1, 1)


@pytest.mark.parametrize(
    "hypothesis",
    [
        "ខ្ញុំ ទៅ ផ្សារ ជាមួយ ម្ដាយ",
        "ខ្ញុំ\u200bទៅផ្សារ\u200bជាមួយម្ដាយ។",
        "«ខ្ញុំទៅផ្សារ» ជាមួយម្ដាយ!",
        "ខ្ញុំទៅផ្សារជាមួយម្តាយ",  # coeng TA for coeng DA: they look the same
    ],
)
def test_spaces_punctuation_and_lookalikes_cost_nothing(hypothesis):
    for function in (characters, projected_words, segmented_words):
        errors, total = counted(function, SENTENCE, hypothesis)
        assert errors == 0
        assert total > 0


def test_digits_and_the_repetition_sign_are_scored_as_read():
    assert counted(characters, "មានមនុស្ស២០នាក់", "មានមនុស្សម្ភៃនាក់")[0] == 0
    assert counted(characters, "ផ្សេងៗ", "ផ្សេងផ្សេង")[0] == 0
    assert counted(characters, "២០", "៣០")[0] > 0


def test_words_tile_the_scoring_form():
    words = scored_words("គាត់មានឆ្កែ ៣ ក្បាល។ ផ្សេងៗ")
    assert len(words) > 3
    counts = characters(["គាត់មានឆ្កែ ៣ ក្បាល។ ផ្សេងៗ"], [""])
    assert sum(map(len, words)) == counts.totals[0] == counts.errors[0]


def test_projection_counts_the_words_that_hold_an_edit():
    words = scored_words(SENTENCE)
    wrong_last = "".join(words[:-1]) + "ឪពុក"
    assert counted(projected_words, SENTENCE, wrong_last) == (1, len(words))
    missing_two = "".join(words[2:])
    assert counted(projected_words, SENTENCE, missing_two) == (2, len(words))
    between = words[0] + "ក" + "".join(words[1:])
    assert counted(projected_words, SENTENCE, between) == (1, len(words))
    runs_on = SENTENCE * 5
    assert counted(projected_words, SENTENCE, runs_on)[0] <= len(words)
    assert counted(characters, SENTENCE, runs_on)[0] == 4 * len("".join(words))


def test_empty_sides_are_defined():
    assert counted(characters, "", "ទឹក") == (3, 0)
    assert counted(projected_words, "", "ទឹក") == (0, 0)
    assert counted(characters, "ទឹក", "") == (3, 3)
    assert counted(projected_words, "ទឹក", "") == (1, 1)
    assert score([""], [""]).cer.rate == 0
    assert score([""], ["ទឹក"]).cer.rate == 1
    assert score(["ទឹក", ""], ["ទឹក", "ទឹក"]).cer.rate == 1  # 3 errors over 3 characters
    with pytest.raises(ValueError, match="nothing to score"):
        score([], [])
    with pytest.raises(ValueError, match="2 references but 1"):
        score(["ក", "ខ"], ["ក"])


def corpus(clips: int, rate: float, seed: int) -> tuple[list[str], list[str]]:
    said_by, heard_by = random.Random(seed), random.Random(seed + 1)
    words = ["ខ្ញុំ", "ទៅ", "ផ្សារ", "ទឹក", "ម្ដាយ", "សាលា", "សៀវភៅ", "ល្អ", "ធំ", "ឆ្កែ"]
    references, hypotheses = [], []
    for _ in range(clips):
        said = said_by.choices(words, k=6)
        references.append("".join(said))
        hypotheses.append(
            "".join(heard_by.choice(words) if heard_by.random() < rate else w for w in said)
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


def test_evaluate_loads_the_metric_from_its_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    folder = REPOSITORY / "training/khmer_whisper/metrics/khmer_wer"
    metric = evaluate.load(str(folder), cache_dir=str(tmp_path))
    metric.add_batch(predictions=["ទឹក ទុក"], references=["ទឹកទឹក"])
    metric.add(prediction="សាលា", reference="សាលា")
    result = metric.compute()
    expected = score(["ទឹកទឹក", "សាលា"], ["ទឹក ទុក", "សាលា"])
    assert result["cer"] == expected.cer.rate == 1 / 10
    assert result["wer_errors"] == expected.wer.errors
    assert result["segmenter"].startswith("khmercut ")


@pytest.mark.skipif(not SHARED.exists(), reason="no word-spaced text beside the checkout")
@pytest.mark.parametrize("rate", [0.01, 0.05, 0.1])
def test_projected_wer_is_close_to_the_true_one(rate):
    """Where spaces tell the words: simulated errors, scored with the words known and without.

    An edit is redrawn when it leaves text that is not canonical: a recognizer that learned from
    canonical text does not write such, and making it canonical would change more than the edit.
    """
    with (SHARED / "data/keosaly/metadata.csv").open(encoding="utf-8", newline="") as file:
        spaced = [row["transcription"].split() for row in csv.DictReader(file)]
    spaced = random.Random(1).sample(spaced, 500)
    said = [[word for word in map(scoring_form, words) if word] for words in spaced]
    letters = sorted({letter for words in said for word in words for letter in word})
    generator = random.Random(0)

    def spoiled(words: list[str]) -> list[str]:
        units = [[*word] for word in words]  # a unit: what stands for one character said
        for word in units:
            for i, letter in enumerate(word):
                while generator.random() < rate:
                    other = generator.choice(letters)
                    word[i] = generator.choice([other, letter + other, ""])
                    text = "".join(map("".join, units))
                    if scoring_form(text) == text:
                        break
                    word[i] = letter
        return ["".join(word) for word in units]

    heard = [spoiled(words) for words in said]
    truth = jiwer.process_words([" ".join(w) for w in said], [" ".join(w) for w in heard])
    found = projected_words(["".join(w) for w in said], ["".join(w) for w in heard])
    projected = found.errors.sum() / found.totals.sum()
    assert projected == pytest.approx(truth.wer, rel=0.03)
