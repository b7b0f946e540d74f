"""One page of a build, with everything in it: it opens from a file, without a network."""

from __future__ import annotations

import shlex
from pathlib import Path

from khmer_aligned.clips.labels import LabelCounter
from khmer_aligned.console import note
from khmer_aligned.dataset.origin import Origin, read_origin
from khmer_aligned.dataset.report import Report
from khmer_aligned.dataset.verify import read_report
from khmer_aligned.errors import UserError
from khmer_aligned.files import write_whole
from khmer_aligned.report import figures
from khmer_aligned.report.assets import PAGES, SCRIPTS, render
from khmer_aligned.report.choose import choose
from khmer_aligned.report.examples import make_example
from khmer_aligned.report.items import read_items
from khmer_aligned.report.source import Source
from khmer_aligned.schema import SAMPLE_RATE

REPORT = "report.html"
_SECONDS = 1_800.0  # of audio in a page: 7.2 MB in base64


def write_report(
    folder: Path, output: Path | None = None, *, source: str | None = None, called: str = ""
) -> Path:
    """Write the page of a built folder, by default into it; returns the file.

    source: where its recordings are, if it is not known or they have moved. called: the folder's
    name in the commands that the page shows. Raises UserError where the folder is no build.
    """
    output = output or folder / REPORT
    page = render_report(folder, source=source, called=called or str(folder))
    output.parent.mkdir(parents=True, exist_ok=True)
    write_whole(output, page)
    return output


def render_report(folder: Path, *, source: str | None = None, called: str = "OUT") -> str:
    """The page of a built folder as HTML."""
    report = read_report(folder)
    origin = read_origin(folder)
    origin = Origin(source or origin.source, origin.aligner, origin.tokenizer, origin.corrections)
    items = read_items(folder)
    chosen = choose(items, _SECONDS)
    wanted = {example.item.recording_id for example in chosen}
    recordings = _open_source(origin, report, wanted)
    located = {example.item.key: example.item for example in chosen}
    if recordings is not None:
        of_these = [item for item in items if item.recording_id in wanted]
        located.update((item.key, item) for item in recordings.locate(of_these))
    command = f"khmer-aligned review {shlex.quote(called)} --clip"
    examples = [
        make_example(located[example.item.key], example.rule, recordings)
        | {"command": f"{command} {shlex.quote(example.item.key)}"}
        for example in chosen
    ]
    seconds = report["balance"]["samples"]["in"] / SAMPLE_RATE
    context = {
        "name": folder.resolve().name,
        "report": report,
        "checked": report.get("checked"),
        "hours": seconds / 3600,
        "became": figures.what_became(report),
        "splits": figures.by_split(items),
        "speakers": figures.by_speaker(items),
        "histograms": figures.histograms(items, _label_counter(origin)),
        "words": figures.count_words(folder, items),
        "clips": sum(size["clips"] for size in report["splits"].values()),
        "rejections": sum(reason["stretches"] for reason in report["rejected"].values()),
        "examples": examples,
        "has_source": recordings is not None,
    }
    return render(PAGES / "report.html", context, [*SCRIPTS, PAGES / "list.js"])


def _open_source(origin: Origin, report: Report, only: set[str]) -> Source | None:
    if origin.source is None:
        note("the source of this build is not known: rejections have no audio; give --source")
        return None
    try:
        return Source(origin, report, only)
    except UserError as error:
        note(f"{error}: rejections have no audio in the page")
        return None


def _label_counter(origin: Origin) -> LabelCounter | None:
    if origin.tokenizer is None:
        return None
    try:
        return LabelCounter(origin.tokenizer)
    except UserError:
        return None
