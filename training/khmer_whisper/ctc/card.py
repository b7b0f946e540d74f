"""The card of an aligner."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

from huggingface_hub import ModelCard, ModelCardData

from khmer_aligned.files import write_whole
from khmer_whisper.config import LANGUAGE, PROVENANCE

_UNKNOWN = "unknown"
_BODY = """
# {name}

A CTC aligner over Khmer characters, trained with {hours:g} hours ({clips:,} clips) of \
{dataset}{base}. `khmer-aligned --aligner` takes it.

{word_times}{figures}

Word times of the dataset that it was trained on are what it has learned: figures against them say \
how well it has learned, not how right they are. What it makes of the same recordings again should \
be compared with the first build (how many clips came, went or moved), not taken for a judge of it.

## Use

```
khmer-aligned align speech.mp3 speech.txt --aligner {name} --format textgrid
khmer-aligned build my_recordings/ out/khmer-aligned --aligner {name}
```

## Licence

{licence}

`training.toml` holds the whole configuration and the versions of everything that went into it; \
`metrics.json` the figures.
"""


def write_card(folder: Path) -> None:
    """README.md of an aligner's folder, from its metrics.json and training.toml."""
    metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    training = tomllib.loads((folder / "training.toml").read_text(encoding="utf-8"))
    provenance = training[PROVENANCE]
    own, line = provenance["licence"], metrics["word_times"]
    base, _, revision = training["model"].partition("@")
    header = ModelCardData(
        language=LANGUAGE,
        library_name="transformers",
        pipeline_tag="automatic-speech-recognition",
        license=None if own == _UNKNOWN else own.lower(),
        base_model=base if revision else None,
        tags=["khmer", "ctc", "forced-alignment"],
    )
    body = _BODY.format(
        name=folder.resolve().name,
        hours=provenance["hours"],
        clips=provenance["clips"],
        dataset=metrics["dataset"],
        base=f", from {Path(base).name if not revision else base}" if base else ", from scratch",
        word_times=f"In the training clips {line}.\n\n" if line else "",
        figures=_figures(metrics),
        licence=_licence(own, bool(base)),
    )
    write_whole(folder / "README.md", str(ModelCard(f"---\n{header}\n---\n{body}")) + "\n")


def _figures(metrics: dict) -> str:
    if not metrics["split"]:
        return "Nothing was measured: the dataset has no test split."
    learned = "the dataset's, moved in the same way" if metrics.get("moves") else "the dataset's"
    lines = [
        f"On {metrics['clips']} clips of the {metrics['split']} split:",
        "",
        "| | |",
        "|---|---|",
        f"| letter error rate, greedy | {metrics['letter_error_rate']:.1%} |",
    ]
    if metrics["lag"] is not None:
        lines += [
            f"| word starts later than {learned} (median of {metrics['words']:,}) | "
            f"{1000 * metrics['lag']:+.0f} ms |",
            f"| distance from them without that, median | {1000 * metrics['median']:.0f} ms |",
            f"| 90th percentile | {1000 * metrics['percentile90']:.0f} ms |",
        ]
    return "\n".join(lines)


def _licence(own: str, tuned: bool) -> str:
    if own == _UNKNOWN:
        return "The licence of the model that it was tuned from is not known."
    if tuned:
        return f"{own}, as the model that it was tuned from; the rights of the recordings aside."
    return f"{own}: no other weights went into it; the rights of the recordings aside."
