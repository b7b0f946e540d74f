"""Captions in text files: SubRip and WebVTT, LRC, Audacity's labels, lines below a bare time."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from khmer_aligned.recordings.timed import Caption, TimedText, join

_CLOCK = r"(?:(\d+):)?(\d{1,2}):(\d+(?:[.,]\d+)?)"
_ARROW = re.compile(rf"\s*{_CLOCK}\s*-->\s*{_CLOCK}")
_LRC = re.compile(r"\s*((?:\[\d{1,3}:\d{1,2}(?:[.:]\d{1,3})?\]\s*)+)(.*)")
_LRC_TIME = re.compile(r"\[(\d{1,3}):(\d{1,2}(?:[.:]\d{1,3})?)\]")
_LRC_TAG = re.compile(r"\s*\[[a-z#]+:[^\]]*\]\s*", re.IGNORECASE)
_LABEL = re.compile(r"(\d+(?:[.,]\d+)?)\t(\d+(?:[.,]\d+)?)(?:\t(.*))?")
_LABEL_RANGE = re.compile(r"\\\t.*")  # the frequencies of the label before
_BARE_TIME = re.compile(r"\s*(?:(\d{1,2}):)?(\d{1,2}):(\d\d)\s*")

_COMMENTS = ("NOTE", "STYLE", "REGION", "WEBVTT")
_VOICE = re.compile(r"<v(?:\.[^\s>]*)?\s+([^>]+)>")
_MARKUP = re.compile(r"</?[a-zA-Z][^<>\n]*>|</?\d[\d:.]*>|\{\\[^}\n]*\}")
_ROLLING = 0.4  # share of the captions that repeat a line of the one before
_LAST_SECONDS = 5.0  # of a caption whose end nothing tells


def parse(text: str) -> TimedText:
    """The captions in a text; the text itself where it holds none."""
    lines = [line.removesuffix("\r") for line in text.removeprefix("\ufeff").split("\n")]
    filled = [line for line in lines if line.strip()]
    if any(_ARROW.match(line) for line in lines):
        return join(_unroll(list(_arrow_captions(lines))))
    timed = sum(_LRC.fullmatch(line) is not None for line in filled)
    tags = sum(_LRC_TAG.fullmatch(line) is not None for line in filled)
    if timed and timed + tags > len(filled) / 2:
        return join(_lrc_captions(lines))
    labels = [_LABEL.fullmatch(line) or _LABEL_RANGE.fullmatch(line) for line in filled]
    if filled and all(labels):
        return join(_label_captions(filled))
    bare = sum(_BARE_TIME.fullmatch(line) is not None for line in filled)
    if bare >= 3 and 4 * bare > len(filled):
        return join(_captions_below_times(lines))
    return TimedText(text)


def _seconds(hours: str | None, minutes: str | None, seconds: str) -> float:
    return 3600 * int(hours or 0) + 60 * int(minutes or 0) + float(seconds.replace(",", "."))


def _arrow_captions(lines: list[str]) -> Iterator[Caption]:
    """SubRip and WebVTT: lines below `00:00:01,000 --> 00:00:02,000`."""
    places = [i for i, line in enumerate(lines) if _ARROW.match(line)]
    for i, following in pairwise([*places, len(lines)]):
        match = _ARROW.match(lines[i])
        assert match is not None
        body = lines[i + 1 : following]
        # The line before the next time is its number, or its name, which a blank line precedes.
        if following < len(lines) and body:
            named = len(body) > 1 and not body[-2].strip()
            if body[-1].strip().isdecimal() or (named and body[-1].strip()):
                body.pop()
        groups = match.groups()
        text = "\n".join(filter(None, map(_clean, _without_comments(body))))
        yield Caption(_seconds(*groups[:3]), _seconds(*groups[3:]), text)


def _without_comments(body: list[str]) -> Iterator[str]:
    in_comment, after_blank = False, False
    for line in body:
        if not line.strip():
            in_comment, after_blank = False, True
            continue
        if after_blank and line.startswith(_COMMENTS):
            in_comment = True
        after_blank = False
        if not in_comment:
            yield line


def _clean(line: str) -> str:
    """A line without styling; the speaker of a voice tag stands before a colon."""
    line = _MARKUP.sub("", _VOICE.sub(r"\1: ", line))
    return html.unescape(line).replace("\xa0", " ").strip()


def _unroll(captions: list[Caption]) -> list[Caption]:
    """Captions without what rolls up: lines that the caption before has shown already.

    Captions that were made while a person spoke repeat the line before, or the line so far.
    """
    lines_of = [caption.text.split("\n") for caption in captions]
    steps = [_repeated(before, lines) for before, lines in pairwise(lines_of)]
    if sum(lines > 0 or letters > 0 for lines, letters in steps) < _ROLLING * len(captions):
        return captions
    unrolled = captions[:1]
    for caption, lines, (count, letters) in zip(captions[1:], lines_of[1:], steps, strict=True):
        rest = lines[count:]
        if letters:
            rest[0] = rest[0][letters:]
        unrolled.append(caption._replace(text="\n".join(rest).strip()))
    return unrolled


def _repeated(before: Sequence[str], lines: Sequence[str]) -> tuple[int, int]:
    """How many of `lines` end `before`, and how many letters of the next line do."""
    for count in range(min(len(before), len(lines)), 0, -1):
        if list(before[-count:]) == list(lines[:count]) and any(lines[:count]):
            return count, 0
    for count in range(min(len(before), len(lines)), 0, -1):
        grown, last = lines[count - 1], before[-1]
        if list(before[-count:-1]) == list(lines[: count - 1]) and last and grown.startswith(last):
            return count - 1, len(last)
    return 0, 0


def _lrc_captions(lines: list[str]) -> list[Caption]:
    """LRC: `[01:02.50] text`, each caption until the next."""
    timed: list[tuple[float, str]] = []
    for line in lines:
        if match := _LRC.fullmatch(line):
            times = _LRC_TIME.findall(match[1])
            text = re.sub(r"<\d+:\d+(?:[.:]\d+)?>", "", match[2])
            timed += [(_seconds(None, m, s.replace(":", ".")), text.strip()) for m, s in times]
        elif timed and line.strip() and not _LRC_TAG.fullmatch(line):
            timed[-1] = (timed[-1][0], f"{timed[-1][1]}\n{line.strip()}")
    return _until_next(timed)


def _label_captions(lines: list[str]) -> Iterator[Caption]:
    """Audacity: start, end and text between tabs."""
    for line in lines:
        if match := _LABEL.fullmatch(line):
            start, end = (_seconds(None, None, match[k]) for k in (1, 2))
            yield Caption(start, end, match[3] or "")


def _captions_below_times(lines: list[str]) -> list[Caption]:
    """Lines of text below a line with a time alone, as a video's page shows its transcript."""
    timed: list[tuple[float, str]] = [(0.0, "")]
    for line in lines:
        if match := _BARE_TIME.fullmatch(line):
            timed.append((_seconds(*match.groups()), ""))
        elif line.strip():
            timed[-1] = (timed[-1][0], f"{timed[-1][1]}\n{line.strip()}".strip())
    return _until_next(timed)


def _until_next(timed: list[tuple[float, str]]) -> list[Caption]:
    timed = sorted(timed, key=lambda item: item[0])
    ends = [start for start, _ in timed[1:]] + [timed[-1][0] + _LAST_SECONDS] if timed else []
    return [Caption(start, end, text) for (start, text), end in zip(timed, ends, strict=True)]
