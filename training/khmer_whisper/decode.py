"""Waveforms to text: greedy decoding in batches, and the predictions for the rows of a dataset."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TypeVar, cast

import numpy as np
import torch
from accelerate import PartialState
from accelerate.utils import gather_object
from datasets import Dataset
from datasets.distributed import split_dataset_by_node
from tqdm import tqdm
from transformers.generation import GenerationMixin
from transformers.modeling_outputs import BaseModelOutput

from khmer_aligned.errors import UserError
from khmer_aligned.files import write_whole
from khmer_whisper.examples.collate import log_mel, stack
from khmer_whisper.examples.rows import Row, Rows, waveform
from khmer_whisper.labels import Labeller
from khmer_whisper.model import Whisper, computes_in_bfloat16

MAX_PERIOD = 64  # labels of a unit that a decoder repeats without end
MIN_REPEATS = 4
Item = TypeVar("Item")
Result = TypeVar("Result")

BATCH = 32  # clips: on a GPU a decoding step takes as long for one clip as for many


@dataclass(frozen=True, slots=True)
class Recognized:
    """The text of one waveform; `looped` where a loop at its end was cut, see `cut_loop`.

    `steps`: of the decoder, one for each label, timestamp and end token.
    """

    text: str
    looped: bool
    steps: int


Recognizer = Callable[[Whisper, Sequence[np.ndarray]], list[Recognized]]


@dataclass(frozen=True, slots=True)
class Prediction:
    """A line of predictions.jsonl, from which scores are computed."""

    id: str
    recording: str
    duration: float
    reference: str
    hypothesis: str
    looped: bool
    steps: int  # of the decoder


def recognize(whisper: Whisper, waveforms: Sequence[np.ndarray]) -> list[Recognized]:
    """Decode a batch of waveforms (n,), each within the model's window, greedily.

    On a GPU that has bfloat16 the computation uses it, over float32 weights, so that a model
    decodes the same in training and after a reload.
    """
    autocast = whisper.device.type == "cuda" and computes_in_bfloat16()
    labeller = whisper.labeller
    # Not inference_mode: there autocast casts every weight again at every decoding step.
    with torch.no_grad(), torch.autocast("cuda", torch.bfloat16, enabled=autocast):
        encoded = encode(whisper, waveforms)
        rows = search(whisper, encoded, labeller.prompt())
    return [read_output(labeller, row) for row in rows]


def encode(whisper: Whisper, waveforms: Sequence[np.ndarray]) -> torch.Tensor:
    """The encoder's output (batch, frames, width) for waveforms (n,)."""
    model, extractor = whisper.model, whisper.extractor
    features = log_mel(stack(waveforms, extractor).to(whisper.device), extractor)
    with evaluating(model):
        return model.model.encoder(features.to(model.dtype)).last_hidden_state


def search(
    whisper: Whisper,
    encoded: torch.Tensor,
    prompt: Sequence[int],
    beams: int = 1,
    temperature: float = 0.0,
) -> list[list[int]]:
    """The ids that the decoder writes after `prompt`, with the end token where it reaches it.

    The decoder may use all its positions: a limit of 225, as in many recipes, cuts Khmer at about
    a hundred characters. Whisper's own `generate` would add a prompt of its own.
    """
    model, end = whisper.model, whisper.labeller.end
    config = copy.deepcopy(model.generation_config)
    config.update(
        max_length=model.config.max_target_positions,
        num_beams=beams,
        do_sample=temperature > 0,
    )
    if temperature > 0:
        config.update(temperature=temperature, top_k=0)
    prompts = torch.tensor([list(prompt)] * len(encoded), device=whisper.device)
    generate = cast(Callable[..., torch.Tensor], GenerationMixin.generate)
    with evaluating(model):
        ids = generate(
            model,
            generation_config=config,
            encoder_outputs=BaseModelOutput(last_hidden_state=encoded),
            attention_mask=torch.ones(encoded.shape[:2], device=whisper.device),
            decoder_input_ids=prompts,
        )
    rows = ids[:, len(prompt) :].tolist()
    return [row[: row.index(end) + 1] if end in row else row for row in rows]


