"""Annotations with times: Praat's TextGrid, ELAN's EAF, the JSON of Whisper's programs.

A parser raises ValueError for a text that is no such file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

from khmer_aligned.recordings.timed import Caption, TimedText, join

_KHMER = re.compile("[\u1780-\u17d3]")
# An interval, in the long form with names and in the short form without.
_QUOTED = re.compile(r'"((?:[^"]|"")*)"|(?<![\w.])(-?\d+(?:\.\d+)?(?:e-?\d+)?)(?![\w.])')


def parse_textgrid(text: str) -> TimedText:
    """The interval tier with most Khmer; of tiers with about as much, the one cut most coarsely."""
    tiers = list(_textgrid_tiers(text))
    if not tiers:
        raise ValueError("is no TextGrid with a tier of intervals")
    amounts = [_count_khmer(tier) for tier in tiers]
    enough = [tier for tier, n in zip(tiers, amounts, strict=True) if n >= 0.9 * max(amounts)]
    return join(min(enough, key=lambda tier: sum(bool(caption.text) for caption in tier)))


def _textgrid_tiers(text: str) -> Iterator[list[Caption]]:
    """The interval tiers of a TextGrid, by its strings and numbers in order, as Praat reads it."""
    if "ooTextFile" not in text[:200]:
        return
    # In the long form `intervals [1]:` and the like are comments with numbers in brackets.
    bare = re.sub(r"\[\d*\]:?", "", text)
    items = [m[1] if m[1] is not None else float(m[2]) for m in _QUOTED.finditer(bare)]
    k = 0
    while k < len(items):
        if items[k] not in ("IntervalTier", "TextTier"):
            k += 1
            continue
        is_interval = items[k] == "IntervalTier"
        if len(items) < k + 5 or not isinstance(items[k + 4], float):
            raise ValueError("is a TextGrid that breaks off")
        count, width = int(items[k + 4]), 3 if is_interval else 2
        k += 5
        if len(items) < k + count * width:
            raise ValueError("is a TextGrid that breaks off")
        rows = [items[k + i * width : k + (i + 1) * width] for i in range(count)]
        k += count * width
        if is_interval:
            yield [Caption(float(a), float(b), str(t).replace('""', '"')) for a, b, t in rows]


def _count_khmer(captions: list[Caption]) -> int:
    return sum(len(_KHMER.findall(caption.text)) for caption in captions)


def parse_elan(text: str) -> TimedText:
    """The annotations of all tiers that depend on no other, in the order of their times."""
    # An entity may stand for a file or for gigabytes; ELAN writes none.
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise ValueError("declares entities, which no ELAN file does; nothing of it is read")
    try:
        root = ElementTree.fromstring(text.removeprefix("\ufeff").encode("utf-8"))
    except ElementTree.ParseError as error:
        raise ValueError(f"is no ELAN file ({error})") from error
    seconds = {
        slot.get("TIME_SLOT_ID"): float(slot.get("TIME_VALUE", "nan")) / 1000
        for slot in root.iter("TIME_SLOT")
    }
    captions = []
    for tier in root.iter("TIER"):
        if tier.get("PARENT_REF"):
            continue
        for item in tier.iter("ALIGNABLE_ANNOTATION"):
            start, end = (seconds.get(item.get(f"TIME_SLOT_REF{k}"), 0.0) for k in (1, 2))
            captions.append(Caption(start, end, item.findtext("ANNOTATION_VALUE") or ""))
    if not captions:
        raise ValueError("holds no annotation with times")
    return join(captions)


def parse_whisper(text: str) -> TimedText:
    """The segments of openai-whisper or faster-whisper, whisper.cpp or transformers."""
    try:
        content = json.loads(text.removeprefix("\ufeff"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"is no JSON ({error})") from error
    try:
        captions = list(_whisper_captions(content))
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError("is no JSON of segments with start, end and text") from error
    if not captions:
        raise ValueError("holds no segment")
    return join(captions)


def _whisper_captions(content: Any) -> Iterator[Caption]:
    if isinstance(content, dict) and "transcription" in content:  # whisper.cpp, milliseconds
        for segment in content["transcription"]:
            start, end = (float(segment["offsets"][name]) / 1000 for name in ("from", "to"))
            yield Caption(start, end, str(segment["text"]))
    elif isinstance(content, dict) and "chunks" in content:  # transformers
        for segment in content["chunks"]:
            start, end = segment["timestamp"]
            yield Caption(float(start), float(start if end is None else end), str(segment["text"]))
    else:
        for segment in content["segments"] if isinstance(content, dict) else content:
            yield Caption(float(segment["start"]), float(segment["end"]), str(segment["text"]))
