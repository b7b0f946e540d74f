"""An alignment as JSON, TextGrid (Praat), SRT, VTT or CTM."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from praatio import textgrid
from praatio.utilities.constants import Interval

from khmer_aligned.alignment.align import Alignment, Timed
from khmer_aligned.clips.quality import Doubt
from khmer_aligned.subtitles import Cue, render_subtitles
from khmer_aligned.text import Break

_DECIMALS = 3  # of seconds; a frame is 20 ms
LEVELS = ("token", "word", "phrase")


def write(
    alignment: Alignment, doubts: Sequence[Doubt], form: str, level: str, audio: str, aligner: str
) -> str:
    """The text of the file. `form` is a key of FORMATS, `level` one of LEVELS.

    JSON holds words and tokens, whatever the level, and the stretches that are in doubt.
    """
    if form == "json":
        return _json(alignment, doubts, audio, aligner)
    return FORMATS[form](_units(alignment, level), alignment.duration, Path(audio).stem, level)


def _units(alignment: Alignment, level: str) -> list[Timed]:
    """What an interval stands for; units without length are left to JSON."""
    if level == "token":
        units = alignment.tokens
    elif level == "word":
        units = alignment.words
    else:
        units = _phrases(alignment)
    # Two units never overlap: a format of intervals cannot hold it.
    next_starts = [*(unit.start for unit in units[1:]), alignment.duration]
    cut = [
        replace(unit, end=min(unit.end, next_start))
        for unit, next_start in zip(units, next_starts, strict=True)
    ]
    return [unit for unit in cut if unit.end > unit.start]


def _phrases(alignment: Alignment) -> list[Timed]:
    """Words up to a space or a sign, as they are written."""
    transcript = alignment.transcript
    phrases, first = [], 0
    for k, word in enumerate(transcript.words):
        if word.break_after < Break.SPACE and k + 1 < len(transcript.words):
            continue
        own = alignment.words[first : k + 1]
        score = sum(word.score for word in own) / len(own)
        text = transcript.written(first, k + 1)
        span = transcript.slice_raw(first, k + 1)
        phrases.append(Timed(text, own[0].start, own[-1].end, score, span))
        first = k + 1
    return phrases


def _json(alignment: Alignment, doubts: Sequence[Doubt], audio: str, aligner: str) -> str:
    def unit(timed: Timed) -> dict:
        return {
            "text": timed.text,
            "start": round(timed.start, _DECIMALS),
            "end": round(timed.end, _DECIMALS),
            "score": round(float(timed.score), 4),
            "span": list(timed.span),
        }

    whole = {
        "audio": audio,
        "duration": round(alignment.duration, _DECIMALS),
        "aligner": aligner,
        "words": [unit(word) for word in alignment.words],
        "tokens": [unit(token) for token in alignment.tokens],
        "rejected": [
            {
                "span": list(doubt.span),
                "start": round(doubt.start, _DECIMALS),
                "end": round(doubt.end, _DECIMALS),
                "reason": doubt.reason,
            }
            for doubt in doubts
        ],
    }
    return json.dumps(whole, ensure_ascii=False, indent=1) + "\n"


def _textgrid(units: list[Timed], duration: float, name: str, level: str) -> str:
    entries = [Interval(unit.start, unit.end, unit.text) for unit in units]
    grid = textgrid.Textgrid(0, duration)
    grid.addTier(textgrid.IntervalTier(f"{level}s", entries, 0, duration))
    with TemporaryDirectory() as folder:  # praatio writes files only
        path = Path(folder) / "alignment.TextGrid"
        grid.save(str(path), format="long_textgrid", includeBlankSpaces=True)
        return path.read_text(encoding="utf-8")


def _cues(units: list[Timed]) -> list[Cue]:
    return [Cue(unit.start, unit.end, unit.text) for unit in units]


def _ctm(units: list[Timed], name: str) -> str:
    """NIST's time-marked conversation: recording, channel, start, length, text, score."""
    lines = (
        f"{name} 1 {unit.start:.3f} {unit.end - unit.start:.3f} "
        f"{'_'.join(unit.text.split())} {unit.score:.4f}\n"
        for unit in units
    )
    return "".join(lines)


FORMATS = {
    "json": None,
    "textgrid": _textgrid,
    "srt": lambda units, duration, name, level: render_subtitles(_cues(units), "srt"),
    "vtt": lambda units, duration, name, level: render_subtitles(_cues(units), "vtt"),
    "ctm": lambda units, duration, name, level: _ctm(units, name),
}
