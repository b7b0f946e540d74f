"""How late a model's tokens come, truly and by what is found, in any audio.

    uv run --group benchmarks python tests/benchmarks/bench_conditions.py MODEL DATA

MODEL is a CTC model by folder or Hub id, DATA a folder with keosaly_labelled/ as for
bench_alignment.py. Each condition is made of other sentences for each recording; the truth is the
median of what the labelled word starts come late.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
from conditions import CONDITIONS, DEGRADED, Condition

from joined import Joined, Sentence, read
from khmer_aligned import aligners
from khmer_aligned.aligners.base import Aligner
from khmer_aligned.alignment import lag
from khmer_aligned.alignment.align import align
from khmer_aligned.errors import UserError
from khmer_aligned.text import Transcript

HEAD = (
    "| condition | gaps | true lag, ms | lags used, less the true one | found together | found by "
    "each | edges | word starts as aligned: bias, p90 | with the lag found together |\n"
    "|---|---|---|---|---|---|---|---|---|"
)


@dataclass(frozen=True)
class Measured:
    """One recording: seconds that its words come late before any lag is taken off (K,), the lag
    that the alignment took off, and its edges."""

    late: np.ndarray
    used: float
    edges: lag.Edges


def measure(joined: Joined, aligner: Aligner) -> Measured:
    (alignment,) = align([joined.waveform], [Transcript.from_text(joined.text)], aligner)
    if isinstance(alignment, UserError):
        raise alignment
    used = alignment.offset
    true = {character: start for character, start, _ in joined.words}
    late = [
        word.start + used - true[word.span[0]]
        for word, dropped in zip(alignment.words, alignment.lost, strict=True)
        if word.span[0] in true and dropped is None
    ]
    edges = lag.find_edges(
        alignment.energy,
        [token.text for token in alignment.tokens],
        np.array([token.start + used for token in alignment.tokens]),
        np.array([token.score for token in alignment.tokens]),
    )
    return Measured(np.array(late), used, edges)


def row(condition: Condition, measured: Sequence[Measured]) -> str:
    late = np.concatenate([one.late for one in measured])
    together = lag.estimate_lag([one.edges for one in measured])

    def less_true(seconds: float | None, one: Measured) -> str:
        return "-" if seconds is None else f"{(seconds - np.median(one.late)) * 1000:+.0f}"

    used = ", ".join(less_true(one.used, one) for one in measured)
    alone = ", ".join(less_true(lag.estimate_lag([one.edges]).seconds, one) for one in measured)
    before = _distances(np.concatenate([one.late - one.used for one in measured]))
    if together.seconds is None:
        found = after = "unknown"
    else:
        found = f"{(together.seconds - np.median(late)) * 1000:+.0f}"
        after = _distances(late - together.seconds)
    return (
        f"| {condition.name} | {condition.gaps} | {np.median(late) * 1000:.0f} | {used} | {found} "
        f"| {alone} | {together.edges} | {before} | {after} |"
    )


def _distances(seconds: np.ndarray) -> str:
    off = np.percentile(np.abs(seconds), 90)
    return f"{np.median(seconds) * 1000:+.0f}, {off * 1000:.0f}"


def _parts(sentences: list[Sentence], recordings: int, length: int) -> list[list[Sentence]]:
    step = max(length, len(sentences) // recordings)
    return [sentences[first : first + length] for first in range(0, step * recordings, step)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", metavar="MODEL")
    parser.add_argument("data", metavar="DATA", type=Path)
    parser.add_argument("--only", help="conditions whose name holds this")
    parser.add_argument("--recordings", type=int, default=3)
    parser.add_argument("--sentences", type=int, default=45, help="in a recording")
    options = parser.parse_args()
    model = aligners.load(options.model)
    parts = _parts(read(options.data / "keosaly_labelled"), options.recordings, options.sentences)
    print(HEAD)
    chosen = [c for c in [*CONDITIONS, *DEGRADED] if (options.only or "") in c.name]
    for condition in chosen:
        made = (condition.make(part, seed) for seed, part in enumerate(parts))
        print(row(condition, [measure(joined, model) for joined in made]), flush=True)
    clean = CONDITIONS[0].make(parts[0], 0).waveform
    probe = lag.probe_lag(model, [clean])
    seconds = "unknown" if probe.seconds is None else f"{probe.seconds * 1000:.0f} ms"
    print(f"\nBy {probe.splices} splices into a clean recording: {seconds}")


if __name__ == "__main__":
    main()
