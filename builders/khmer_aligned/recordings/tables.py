"""Tables of recordings: CSV, TSV and JSON lines, as people's programs write them."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from khmer_aligned.errors import UserError
from khmer_aligned.recordings.transcripts import read_text

OVERFLOW = "fields beyond the header"  # the key of what a row has more than its table's header
_LONGEST_FIELD = 1 << 30  # characters; the transcript of an hour is one field

Row = Mapping[Any, Any]


def read_rows(table: Path) -> Iterator[tuple[int, Row]]:
    """The rows of a table, each with the number of its line; lines end at line feeds only.

    CSV is separated by commas or, where its header is, by semicolons or tabs. TSV has no quotes:
    a field that begins with one is a field that begins with one. Raises UserError for a line that
    is no JSON object, and for a quote that is not closed.
    """
    text = read_text(table).removeprefix("\ufeff")
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    suffix = table.suffix.lower()
    if suffix == ".jsonl":
        yield from _json_rows(lines, table)
    elif suffix == ".tsv":
        yield from _unquoted_rows(lines)
    else:
        yield from _csv_rows(lines, table)


def _json_rows(lines: list[str], table: Path) -> Iterator[tuple[int, Row]]:
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                row = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise UserError(f"{table}: line {number} is not JSON ({error})") from error
            yield number, row if isinstance(row, dict) else {}


def _unquoted_rows(lines: list[str]) -> Iterator[tuple[int, Row]]:
    header = lines[0].split("\t")
    for number, line in enumerate(lines[1:], start=2):
        if line.strip():
            yield number, _row(header, line.split("\t"))


def _csv_rows(lines: list[str], table: Path) -> Iterator[tuple[int, Row]]:
    csv.field_size_limit(_LONGEST_FIELD)
    header_line = lines[0]
    delimiter = max(",;\t", key=header_line.count)
    # A carriage return inside a field is a line feed for the reader, which knows no other.
    ended = (line.replace("\r", "\n") + "\n" for line in lines)
    reader = csv.reader(ended, delimiter=delimiter, strict=True)
    begun = 1
    try:
        header = next(reader, [])
        begun = reader.line_num + 1
        for fields in reader:
            if fields:
                yield begun, _row(header, fields)
            begun = reader.line_num + 1
    except csv.Error as error:
        raise UserError(
            f"{table}: the row of line {begun} has a quote that is not closed, or text behind "
            f'one that is ({error}); inside a quoted field write "" for a quote'
        ) from error


def _row(header: list[str], fields: list[str]) -> Row:
    row: dict[str, Any] = dict(zip(header, fields, strict=False))
    if len(fields) > len(header):
        row[OVERFLOW] = fields[len(header) :]
    return row
