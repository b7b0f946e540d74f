"""How late a model's tokens come, truly and by what is measured, in any audio.

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
from khmer_aligned.alignment.align import locate
from khmer_aligned.alignment.lag import Edges, estimate_lag, recording_lag
from khmer_aligned.alignment.splices import probe_lag
from khmer_aligned.errors import Failed, UserError
from khmer_aligned.text import Transcript

HEAD = (
    "| condition | gaps | true lag, ms | by all recordings, less the true one | by each one "
    "| edges | word starts: median error, 90th percentile of distances, ms |\n"
    "|---|---|---|---|---|---|---|"
)


@dataclass(frozen=True)
class Measured:
    """One recording: seconds that its words come late before any lag is subtracted (K,), and what
    it tells of the lag."""

    late: np.ndarray
    edges: Edges


def measure(joined: Joined, aligner: Aligner) -> Measured:
    (located,) = locate([joined.waveform], [Transcript.from_text(joined.text)], aligner)
    if isinstance(located, Failed):
        raise UserError(located.reason)
    true_starts = {word.position: word.start for word in joined.words}
    target, spans = located.path.target, located.path.spans
    late = [
        spans.start[first] * located.acoustics.frame_seconds - true_starts[word.span[0]]
        for word, tokens, (first, _) in zip(
            target.transcript.words, target.words, target.ranges, strict=True
        )
        if tokens.ids and word.span[0] in true_starts
    ]
    return Measured(np.array(late), located.edges)


def row(condition: Condition, measured: Sequence[Measured]) -> str:
    late = np.concatenate([recording.late for recording in measured])
    estimate = estimate_lag([recording.edges for recording in measured])

    def less(seconds: float | None, true_lag: float) -> str:
        return "unknown" if seconds is None else f"{(seconds - true_lag) * 1000:+.0f}"

    each = ", ".join(less(recording_lag(r.edges), float(np.median(r.late))) for r in measured)
    starts = "unknown"
    if estimate.seconds is not None:
        errors = late - estimate.seconds
        p90 = np.percentile(np.abs(errors), 90)
        starts = f"{np.median(errors) * 1000:+.0f}, {p90 * 1000:.0f}"
    true_lag = float(np.median(late))
    return (
        f"| {condition.name} | {condition.gaps} | {true_lag * 1000:.0f} "
        f"| {less(estimate.seconds, true_lag)} | {each} | {estimate.edges} | {starts} |"
    )


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
    probe = probe_lag(model, [clean])
    seconds = "unknown" if probe.seconds is None else f"{probe.seconds * 1000:.0f} ms"
    print(f"\nBy {probe.splices} splices into a clean recording: {seconds}")


if __name__ == "__main__":
    main()
