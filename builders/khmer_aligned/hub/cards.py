"""What both cards have in common: plain text in Markdown, the header, and its licence."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from khmer_aligned.errors import UserError

# What Markdown and HTML would read as markup; an underscore only at the edge of a word.
_MARKUP = re.compile(r"[\\`*\[\]<>|~&]|(?<!\w)_|_(?!\w)")
_HEADER = re.compile(r"\A\ufeff?---[ \t]*\r?\n(.*?)^---[ \t]*\r?\n", re.DOTALL | re.MULTILINE)
_LICENCE = re.compile(r"^license:[^\n]*\n", re.MULTILINE)
_PRETTY_NAME = re.compile(r"^pretty_name:[^\n]*\n", re.MULTILINE)
_CITED = re.compile(r"^  title = \{.*\},$", re.MULTILINE)
_SENTENCE = re.compile(r"^Licence: .*$", re.MULTILINE)
_REPRODUCED = re.compile(r"^khmer-(?:aligned|whisper) reproduce (\S+)", re.MULTILINE)
_HEADING = re.compile(r"^# (.*)$", re.MULTILINE)

UNKNOWN = "unknown"
# Those that people give speech, and what they ask of a user. The Hub knows more: KNOWN.
USUAL = {
    "cc0-1.0": "no conditions",
    "cc-by-4.0": "name the author",
    "cc-by-sa-4.0": "name the author, and share what is made of it under the same licence",
    "cc-by-nc-4.0": "name the author, and no commercial use",
    "apache-2.0": "name the author, and grant patents; usual for weights",
    "mit": "name the author; usual for weights",
    UNKNOWN: "the rights are not settled, and the card says so",
}
# fmt: off
KNOWN = frozenset(USUAL) | {
    "afl-3.0", "agpl-3.0", "artistic-2.0", "bigscience-openrail-m", "bsd", "bsd-2-clause",
    "bsd-3-clause", "bsl-1.0", "c-uda", "cc", "cc-by-2.0", "cc-by-2.5", "cc-by-3.0",
    "cc-by-nc-2.0", "cc-by-nc-3.0", "cc-by-nc-nd-3.0", "cc-by-nc-nd-4.0", "cc-by-nc-sa-2.0",
    "cc-by-nc-sa-3.0", "cc-by-nc-sa-4.0", "cc-by-nd-4.0", "cc-by-sa-3.0", "cdla-permissive-1.0",
    "cdla-permissive-2.0", "cdla-sharing-1.0", "ecl-2.0", "epl-1.0", "epl-2.0", "eupl-1.1",
    "eupl-1.2", "gfdl", "gpl", "gpl-2.0", "gpl-3.0", "isc", "lgpl", "lgpl-2.1", "lgpl-3.0",
    "mpl-2.0", "ms-pl", "odbl", "odc-by", "ofl-1.1", "openrail", "openrail++", "osl-3.0",
    "pddl", "unlicense", "wtfpl", "zlib",
}
# fmt: on


def escape(text: str) -> str:
    """`text` so that Markdown shows it as it stands, on one line, in a table's cell too."""
    return _MARKUP.sub(r"\\\g<0>", " ".join(text.split()))


def read_header(card: Path) -> dict[str, Any]:
    """The YAML at the top of a card; {} where there is none or it is broken."""
    match = _HEADER.match(card.read_text(encoding="utf-8", errors="replace"))
    try:
        header = yaml.safe_load(match[1]) if match else None
    except yaml.YAMLError:
        return {}
    return header if isinstance(header, dict) else {}


def check_licence(name: str) -> str:
    """`name` as the Hub writes it. Raises UserError for one that the Hub does not know."""
    licence = name.strip().lower()
    if licence not in KNOWN:
        raise UserError(f"--licence {name}: not one that the Hub knows; choose {usual()}")
    return licence


def usual() -> str:
    """The usual licences in one line."""
    return ", ".join(f"{name} ({meaning})" for name, meaning in USUAL.items())


def licence_sentence(licence: str | None) -> str:
    """The line of a card's text on its licence, which `set_licence` replaces."""
    if licence is None:
        return "Licence: none is stated yet; publishing asks for one."
    if licence == UNKNOWN:
        return "Licence: unknown. The rights are not settled: ask their holders before you use it."
    return f"Licence: {licence}."


def read_title(card: Path) -> str | None:
    """The first heading of a card."""
    match = _HEADING.search(card.read_text(encoding="utf-8", errors="replace"))
    return match[1].strip() if match else None


def read_repository(text: str) -> str | None:
    """The repository that a card names in its example of a check."""
    match = _REPRODUCED.search(text)
    return match[1] if match else None


def set_licence(text: str, licence: str) -> str:
    """`text`, a card, with the licence in its header and in its line on it."""
    text = _SENTENCE.sub(licence_sentence(licence), text)
    match = _HEADER.match(text)
    line = f"license: {licence}\n"
    if match is None:
        return f"---\n{line}---\n{text}"
    if _LICENCE.search(match[1]):
        return f"---\n{_LICENCE.sub(line, match[1], count=1)}---\n{text[match.end() :]}"
    return f"---\n{match[1]}{line}---\n{text[match.end() :]}"


def without_licence(text: str) -> str:
    """`text`, a card, without the licence in its header, whose place there tells nothing."""
    match = _HEADER.match(text)
    if match is None:
        return text
    return f"---\n{_LICENCE.sub('', match[1])}---\n{text[match.end() :]}"


def set_title(text: str, title: str) -> str:
    """`text`, a card, with another title: its heading, its citation, and `pretty_name` above."""
    title = " ".join(title.split())
    text = _HEADING.sub(lambda _: f"# {title}", text, count=1)
    text = _CITED.sub(lambda _: f"  title = {{{title}}},", text, count=1)
    match = _HEADER.match(text)
    if match is None or not _PRETTY_NAME.search(match[1]):
        return text
    line = yaml.safe_dump({"pretty_name": title}, allow_unicode=True, width=10_000)
    header = _PRETTY_NAME.sub(lambda _: line, match[1])
    return f"---\n{header}---\n{text[match.end() :]}"
