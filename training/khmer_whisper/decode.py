"""Waveforms to text: greedy decoding in batches, and predictions as rows of a file."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from accelerate import PartialState
from accelerate.utils import gather_object
from datasets import Dataset
from datasets.distributed import split_dataset_by_node
from tqdm import tqdm

from khmer_aligned.errors import UserError
from khmer_aligned.files import write_whole
from khmer_whisper.examples.collate import log_mel, stack
from khmer_whisper.examples.data import Rows, waveform
from khmer_whisper.model import Whisper, computes_in_bfloat16

MAX_PERIOD = 64  # tokens of a unit that a decoder may get caught in
MIN_REPEATS = 4
BATCH = 32  # clips: on a GPU a token takes as long for one as for many


@dataclass(frozen=True, slots=True)
class Recognized:
    """What a model heard; `looped` where it ran to its limit repeating itself and was cut back."""

    text: str
    looped: bool


Recognizer = Callable[[Whisper, Sequence[np.ndarray]], list[Recognized]]


@dataclass(frozen=True, slots=True)
class Prediction:
    """A line of predictions.jsonl: what scores are computed from."""

    id: str
    recording: str
    duration: float
    reference: str
    hypothesis: str
    looped: bool


def recognize(whisper: Whisper, waveforms: Sequence[np.ndarray]) -> list[Recognized]:
    """Decode one batch of waveforms (n,), each within the model's window, greedily.

    The decoder may use all its positions: copied limits such as 225 cut Khmer at about a
    hundred characters. Computes in bfloat16 on a GPU that can, over the float32 weights: the same
    in the middle of a training, at its end and after a reload.
    """
    model, extractor = whisper.model, whisper.extractor
    features = log_mel(stack(waveforms, extractor).to(whisper.device), extractor)
    training = model.training
    model.eval()
    narrow = whisper.device.type == "cuda" and computes_in_bfloat16()
    # Not inference_mode, in which autocast casts every weight anew at every token.
    with torch.no_grad(), torch.autocast("cuda", torch.bfloat16, enabled=narrow):
        # One call of the decoder per batch, its whole output: prompt and end token included.
        ids = model.generate(
            features.to(model.dtype), num_beams=1, do_sample=False, force_unique_generate_call=True
        )
    model.train(training)
    return [recognized(whisper, row) for row in ids.tolist()]


def predict(
    whisper: Whisper,
    rows: Rows,
    batch_size: int,
    description: str = "recognizing",
    by: Recognizer | None = None,
) -> list[Prediction]:
    """Recognize every row of a dataset, with a progress bar. The references are written forms.
    `by` takes the place of `recognize`.

    Under `accelerate launch` each process decodes its share, and all get the whole, in the order
    of the rows; those of a stream, which are dealt out otherwise, in the order of their ids. Out
    of memory, the batch is halved and stays so.
    """
    state = PartialState()
    mine = split_dataset_by_node(rows, state.process_index, state.num_processes)
    streamed = not isinstance(mine, Dataset)
    total = None if streamed else len(mine)
    found: list[Prediction] = []
    hidden = not state.is_main_process
    with tqdm(total=total, desc=description, unit="clip", delay=2, disable=hidden) as progress:
        coming = iter(mine)
        clips = list(islice(coming, batch_size))
        while clips:
            try:
                heard = (by or recognize)(whisper, list(map(waveform, clips[:batch_size])))
            except RuntimeError as error:
                if not out_of_memory(error):
                    raise
                if batch_size == 1:
                    raise UserError("the GPU's memory does not hold one clip") from None
                batch_size //= 2
                tqdm.write(f"out of memory: {description} goes on with batches of {batch_size}")
                torch.cuda.empty_cache()
                continue
            found += [
                Prediction(
                    id=clip["id"],
                    recording=clip["recording"],
                    duration=round(clip["duration"], 3),
                    reference=clip["text"],
                    hypothesis=said.text,
                    looped=said.looped,
                )
                for clip, said in zip(clips, heard, strict=False)
            ]
            progress.update(len(heard))
            clips = clips[len(heard) :]
            clips += islice(coming, batch_size - len(clips)) if len(clips) < batch_size else ()
    gathered = gather_object(found)
    return sorted(gathered, key=lambda p: p.id) if streamed else gathered


def out_of_memory(error: RuntimeError) -> bool:
    """Whether the GPU's memory was too small: cuBLAS and cuFFT say so in words of their own."""
    told = str(error)
    return isinstance(error, torch.OutOfMemoryError) or any(
        word in told for word in ("out of memory", "ALLOC_FAILED")
    )


def write(path: Path, rows: Iterable[dict]) -> None:
    """One JSON object a line, in UTF-8."""
    write_whole(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def recognized(whisper: Whisper, ids: list[int]) -> Recognized:
    """What generated ids say, the end token among them if it was reached."""
    labeller = whisper.labeller
    said = [i for i in ids if i < labeller.end]
    if labeller.end in ids:
        return Recognized(labeller.text(said), looped=False)
    cut = without_loop(said)
    return Recognized(labeller.text(cut), looped=len(cut) < len(said))


def without_loop(ids: list[int]) -> list[int]:
    """`ids` with a unit that is repeated up to the very end kept once.

    A decoder that never says its end token is usually caught in such a loop, and a hundred
    repetitions would decide the error rate of a whole test set. The unit is at most MAX_PERIOD
    tokens and stands at least MIN_REPEATS times; the shortest one is taken.
    """
    for period in range(1, MAX_PERIOD + 1):
        matching = 0
        for i in range(len(ids) - 1, period - 1, -1):
            if ids[i] != ids[i - period]:
                break
            matching += 1
        if matching >= period * (MIN_REPEATS - 1):
            return ids[: len(ids) - matching]
    return ids
