"""Transcript files: plain text as it stands, and the text of captions with its rough times."""

from __future__ import annotations

import codecs
from pathlib import Path

from khmer_aligned.errors import UserError
from khmer_aligned.recordings import annotated, captions
from khmer_aligned.recordings.timed import TimedText
from khmer_aligned.schema import Problem

# In this order where a recording has several. A .txt may hold captions, too.
PARSERS = {
    ".txt": captions.parse,
    ".srt": captions.parse,
    ".vtt": captions.parse,
    ".lrc": captions.parse,
    ".textgrid": annotated.parse_textgrid,
    ".eaf": annotated.parse_elan,
    ".json": annotated.parse_whisper,
}

# UTF-32 before UTF-16, whose mark is the beginning of its mark.
_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
    b"\x84\x31\x95\x33": "gb18030",
}


def read_transcript(path: Path) -> TimedText:
    """The text of a transcript file, with cues where the file holds times.

    Raises UserError where the file is missing, cannot be opened or is no file of its kind.
    """
    text = read_text(path)
    try:
        return PARSERS.get(path.suffix.lower(), captions.parse)(text)
    except ValueError as error:
        raise UserError(f"{path.name}: {error}", category=Problem.UNREADABLE_TRANSCRIPT) from error


def read_text(path: Path) -> str:
    """The text of a file in UTF-8, or in the encoding that its byte-order mark names.

    The mark of UTF-8 and the line ends stay, so that offsets count. Raises UserError where the
    file is missing, cannot be opened or is not UTF-8.
    """
    try:
        data = path.read_bytes()
        encoding = next((_MARKS[mark] for mark in _MARKS if data.startswith(mark)), "utf-8")
        return data.decode(encoding)
    except FileNotFoundError as error:
        raise UserError(
            f"no transcript: {path.name} is missing", category=Problem.NO_TRANSCRIPT
        ) from error
    except OSError as error:
        raise UserError(
            f"{path.name}: cannot be opened ({error.strerror})",
            category=Problem.UNREADABLE_TRANSCRIPT,
        ) from error
    except UnicodeDecodeError as error:
        raise UserError(
            f"{path.name}: byte {error.start} is not {encoding.upper()}; save the transcript as "
            "UTF-8",
            category=Problem.UNREADABLE_TRANSCRIPT,
        ) from error
