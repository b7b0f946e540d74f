"""The pages say what is there: commands, modules, reasons, and links that lead somewhere."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub makes of the headings."""
    headings = re.findall(r"(?m)^#+ (.+)$", page.read_text(encoding="utf-8"))
    return {
        re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings
    }


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for link in re.findall(r"\]\(([^)]+)\)", page.read_text(encoding="utf-8")):
        if "://" in link:
            continue
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        assert target.exists(), f"{page.name} links to {link}"
        if anchor:
            assert anchor in anchors(target), f"{page.name} links to {link}"


def test_the_front_page_is_short():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 150


def test_the_help_of_every_command_is_in_the_docs():
    written = runpy.run_path(str(ROOT / ".ci" / "write_commands.py"))["render_page"]()
    page = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    assert page == written, "run: uv run python .ci/write_commands.py"


def test_the_tree_names_every_module():
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    names = set(re.findall(r"\w+", page))
    for root in (ROOT / "builders" / "khmer_aligned", ROOT / "training" / "khmer_whisper"):
        for path in root.rglob("*.py"):
            name = path.parent.name if path.stem in ("__init__", "__main__") else path.stem
            assert name in names, f"docs/architecture.md does not name {path.relative_to(ROOT)}"


def test_every_reason_of_rejection_has_a_way_out():
    """The reasons that code can give, in the table of docs/faq.md."""
    from khmer_aligned.alignment import doubts
    from khmer_aligned.clips import quality
    from khmer_aligned.schema import Problem

    page = (ROOT / "docs" / "faq.md").read_text(encoding="utf-8")
    source = Path(quality.__file__).read_text(encoding="utf-8")
    reasons = re.findall(r'return False, "([^"]+)"', source)
    assert len(reasons) >= 5
    reasons += [value for name, value in vars(doubts).items() if name.isupper()]
    for reason in [*reasons, *Problem]:
        assert f"| {reason} |" in page, reason


def test_no_placeholder_is_left():
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        assert not re.findall(r"(?m)^[A-Z_]{4,}$", text), page.name
