"""Speed, memory and correctness of the models' code on the device at hand, part by part.

    uv run python tests/benchmarks/bench_gpu.py [--only words,mms] [--json figures.json]
    uv run python tests/benchmarks/bench_gpu.py --toy

A GPU is measured at the real size: MMS_FA's, omniASR-CTC-300M's and whisper-small's shapes with
random weights, which take as long as trained ones. `--toy` shrinks everything for a CPU, to show
that each part runs; its speeds mean nothing. A part that fails is named, the others go on, and
the exit status is 1.

`--source` is a folder of .ogg recordings, each with its .txt, and `--aligner` a CTC model that
knows such speech; by default both are the demo's. `--tokenizer` is a Whisper's, by default the
demo's, whose labels are bytes.
"""

# ruff: noqa: E402 (where the sources are, and what libraries read at import, has to come first)
from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
import traceback
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[2] / name) for name in ("builders", "training")]
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"  # loaders are forked
os.environ["TQDM_DISABLE"] = "1"

import gpu_checks
import gpu_speed
import gpu_training
import torch
import transformers
from gpu_common import Figure, Setup, forget_memory, peak_flops

from khmer_whisper.demo.run import ALIGNER, RECORDINGS, WHISPER


def peak(setup: Setup):
    """What the device reaches at best."""
    yield Figure("bfloat16 matrix product", peak_flops(setup.device) / 1e12, "TFLOP/s")


# The most valuable first: a run may be cut off.
PARTS = {
    "peak": peak,
    "words": gpu_checks.words,
    "halving": gpu_checks.halving,
    "decoding": gpu_checks.decoding,
    "resuming": gpu_checks.resuming,
    "mms": gpu_speed.mms,
    "agreement": gpu_checks.agreement,
    "training": gpu_training.training,
    "build": gpu_speed.build,
    "omni": gpu_speed.omni,
    "path": gpu_speed.path,
}


def run(setup: Setup, names: list[str], record: Path | None) -> bool:
    """Run the parts, print their figures, and write them after each part; whether all succeeded."""
    cuda = setup.device.type == "cuda"
    report = {
        "device": torch.cuda.get_device_name(setup.device) if cuda else "cpu",
        "cores": len(os.sched_getaffinity(0)),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "toy": setup.toy,
        "parts": {},
    }
    head = ("device", "cores", "torch", "transformers")
    print(", ".join(f"{key} {report[key]}" for key in head), flush=True)
    failed = []
    for name in names:
        began = time.perf_counter()
        print(f"\n{name}: {PARTS[name].__doc__.splitlines()[0]}", flush=True)
        part = report["parts"][name] = {"figures": [], "failure": None}
        try:
            for figure in PARTS[name](setup):
                part["figures"].append(figure._asdict())
                print(figure, flush=True)
        except Exception as error:
            part["failure"] = f"{type(error).__name__}: {error}"
            failed.append(name)
            traceback.print_exc(file=sys.stdout)
            print(f"  FAILED {name}: {part['failure']}", flush=True)
        part["seconds"] = round(time.perf_counter() - began, 1)
        print(f"  ({part['seconds']:.0f} s)", flush=True)
        if record:
            record.write_text(json.dumps(report, ensure_ascii=False, indent=2) + "\n")
        try:
            forget_memory(setup.device)
        except Exception as error:  # a device that has crashed says so again
            print(f"  the device does not answer: {error}", flush=True)
    print(f"\nfailed: {', '.join(failed)}" if failed else "\nevery part succeeded")
    return not failed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", help=f"some of: {','.join(PARTS)}", default=",".join(PARTS))
    parser.add_argument("--toy", action="store_true", help="small sizes, for a CPU")
    parser.add_argument("--json", type=Path, help="write the figures into this file")
    parser.add_argument("--source", type=Path, default=RECORDINGS)
    parser.add_argument("--copies", type=int, default=1, help="of each recording, for the build")
    parser.add_argument("--aligner", type=Path, default=ALIGNER)
    parser.add_argument("--tokenizer", type=Path, default=WHISPER)
    args = parser.parse_args()
    names = args.only.split(",")
    if unknown := set(names) - set(PARTS):
        parser.error(f"no part is named {', '.join(sorted(unknown))}")
    device = torch.device("cuda", 0) if torch.cuda.is_available() else torch.device("cpu")
    transformers.utils.logging.set_verbosity_error()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        setup = Setup(
            device=device,
            toy=args.toy,
            source=args.source,
            copies=args.copies,
            aligner=args.aligner,
            tokenizer=args.tokenizer,
            folder=Path(folder),
        )
        if not run(setup, names, args.json):
            raise SystemExit(1)


if __name__ == "__main__":
    main()
