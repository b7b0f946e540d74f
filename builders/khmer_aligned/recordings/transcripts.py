"""Text files, read as they stand."""

from __future__ import annotations

from pathlib import Path

from khmer_aligned.errors import UserError


def read_transcript(path: Path) -> str:
    """The text of a UTF-8 file, with its byte-order mark and line ends, so that offsets count.

    Raises UserError where the file is missing, cannot be opened or is not UTF-8.
    """
    try:
        return path.read_bytes().decode("utf-8")
    except FileNotFoundError as error:
        raise UserError(f"no transcript: {path.name} is missing") from error
    except OSError as error:
        raise UserError(f"{path.name}: cannot be opened ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise UserError(
            f"{path.name}: byte {error.start} is not UTF-8; save the transcript as UTF-8"
        ) from error
