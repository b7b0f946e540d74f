"""Every published number, computed anew from predictions and references; needs no weights."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from khmer_aligned.findings import Findings, compare_tables, compare_texts
from khmer_aligned.hub.cards import read_header, read_repository, read_title, without_licence
from khmer_whisper import metrics
from khmer_whisper.card import PLACEHOLDER, Claims, render_card, render_eval_results
from khmer_whisper.examples.data import Splits
from khmer_whisper.metrics.intervals import METHOD
from khmer_whisper.reproduce.published import Published, Table

Clip = dict[str, Any]  # id, text, recording and duration of a clip of the scored split


def check_scores(published: Published, splits: Splits, findings: Findings) -> None:
    """Hold metrics.json, the card and .eval_results against what their numbers are made of."""
    recorded = published.metrics["dataset"]["version"]
    version = splits.source.version
    findings.check(
        f"the dataset, {recorded[:19]}",
        []
        if version == recorded
        else [f"the dataset is {version[:19]}; scored on {recorded[:19]}"],
    )
    clips = {clip["id"]: clip for clip in _clips(splits, published.split)}
    findings.check(
        f"the clips and references of {len(published.predictions)} predictions",
        _clip_differences(published, clips),
    )
    expected = recompute(published, splits, clips)
    findings.check(
        "every rate, interval and comparison of metrics.json",
        compare_tables("metrics.json", published.metrics, expected),
    )
    text = published.card.read_text(encoding="utf-8")
    claims = Claims(
        repository=read_repository(text) or PLACEHOLDER,
        title=read_title(published.card),
        licence=read_header(published.card).get("license"),
    )
    rows = [row | {"reference": _reference(row, clips)} for row in published.predictions]
    rendered = render_card(expected, published.training, rows, claims)
    findings.check(
        "every line of the card, its model-index included",
        compare_texts("README.md", without_licence(text), without_licence(rendered)),
    )
    findings.check(
        "the scores for the Hub's leaderboards",
        compare_texts(".eval_results", published.eval_results, render_eval_results(expected)),
    )


def recompute(published: Published, splits: Splits, clips: dict[str, Clip]) -> Table:
    """metrics.json as it has to be; what is no number of the scores is taken as it stands."""
    rows = published.predictions
    references = [_reference(row, clips) for row in rows]
    groups = [clips.get(row["id"], row)["recording"] for row in rows]
    base, tuned = ([row[name] for row in rows] for name in ("base", "hypothesis"))
    scores = {
        name: metrics.score(references, texts, groups).as_dict()
        for name, texts in (("base", base), ("tuned", tuned))
    }
    scores["tuned"]["looped"] = sum(row["looped"] for row in rows)
    models = published.metrics["models"]
    difference = metrics.compare(references, base, tuned, groups)
    expected = published.metrics | {
        "models": {name: models.get(name, {}) | scores[name] for name in scores},
        "difference": {name: asdict(value) for name, value in difference.items()},
        "intervals": METHOD,
        "dataset": published.metrics["dataset"]
        | {
            "clips": len(rows),
            "seconds": round(sum(round(clips.get(r["id"], r)["duration"], 3) for r in rows), 3),
            "recordings": len(set(groups)),
        },
    }
    if not published.metrics["mixed"]:
        expected["seen_recordings"] = _seen_recordings(published, splits)
    decoded: Table = json.loads(json.dumps(expected))
    return decoded


def _clips(splits: Splits, split: str) -> Iterator[Clip]:
    names = ["id", "text", "recording", "duration"]
    if splits.get(split) is None:
        return
    for part in splits.columns(split, names):
        for values in zip(*(part[name] for name in names), strict=True):
            yield dict(zip(names, values, strict=True))


def _clip_differences(published: Published, clips: dict[str, Clip]) -> Iterator[str]:
    split = published.split
    predicted = [row["id"] for row in published.predictions]
    left_out = {clip["id"] for clip in published.metrics["dataset"]["left_out"]}
    for row in published.predictions:
        clip = clips.get(row["id"])
        if clip is None:
            yield f"predictions.jsonl: clip {row['id']} is not in the {split} split"
        elif clip["text"] != row["reference"]:
            yield (
                f"predictions.jsonl: the reference of clip {row['id']} is {row['reference']!r}; "
                f"the dataset's text is {clip['text']!r}"
            )
        elif clip["recording"] != row["recording"]:
            yield f"predictions.jsonl: clip {row['id']} is of recording {clip['recording']}"
    for name in clips:
        if name not in left_out and name not in predicted:
            yield f"predictions.jsonl: clip {name} of the {split} split has no prediction"
    if len(set(predicted)) < len(predicted):
        yield "predictions.jsonl: a clip is there twice"


def _reference(row: Table, clips: dict[str, Clip]) -> str:
    """The dataset's text of a clip; the published one where the dataset has no such clip."""
    clip = clips.get(row["id"])
    text: str = clip["text"] if clip else row["reference"]
    return text


def _seen_recordings(published: Published, splits: Splits) -> list[str]:
    scored = published.split
    if splits.get(scored) is None:
        return []
    seen: set[str] = set()
    for name in ("train", "validation"):
        if name != scored and splits.get(name) is not None:
            seen |= splits.recordings(name)
    return sorted(seen & splits.recordings(scored))
