"""Time, memory and score of the path, the peers' and ours on the same emissions in one run.

    uv run --group benchmarks python tests/benchmarks/bench_viterbi.py
    uv run --group benchmarks python tests/benchmarks/bench_viterbi.py --length 30s --rounds 10

Every measurement is a process of its own: made the emissions, warmed up on two seconds of them,
then timed; the memory is what its peak rises by meanwhile. The tools take turns, so that whatever
else the machine is doing meets them all, and the best round counts. Score is what the path emits,
less that of the best path in float64: 0 is as good as can be.

20 minutes is about as far as the peers go: torchaudio crashes from T * (2L + 1) = 2^31 on, and
ctc-forced-aligner 1.0.2 aborts when (2L + 2) * (T - L) passes it, after 25 minutes here.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

FRAMES_PER_SECOND = 50
COLUMNS = 29
LENGTHS = {"30s": 30, "5min": 300, "20min": 1200, "1h": 3600, "3h": 10800}
MEMORY_LIMIT = 10 << 30  # bytes a process may hold, so that a peer's failure is its own
TIME_LIMIT = 900  # seconds


def emissions(seconds: int) -> tuple[np.ndarray, np.ndarray]:
    """Log-probabilities (T, 29) of a passable model, and the T/4 labels it heard."""
    rng = np.random.default_rng(seconds)
    frames = seconds * FRAMES_PER_SECOND
    count = frames // 4
    labels = rng.integers(1, COLUMNS, count)
    labels[1:] += labels[1:] == labels[:-1]
    labels[labels == COLUMNS] = 1
    log_probs = rng.standard_normal((frames, COLUMNS), np.float32)
    log_probs[:, 0] += 3
    peaks = np.sort(rng.choice(frames, count, replace=False))
    log_probs[peaks, labels] += 4
    log_probs -= np.log(np.exp(log_probs).sum(1, keepdims=True))
    return log_probs, labels


def ours(threads: int):
    sys.path.insert(0, str(Path(__file__).parents[2] / "builders"))
    from khmer_aligned.alignment.viterbi import align

    def run(log_probs, labels):
        path = align(log_probs, labels, threads=threads)
        heard = np.append(labels, 0)[path.position]
        return log_probs[np.arange(len(heard)), heard]

    return run


def torchaudio():
    import torch
    from torchaudio.functional import forced_align

    torch.set_num_threads(1)

    def run(log_probs, labels):
        _, scores = forced_align(
            torch.from_numpy(log_probs)[None], torch.from_numpy(labels)[None], blank=0
        )
        return scores[0].numpy()

    return run


def ctc_forced_aligner():
    from ctc_forced_aligner import forced_align

    def run(log_probs, labels):
        path, _ = forced_align(log_probs[None], labels[None], blank=0)
        heard = np.asarray(path).reshape(-1)
        return log_probs[np.arange(len(heard)), heard]

    return run


def ctc_segmentation():
    from ctc_segmentation import CtcSegmentationParameters
    from ctc_segmentation import ctc_segmentation as segment

    # Its score is no path's: it gives a time to each label and none to what lies between.
    config = CtcSegmentationParameters(
        char_list=[str(column) for column in range(COLUMNS)], index_duration=1.0
    )

    def run(log_probs, labels):
        # Its text begins with a -1 for whatever comes before.
        segment(config, log_probs, np.concatenate([[-1], labels])[:, None])

    return run


def reference():
    """The plain recursion in float64: two rows, and the score alone."""
    from numba import njit

    @njit
    def best_score(log_probs, labels):
        count = len(labels)
        gaps, names = np.full(count + 1, -np.inf), np.full(count + 1, -np.inf)
        gaps[0] = 0.0
        for t in range(len(log_probs)):
            for i in range(min(count, t + 1), -1, -1):
                before = names[i - 1] if i > 0 else -np.inf
                step = before if i > 0 and i < count and labels[i] != labels[i - 1] else -np.inf
                if i < count:
                    names[i] = max(names[i], gaps[i], step) + log_probs[t, labels[i]]
                gaps[i] = max(gaps[i], before) + log_probs[t, 0]
        return max(gaps[count], names[count - 1])

    return lambda log_probs, labels: np.float64([best_score(log_probs, labels)])


OURS = {
    "khmer-aligned, one core": lambda: ours(1),
    "khmer-aligned, two cores": lambda: ours(2),
}
TOOLS = {
    **OURS,
    "ctc-forced-aligner 1.0.2": ctc_forced_aligner,
    "torchaudio 2.11": torchaudio,
    "ctc-segmentation": ctc_segmentation,
    "float64": reference,
}


def memory(key: str) -> int:
    """Bytes of this process: VmRSS now or VmHWM, the most since the last reset."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(key + ":"):
            return int(line.split()[1]) << 10
    raise KeyError(key)


