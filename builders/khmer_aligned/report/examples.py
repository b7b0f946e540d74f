"""An example of the page: a clip or a rejection with all that is shown of it, for its scripts."""

from __future__ import annotations

import io
import re
from typing import Any

import numpy as np
import soundfile

from khmer_aligned.errors import UserError
from khmer_aligned.recordings.corrections import CLIP
from khmer_aligned.report.choose import MAX_SECONDS
from khmer_aligned.report.items import Item, read_clip
from khmer_aligned.report.sound import base64, encode_opus, peaks
from khmer_aligned.report.source import Source
from khmer_aligned.schema import SAMPLE_RATE

_AROUND = 160  # characters of the raw text before and behind
_LONGEST = 12_000  # characters of one text

Example = dict[str, Any]  # becomes JSON


def make_example(item: Item, rule: str, source: Source | None) -> Example:
    """What the page shows of an item; `audio` is None where there is none to play."""
    example: Example = {
        "key": item.key,
        "kind": item.kind,
        "rule": rule,
        "recording": item.recording,
        "speaker": item.speaker,
        "split": item.split,
        "start": item.start,
        "end": item.end,
        "seconds": round(item.seconds, 3),
        "score": None if item.score is None else round(item.score, 4),
        "reason": item.reason,
        "figures": item.figures,
        "text": item.text[:_LONGEST],
        "spoken": item.spoken[:_LONGEST],
        "words": [],
        "context": _context(item, source),
        "audio": None,
        "peaks": "",
    }
    waveform = np.zeros(0, np.float32)
    if item.kind == CLIP and item.place is not None:
        row = read_clip(item.place)
        waveform, _ = soundfile.read(io.BytesIO(row["audio"]["bytes"]), dtype="float32")
        example["words"] = place_words(row["spoken"], row["words"])
    elif source is not None and source.can_play(item):
        start, end = item.start or 0.0, item.end or 0.0
        try:
            waveform = source.waveform(item.recording_id, start, min(end, start + MAX_SECONDS))
        except UserError as error:
            example["problem"] = str(error)
    if len(waveform) > SAMPLE_RATE // 50:
        example["audio"] = base64(encode_opus(waveform))
        example["peaks"] = base64(peaks(waveform).tobytes())
    return example


def place_words(spoken: str, words: list[dict[str, Any]]) -> list[list[Any]]:
    """Each word as [start, end, score, first, last]: seconds, and characters of `spoken`."""
    placed = []
    at = 0
    for word in words:
        first = spoken.find(word["text"], at)
        first = at if first < 0 else first
        at = first + len(word["text"])
        times = (round(word[name], 3) for name in ("start", "end", "score"))
        placed.append([*times, first, at])
    return placed


def _context(item: Item, source: Source | None) -> list[str] | None:
    """The raw text before the item, its own, and behind it."""
    if source is None or item.span is None or item.recording_id not in source.texts:
        return None
    raw = source.texts[item.recording_id].built.recording.text
    before, after = text_around(raw, *item.span)
    return [before, raw[slice(*item.span)][:_LONGEST], after]


def text_around(raw: str, first: int, last: int) -> tuple[str, str]:
    """What stands before and behind characters [first, last), cut at spaces where there are any."""
    start, end = max(0, first - _AROUND), min(len(raw), last + _AROUND)
    before, after = raw[start:first], raw[last:end]
    if start > 0 and (space := re.search(r"\s", before)):
        before = before[space.end() :]
    if end < len(raw) and (words := re.match(r"(?s).*\s", after)):
        after = words[0]
    return before, after
