"""The page of a build as a static Space on the Hub, where visitors browse and listen."""

from __future__ import annotations

import tempfile
from pathlib import Path

import yaml

from khmer_aligned.errors import UserError
from khmer_aligned.files import write_whole
from khmer_aligned.hub.cards import check_licence, licence_sentence, read_header, read_title
from khmer_aligned.hub.publish import Published, Settings, publish
from khmer_aligned.report.page import render_report

_CARD = """---
{header}---

# {title}

What came into this dataset of Khmer speech and what became of it, with clips and rejected
stretches to listen to: the lowest scores, the middle ones, a random draw, and examples of each
reason. The page is made by `khmer-aligned report`.

{licence}
"""


def push_space(
    folder: Path, repository: str, settings: Settings, *, source: str | None = None
) -> Published:
    """Publish the page of a built folder as a static Space, in one commit.

    The page carries audio of the recordings, of rejections, too: it has the licence of the
    dataset's card, or the one in `settings`. Raises UserError where neither states one.
    """
    card = folder / "README.md"
    page = render_report(folder, source=source)
    stated = settings.licence or read_header(card).get("license")
    if not stated:
        raise UserError(f"{card}: states no licence, and the page holds audio: give --licence")
    licence, title = check_licence(stated), settings.title or read_title(card) or folder.name
    header = {
        "title": title,
        "emoji": "🎧",
        "sdk": "static",
        "app_file": "index.html",
        "pinned": False,
        "license": licence,
    }
    with tempfile.TemporaryDirectory(prefix="khmer-aligned-") as scratch:
        space = Path(scratch)
        write_whole(space / "index.html", page)
        text = _CARD.format(
            header=yaml.safe_dump(header, allow_unicode=True, sort_keys=False),
            title=" ".join(title.split()),
            licence=licence_sentence(licence),
        )
        write_whole(space / "README.md", text)
        return publish(space, repository, "space", settings)
