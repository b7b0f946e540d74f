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
KNOWN = frozenset(USUAL) | frozenset(
    """
    afl-3.0 agpl-3.0 artistic-2.0 bigscience-openrail-m bsd bsd-2-clause bsd-3-clause bsl-1.0 cc
    c-uda cc-by-2.0 cc-by-2.5 cc-by-3.0 cc-by-nc-2.0 cc-by-nc-3.0 cc-by-nc-nd-3.0 cc-by-nc-nd-4.0
    cc-by-nc-sa-2.0 cc-by-nc-sa-3.0 cc-by-nc-sa-4.0 cc-by-nd-4.0 cc-by-sa-3.0 cdla-permissive-1.0
    cdla-permissive-2.0 cdla-sharing-1.0 ecl-2.0 epl-1.0 epl-2.0 eupl-1.1 eupl-1.2 gfdl gpl gpl-2.0
    gpl-3.0 isc lgpl lgpl-2.1 lgpl-3.0 mpl-2.0 ms-pl odbl odc-by ofl-1.1 openrail openrail++ osl-3.0
    pddl unlicense wtfpl zlib
    """.split()
)


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


def set_licence(card: Path, licence: str) -> None:
    """Write the licence into a card's header, in place of the one before."""
    text = card.read_text(encoding="utf-8", errors="surrogateescape")
    match = _HEADER.match(text)
    line = f"license: {licence}\n"
    if match is None:
        changed = f"---\n{line}---\n{text}"
    else:
        header = _LICENCE.sub("", match[1])
        changed = f"---\n{line}{header}---\n{text[match.end() :]}"
    if changed != text:
        card.write_text(changed, encoding="utf-8", errors="surrogateescape")
