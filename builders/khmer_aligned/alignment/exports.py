"""An alignment as JSON, TextGrid (Praat), SRT, VTT or CTM."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

from praatio import textgrid
from praatio.utilities.constants import Interval

from khmer_aligned.alignment.align import Alignment, Timed
from khmer_aligned.alignment.doubts import find_doubts
from khmer_aligned.alignment.lag import recording_lag
from khmer_aligned.alignment.thresholds import DEFAULT, Thresholds
from khmer_aligned.subtitles import Cue, render_subtitles
from khmer_aligned.text import Break

Form = Literal["json", "textgrid", "srt", "vtt", "ctm"]
Level = Literal["token", "word", "phrase"]

_DECIMALS = 3  # of seconds; a frame is 20 ms


def render(
    alignment: Alignment,
    form: Form,
    level: Level = "word",
    *,
    audio: str = "",
    thresholds: Thresholds = DEFAULT,
) -> str:
    """The text of an alignment file. `level` is what an interval, a cue or a line stands for.

    JSON holds words and tokens whatever the level, and the stretches that are in doubt by the
    thresholds. audio: the file's path, which JSON and CTM name.
    """
    if form == "json":
        return _render_json(alignment, audio, thresholds)
    units = _select_units(alignment, level)
    if form == "textgrid":
        return _render_textgrid(units, alignment.acoustics.duration, level)
    if form == "ctm":
        return _render_ctm(units, Path(audio).stem)
    return render_subtitles((Cue(unit.start, unit.end, unit.text) for unit in units), form)


def _select_units(alignment: Alignment, level: Level) -> list[Timed]:
    """The units of a level that have a length; none reaches into the next."""
    units: Sequence[Timed]
    if level == "token":
        units = alignment.tokens
    elif level == "word":
        units = alignment.words
    else:
        units = _join_phrases(alignment)
    next_starts = [*(unit.start for unit in units[1:]), alignment.acoustics.duration]
    cut = [
        replace(unit, end=min(unit.end, next_start))
        for unit, next_start in zip(units, next_starts, strict=True)
    ]
    return [unit for unit in cut if unit.end > unit.start]


def _join_phrases(alignment: Alignment) -> list[Timed]:
    """Words up to a space or a sign, as they are written."""
    transcript = alignment.transcript
    phrases, first = [], 0
    for k, word in enumerate(transcript.words):
        if word.break_after < Break.SPACE and k + 1 < len(transcript.words):
            continue
        words = alignment.words[first : k + 1]
        score = sum(word.score for word in words) / len(words)
        text = transcript.written(first, k + 1)
        span = transcript.slice_raw(first, k + 1)
        phrases.append(Timed(text, words[0].start, words[-1].end, score, span))
        first = k + 1
    return phrases


def _render_json(alignment: Alignment, audio: str, thresholds: Thresholds) -> str:
    def as_row(unit: Timed) -> dict[str, Any]:
        return {
            "text": unit.text,
            "start": round(unit.start, _DECIMALS),
            "end": round(unit.end, _DECIMALS),
            "score": round(float(unit.score), 4),
            "span": list(unit.span),
        }

    whole = {
        "audio": audio,
        "duration": round(alignment.acoustics.duration, _DECIMALS),
        "aligner": alignment.acoustics.aligner,
        "lag": _lag_row(alignment),
        "words": [as_row(word) for word in alignment.words],
        "tokens": [as_row(token) for token in alignment.tokens],
        "rejected": [
            {
                "span": list(doubt.span),
                "start": round(doubt.start, _DECIMALS),
                "end": round(doubt.end, _DECIMALS),
                "reason": doubt.reason,
            }
            for doubt in find_doubts(alignment, thresholds)
        ],
    }
    return json.dumps(whole, ensure_ascii=False, indent=1) + "\n"


def _lag_row(alignment: Alignment) -> dict[str, Any]:
    """The lag and its evidence; `this_recording`: what it tells by itself, where that is clear."""
    own = recording_lag(alignment.edges)
    return {
        **asdict(alignment.lag),
        "this_recording": None if own is None else round(own, _DECIMALS),
    }


def _render_textgrid(units: list[Timed], duration: float, level: Level) -> str:
    entries = [
        Interval(round(unit.start, _DECIMALS), round(unit.end, _DECIMALS), unit.text)
        for unit in units
    ]
    last = max([duration, *(entry.end for entry in entries)])  # rounded up, it may lie behind
    grid = textgrid.Textgrid(0, last)
    grid.addTier(textgrid.IntervalTier(f"{level}s", entries, 0, last))
    with TemporaryDirectory() as folder:  # praatio writes files only
        path = Path(folder) / "alignment.TextGrid"
        grid.save(str(path), format="long_textgrid", includeBlankSpaces=True)
        return path.read_text(encoding="utf-8")


def _render_ctm(units: list[Timed], name: str) -> str:
    """NIST's time-marked conversation: recording, channel, start, length, text, score."""
    lines = (
        f"{name} 1 {unit.start:.3f} {unit.end - unit.start:.3f} "
        f"{'_'.join(unit.text.split())} {unit.score:.4f}\n"
        for unit in units
    )
    return "".join(lines)
