"""The metric as an `evaluate` module."""

from pathlib import Path

import evaluate

from khmer_whisper.metrics import score

REPOSITORY = Path(__file__).parents[3]


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
    assert result["projected_wer_total"] == expected.projected_wer.total
    assert result["cer_low"] is None  # of two clips
    assert result["segmenter"].startswith("khmercut ")