@contextmanager
def evaluating(model: torch.nn.Module) -> Iterator[None]:
    """Without dropout, in training, too."""
    training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(training)


def predict(
    whisper: Whisper,
    rows: Rows,
    batch_size: int,
    description: str = "recognizing",
    recognizer: Recognizer | None = None,
) -> list[Prediction]:
    """Recognize every row of a dataset, by default with `recognize`; shows a progress bar.

    Under `accelerate launch` each process decodes its share, and all return all predictions, in
    the order of the rows; those of a stream in the order of their ids. When memory runs out, the
    batch size is halved for the rest.
    """
    state = PartialState()
    share = split_dataset_by_node(rows, state.process_index, state.num_processes)
    in_order = isinstance(share, Dataset)

    def predict_batch(clips: list[Row]) -> list[Prediction]:
        return _predict_batch(whisper, clips, recognizer or recognize)

    with tqdm(
        map_batches(share, batch_size, predict_batch, description),
        total=len(share) if in_order else None,
        desc=description,
        unit="clip",
        delay=2,
        disable=not state.is_main_process,
    ) as progress:
        predictions = list(progress)
    gathered = gather_object(predictions)
    return gathered if in_order else sorted(gathered, key=lambda p: p.id)


def map_batches(
    items: Iterable[Item],
    batch_size: int,
    function: Callable[[list[Item]], list[Result]],
    description: str,
) -> Iterator[Result]:
    """The results of `function`, which is given `batch_size` items at a time, in order.

    When the GPU's memory runs out, the batch size is halved for the rest. Raises UserError where
    it does not hold one item.
    """
    iterator = iter(items)
    waiting = list(islice(iterator, batch_size))
    while waiting:
        batch = waiting[:batch_size]
        try:
            results = function(batch)
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            if batch_size == 1:
                raise UserError("the GPU's memory does not hold one clip") from None
            batch_size //= 2
            tqdm.write(f"out of memory: {description} goes on with batches of {batch_size}")
            torch.cuda.empty_cache()
            continue
        yield from results
        waiting = waiting[len(batch) :]
        waiting += islice(iterator, max(0, batch_size - len(waiting)))


def _predict_batch(
    whisper: Whisper, clips: Sequence[Row], recognizer: Recognizer
) -> list[Prediction]:
    return [
        Prediction(
            id=clip["id"],
            recording=clip["recording"],
            duration=round(clip["duration"], 3),
            reference=clip["text"],
            hypothesis=result.text,
            looped=result.looped,
            steps=result.steps,
        )
        for clip, result in zip(
            clips, recognizer(whisper, [waveform(clip) for clip in clips]), strict=True
        )
    ]


def is_out_of_memory(error: RuntimeError) -> bool:
    """Whether the GPU's memory was too small; cuBLAS and cuFFT report it in their own words."""
    message = str(error)
    return isinstance(error, torch.OutOfMemoryError) or any(
        word in message for word in ("out of memory", "ALLOC_FAILED")
    )


def write_rows(path: Path, rows: Iterable[dict]) -> None:
    """Write JSON lines in UTF-8."""
    write_whole(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def read_output(labeller: Labeller, ids: list[int]) -> Recognized:
    """The text of generated ids. Without an end token among them, a loop at the end is cut."""
    labels = [i for i in ids if i < labeller.end]
    steps = len(labels) + sum(i >= labeller.first_timestamp for i in ids)
    if labeller.end in ids:
        return Recognized(labeller.decode(labels), looped=False, steps=steps + 1)
    cut = cut_loop(labels)
    return Recognized(labeller.decode(cut), looped=len(cut) < len(labels), steps=steps)


def cut_loop(ids: list[int]) -> list[int]:
    """Keep a unit that is repeated up to the end of `ids` once.

    A decoder that does not reach its end token is usually in such a loop, and a hundred
    repetitions would decide the error rate of a whole test set. The unit has at most MAX_PERIOD
    labels and occurs at least MIN_REPEATS times; the shortest such unit counts.
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