def measure(tool: str, seconds: int) -> None:
    """Print one measurement as JSON."""
    log_probs, labels = emissions(seconds)
    run = TOOLS[tool]()
    run(*emissions(2))
    resource.setrlimit(resource.RLIMIT_AS, (memory("VmSize") + MEMORY_LIMIT, -1))
    Path("/proc/self/clear_refs").write_text("5")  # begins the peak anew
    before, times, busy = memory("VmRSS"), [], []
    while not times or (sum(times) < 0.5 and len(times) < 100):
        start, start_busy = time.perf_counter(), time.process_time()
        scores = run(log_probs, labels)
        times.append(time.perf_counter() - start)
        busy.append(time.process_time() - start_busy)
        if len(times) == 1:
            added = memory("VmHWM") - before
    score = None if scores is None else float(scores.sum(dtype=np.float64))
    figures = {"time": min(times), "busy": min(busy), "added": added, "score": score}
    print(json.dumps(figures))


def measured(tool: str, seconds: int) -> dict | str:
    """The measurement, or in a few words why there is none."""
    command = [sys.executable, __file__, "--measure", tool, "--length", str(seconds)]
    one_thread = {**os.environ, "OMP_NUM_THREADS": "1"}
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=TIME_LIMIT, env=one_thread
        )
    except subprocess.TimeoutExpired:
        return f"not done in {TIME_LIMIT} s"
    if done.returncode < 0:
        return f"killed by signal {-done.returncode}"
    if done.returncode:
        return done.stderr.strip().splitlines()[-1][:60]
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--length", action="append", help=f"one of {', '.join(LENGTHS)}")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--measure", choices=TOOLS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        return measure(options.measure, int(options.length[0]))
    for length in options.length or LENGTHS:
        seconds = LENGTHS[length]
        frames = seconds * FRAMES_PER_SECOND
        print(f"\n{length}: T {frames:,}, L {frames // 4:,}, V {COLUMNS}\n")
        best: dict[str, dict | str] = {}
        for _ in range(options.rounds):
            for tool in TOOLS:
                old = best.get(tool)
                if isinstance(old, str) or (old and tool == "float64"):
                    continue
                new = measured(tool, seconds)
                if old and not isinstance(new, str):
                    new["time"] = min(new["time"], old["time"])
                    new["busy"] = min(new["busy"], old["busy"])
                best[tool] = new
        truth = best.pop("float64")
        mine = [best[name]["time"] for name in OURS]
        print(
            "| | time | of processors | audio / time | memory added | score "
            "| ours faster, one core | two |"
        )
        print("|---|---|---|---|---|---|---|---|")
        for tool, row in best.items():
            if isinstance(row, str):
                print(f"| {tool} | {row} | | | | | | |")
                continue
            known = row["score"] is not None and not isinstance(truth, str)
            score = f"{row['score'] - truth['score']:+.5f}" if known else "-"
            print(
                f"| {tool} | {row['time']:.3g} s | {row['busy']:.3g} s "
                f"| {seconds / row['time']:,.0f} | {row['added'] / 1e6:,.0f} MB | {score} "
                f"| {row['time'] / mine[0]:.1f} | {row['time'] / mine[1]:.1f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
