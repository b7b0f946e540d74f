"""Transcript files: plain text as it stands, and the text of captions with its rough times."""

from __future__ import annotations

import codecs
import re
from contextlib import suppress
from pathlib import Path

from khmer_aligned.errors import UserError
from khmer_aligned.files import fetch
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

# Characters of Khmer text with Latin words, and the share of them from which bytes are text.
_EXPECTED = re.compile("[\t\n\r\x20-\x7e\xa0-\xff\u1780-\u17ff\u2000-\u206f]")
_MIN_EXPECTED = 0.9


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
    """The text of a file in UTF-8, in the encoding that its byte-order mark names, or in UTF-16
    without a mark.

    The mark of UTF-8 and the line ends stay, so that offsets count. Raises UserError where the
    file is missing, cannot be opened or is in another encoding.
    """
    try:
        with fetch(path) as file:
            data = file.read_bytes()
    except FileNotFoundError as error:
        raise UserError(
            f"no transcript: {path.name} is missing", category=Problem.NO_TRANSCRIPT
        ) from error
    except OSError as error:
        raise UserError(
            f"{path.name}: cannot be opened ({error.strerror})",
            category=Problem.UNREADABLE_TRANSCRIPT,
        ) from error
    encoding = next((_MARKS[mark] for mark in _MARKS if data.startswith(mark)), "utf-8")
    if encoding == "utf-8" and (text := _decode_unmarked_utf16(data)) is not None:
        return text
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise UserError(
            f"{path.name}: byte {error.start} is not {encoding.upper()}; save the transcript as "
            "UTF-8, and convert text in a legacy font (Limon, ABC) to Unicode first",
            category=Problem.UNREADABLE_TRANSCRIPT,
        ) from error


def _decode_unmarked_utf16(data: bytes) -> str | None:
    """The text of bytes that are UTF-16 without a byte-order mark; None where they are not.

    Latin text in UTF-16 is full of zeros, and Khmer text in UTF-16 is never UTF-8. In the wrong
    order of bytes either is Chinese.
    """
    with suppress(UnicodeDecodeError):
        if "\0" not in data.decode("utf-8"):
            return None
    for encoding in ("utf-16-le", "utf-16-be"):
        with suppress(UnicodeDecodeError):
            text = data.decode(encoding)
            if len(_EXPECTED.findall(text)) > _MIN_EXPECTED * len(text):
                return text
    return None
