"""What a folder was built from on this machine: kept in `.build/`, which is never published."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from khmer_aligned.dataset.config import BuildConfig
from khmer_aligned.files import write_whole
from khmer_aligned.recordings.corrections import FILE
from khmer_aligned.recordings.sources import Corpus

FOLDER = ".build"
_RECORD = "source.json"


@dataclass(frozen=True, slots=True)
class Origin:
    """The source and the models of a build, by path or Hub id; None where they are not known.

    corrections: the file of corrections as the build had it
    """

    source: str | None = None
    aligner: str | None = None
    tokenizer: str | None = None
    corrections: Path | None = None


def write_origin(out: Path, corpus: Corpus, config: BuildConfig) -> None:
    """Keep what `out` is built from."""
    folder = out / FOLDER
    folder.mkdir(exist_ok=True)
    record = {
        "source": _absolute(corpus.name),
        "aligner": _absolute(config.aligner),
        "tokenizer": _absolute(config.tokenizer),
    }
    write_whole(folder / _RECORD, json.dumps(record, ensure_ascii=False, indent=2))
    if corpus.corrections:
        write_whole(folder / FILE, Path(corpus.corrections).read_text(encoding="utf-8"))
    else:
        (folder / FILE).unlink(missing_ok=True)


def read_origin(out: Path) -> Origin:
    """What `out` was built from, as far as it is known."""
    record, corrections = out / FOLDER / _RECORD, out / FOLDER / FILE
    known = json.loads(record.read_text(encoding="utf-8")) if record.is_file() else {}
    return Origin(
        known.get("source"),
        known.get("aligner"),
        known.get("tokenizer"),
        corrections if corrections.is_file() else None,
    )


def _absolute(name: str) -> str:
    """The absolute path of a folder here; a Hub id as it is."""
    return str(Path(name).resolve()) if Path(name).exists() else name
