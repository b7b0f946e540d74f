"""How fast Khmer text is read, on one core, beside the peers.

    uv run python tests/benchmarks/bench_text.py news.txt

`news.txt` holds one sentence per line. Every row goes over all of them, ours from empty caches;
the best of five passes counts (one for the slow ones).
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import click
import khmercut
from khmernormalizer import normalize as khmernormalizer
from uroman import RomFormat, Uroman

from khmer_aligned.text import Transcript, normalize, verbalize
from khmer_aligned.text.normalize import _canonical_cluster
from khmer_aligned.text.romanize import romanize
from khmer_aligned.text.words import _segment_khmer

CACHED = (_canonical_cluster, _segment_khmer, romanize)


def best(run: Callable[[], None], passes: int) -> float:
    """Processor seconds of the fastest pass: other work on the machine does not count."""
    taken = []
    for _ in range(passes):
        for cached in CACHED:
            cached.cache_clear()
        start = time.process_time()
        run()
        taken.append(time.process_time() - start)
    return min(taken)


@click.command()
@click.argument("sentences", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def main(sentences: Path) -> None:
    lines = sentences.read_text(encoding="utf-8").splitlines()
    spoken = [verbalize(line) for line in lines]
    uroman = Uroman()
    romanize("ក")  # loads its own uroman

    def transcripts() -> None:
        for line in lines:
            Transcript.from_text(line)

    def whole_sentences() -> None:
        for line in spoken:
            uroman.romanize_string(line, lcode="khm", rom_format=RomFormat.EDGES)

    rows = [
        ("normalize", "khmer_aligned", lambda: [normalize(line) for line in lines], 5),
        ("normalize", "khmernormalizer 0.0.4", lambda: [khmernormalizer(x) for x in lines], 1),
        ("verbalize", "khmer_aligned", lambda: [verbalize(line) for line in lines], 5),
        ("segment", "khmercut (CRF)", lambda: [khmercut.tokenize(line) for line in spoken], 1),
        ("romanize", "uroman, whole sentences", whole_sentences, 1),
        ("Transcript", "khmer_aligned, all of it", transcripts, 1),
    ]
    click.echo(f"{len(lines)} sentences, {sum(map(len, lines))} characters, one core")
    click.echo(f"{'step':<12}{'by':<28}{'sentences/s':>12}{'seconds':>10}")
    for step, name, run, passes in rows:
        seconds = best(run, passes)
        click.echo(f"{step:<12}{name:<28}{len(lines) / seconds:>12,.0f}{seconds:>10.3f}")


if __name__ == "__main__":
    sys.exit(main())
