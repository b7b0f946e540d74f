"""Check a published model: recompute its numbers, decode again, train again."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import torch
from huggingface_hub import snapshot_download
from safetensors.torch import load_file

from khmer_aligned.findings import Findings
from khmer_aligned.hub.errors import plain_errors
from khmer_aligned.hub.resolve import Source
from khmer_whisper import decode, training
from khmer_whisper import model as models
from khmer_whisper.config import Config
from khmer_whisper.decode import Prediction
from khmer_whisper.evaluation import compare_versions, select_scored
from khmer_whisper.examples.data import Splits
from khmer_whisper.metrics import counts
from khmer_whisper.metrics.rates import COUNTS
from khmer_whisper.reproduce.published import (
    Published,
    Table,
    config_of,
    load_dataset,
    load_published,
)
from khmer_whisper.reproduce.scores import check_scores

Depth = Literal["scores", "predictions", "weights"]


def reproduce(
    name: str,
    depth: Depth = "weights",
    *,
    dataset: str | None = None,
    base: str | None = None,
    out: Path | None = None,
) -> Findings:
    """Check the model `name`, a Hub id (with @revision) or a folder.

    depth: "scores" recomputes every number from predictions and references; "predictions" also
    decodes the scored split with the published weights; "weights" instead trains again, into `out`
    where that is given, with the same seed. dataset, base: where these lie, if they were folders.
    Raises UserError where files are missing.
    """
    published, findings = load_published(name), Findings()
    for difference in compare_versions(published.provenance["versions"]):
        findings.note(difference)
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"
    if depth != "scores" and published.provenance["device"] != device:
        findings.note(
            f"trained on {published.provenance['device']}, checked on {device}: the last digits of "
            "weights and near ties in decoding depend on it"
        )
    splits = load_dataset(published, dataset)
    check_scores(published, splits, findings)
    if depth == "predictions":
        _check_predictions(published, splits, findings)
    elif depth == "weights":
        with tempfile.TemporaryDirectory(prefix="khmer-whisper-") as scratch:
            config = config_of(published, dataset, base)
            _train_again(published, config, out or Path(scratch) / "model", findings)
    return findings


def _check_predictions(published: Published, splits: Splits, findings: Findings) -> None:
    whisper = models.place(models.load(published.source.pinned))
    rows = select_scored(splits, published.split, whisper).rows
    decoded = {p.id: p for p in decode.predict(whisper, rows, decode.BATCH, "decoding again")}
    findings.check(
        f"the texts and counts of {len(decoded)} clips, decoded again",
        _prediction_differences(published, decoded),
    )


def _prediction_differences(published: Published, decoded: dict[str, Prediction]) -> Iterator[str]:
    for row in published.predictions:
        now = decoded.get(row["id"])
        if now is None:
            yield f"clip {row['id']}: cannot be decoded again, as the dataset has no such clip"
        elif now.hypothesis != row["hypothesis"]:
            before, after = (
                counts.characters([now.reference], [text])
                for text in (row["hypothesis"], now.hypothesis)
            )
            yield (
                f"clip {row['id']}: published {row['hypothesis']!r} ({before.errors[0]} of "
                f"{before.totals[0]} characters wrong), decoded {now.hypothesis!r} "
                f"({after.errors[0]})"
            )


def _train_again(published: Published, config: Config, folder: Path, findings: Findings) -> None:
    result = training.train(config, folder)
    if _same_weights(_weights(published.source), folder):
        findings.agree("the weights, trained again: the same to the bit")
        return
    findings.note("the weights, trained again, are not the same to the bit")
    for name in COUNTS:
        rate = published.metrics["models"]["tuned"][name]
        _compare_rate(name, rate, getattr(result.tuned, name).rate, findings)


def _compare_rate(name: str, published: Table, now: float, findings: Findings) -> None:
    low, high, before = published["low"], published["high"], published["rate"]
    if low is None:
        text = f"{name}: {before:.2%} published, without an interval, and {now:.2%} trained again"
        (findings.agree if now == before else findings.differ)(text)
        return
    text = f"{name}: {before:.2%} ({low:.2%}-{high:.2%}) published, and {now:.2%} trained again"
    (findings.agree if low <= now <= high else findings.differ)(text)


def _weights(source: Source) -> Path:
    """The folder with the weights of a published model."""
    if source.revision is None:
        return Path(source.path)
    with plain_errors(source.path, "model", "the Hub", source.revision):
        return Path(
            snapshot_download(
                source.path, revision=source.revision, allow_patterns=["*.safetensors"]
            )
        )


def _same_weights(first: Path, second: Path) -> bool:
    names = sorted(path.name for path in first.glob("*.safetensors"))
    if names != sorted(path.name for path in second.glob("*.safetensors")):
        return False
    for name in names:
        before, after = load_file(first / name), load_file(second / name)
        if before.keys() != after.keys():
            return False
        if not all(torch.equal(before[key], after[key]) for key in before):
            return False
    return True
