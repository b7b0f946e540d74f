"""Pages with everything inside: a template, its style and its scripts in one file."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Mapping, Sequence
from pathlib import Path

import jinja2

PAGES = Path(__file__).with_name("page")
STYLE = PAGES / "style.css"
# What every page with sound needs, in the order in which it is run.
SCRIPTS = (PAGES / "sound.js", PAGES / "waveform.js", PAGES / "text.js")


def render(template: Path, context: Mapping[str, object], scripts: Sequence[Path]) -> str:
    """A template with its style and its scripts inside, which alone the page may run.

    Every value of the context is escaped.
    """
    script = "\n".join(path.read_text(encoding="utf-8") for path in scripts)
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(template.parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["clock"] = clock
    return environment.get_template(template.name).render(
        **context,
        style=STYLE.read_text(encoding="utf-8"),
        script=script,
        script_sum=b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )


def clock(seconds: float) -> str:
    """Seconds as a person says them: 4.2 s, 12.3 min, 3.4 h."""
    if seconds < 100:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 6000 else f"{seconds / 3600:,.1f} h"
