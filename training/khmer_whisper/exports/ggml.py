"""A model as the one file that whisper.cpp reads.

The format, as models/README.md and the loader of whisper.cpp (src/whisper.cpp) describe it, all
numbers little-endian:

    magic       int32   0x67676d6c
    sizes       11 int32: ids, encoder positions, width, heads, layers; decoder positions, width,
                heads, layers; mel bins; 1 for weights in float16
    mel         2 int32 (mels, frequencies), then the filters, float32
    vocabulary  int32 count, then for each text entry by id: int32 length, bytes
    tensors     to the end: 3 int32 (dimensions, length of the name, 0 float32 or 1 float16), the
                shape from the last axis to the first, the name as in openai/whisper, the values

Special tokens are not written: whisper.cpp knows their ids from the size of the vocabulary.
Matrices are float16 and the rest float32: whisper.cpp 1.8 aborts at the first convolution of a file
that holds float32 alone.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
import torch
from transformers.convert_slow_tokenizer import bytes_to_unicode

from khmer_aligned.errors import UserError
from khmer_whisper.exports.standard import find_vocabulary_difference, find_window_difference
from khmer_whisper.model import Whisper

_MAGIC = 0x67676D6C
_FLOAT16_MAX = float(np.finfo(np.float16).max)
# transformers' names of layers and openai/whisper's.
_LAYERS = {
    "self_attn_layer_norm": "attn_ln",
    "encoder_attn_layer_norm": "cross_attn_ln",
    "final_layer_norm": "mlp_ln",
    "fc1": "mlp.0",
    "fc2": "mlp.2",
}
_ATTENTIONS = {"self_attn": "attn", "encoder_attn": "cross_attn"}
_PROJECTIONS = {"q_proj": "query", "k_proj": "key", "v_proj": "value", "out_proj": "out"}
_OUTSIDE = {
    "encoder.embed_positions.weight": "encoder.positional_embedding",
    "decoder.embed_positions.weight": "decoder.positional_embedding",
    "encoder.layer_norm": "encoder.ln_post",
    "decoder.layer_norm": "decoder.ln",
    "decoder.embed_tokens": "decoder.token_embedding",
}
_ALWAYS_FLOAT32 = re.compile(r"positional_embedding$|conv\d\.bias$")
_TEXT_POSITIONS = "decoder.positional_embedding"


class Tensor(NamedTuple):
    """A tensor as whisper.cpp names it."""

    name: str
    values: np.ndarray


def check_ggml(whisper: Whisper) -> None:
    """Raises UserError for a model that whisper.cpp cannot run as it is."""
    name = whisper.source.path
    difference = find_window_difference(whisper) or find_vocabulary_difference(whisper)
    if difference:
        raise UserError(f"{name}: whisper.cpp cannot run it: {difference}")
    model = whisper.model
    table = model.model.decoder.embed_tokens.weight
    if not torch.equal(table, model.proj_out.weight):
        raise UserError(f"{name}: whisper.cpp cannot run it: its output layer has its own weights")


def text_positions(whisper: Whisper) -> int:
    """The number of decoder positions that is written.

    whisper.cpp writes at most half of it less 4 labels in a window. OpenAI's vocabulary takes more
    than two labels for a character of Khmer, so that 220 labels end a sentence after 8 s: twice
    the positions are written, of which the decoder uses the first half. A vocabulary with Khmer
    entries writes 30 s in less than 220.
    """
    positions = whisper.model.config.max_target_positions
    return positions if whisper.khmer_vocabulary else 2 * positions


def write_ggml(whisper: Whisper, path: Path) -> None:
    """Write the model into the file `path`.

    Raises UserError for a model that whisper.cpp cannot run, and for weights that do not fit
    float16.
    """
    check_ggml(whisper)
    with path.open("wb") as file:
        _write_sizes(file, whisper)
        filters = np.ascontiguousarray(whisper.extractor.mel_filters.T, "<f4")
        _write_integers(file, *filters.shape)
        file.write(filters.tobytes())
        _write_vocabulary(file, list_entries(whisper))
        for tensor in list_tensors(whisper):
            _write_tensor(file, tensor)


def list_entries(whisper: Whisper) -> list[bytes]:
    """The bytes of each text entry of the vocabulary, by id."""
    byte_of = {symbol: byte for byte, symbol in bytes_to_unicode().items()}
    by_id = {i: entry for entry, i in whisper.tokenizer.backend_tokenizer.get_vocab().items()}
    entries = (by_id.get(i, "") for i in range(whisper.labeller.end))
    return [bytes(byte_of[symbol] for symbol in entry) for entry in entries]


def list_tensors(whisper: Whisper) -> Iterator[Tensor]:
    """The weights, in float32, in the shapes that whisper.cpp expects."""
    for key, weight in whisper.model.model.state_dict().items():
        name = rename(key)
        values = weight.detach().cpu().float().numpy()
        if re.fullmatch(r"encoder\.conv\d\.bias", name):
            values = values[:, None]
        if name == _TEXT_POSITIONS:
            unused = text_positions(whisper) - len(values)
            values = np.pad(values, ((0, unused), (0, 0)))
        yield Tensor(name, values)


def rename(key: str) -> str:
    """The name in openai/whisper of a weight of transformers' `WhisperModel`."""
    if match := re.fullmatch(r"(encoder|decoder)\.layers\.(\d+)\.(.+)\.(weight|bias)", key):
        side, number, layer, kind = match.groups()
        attention, _, projection = layer.partition(".")
        if projection:
            layer = f"{_ATTENTIONS[attention]}.{_PROJECTIONS[projection]}"
        else:
            layer = _LAYERS[layer]
        return f"{side}.blocks.{number}.{layer}.{kind}"
    if key in _OUTSIDE:
        return _OUTSIDE[key]
    layer, _, kind = key.rpartition(".")
    return f"{_OUTSIDE.get(layer, layer)}.{kind}"


def _write_sizes(file: BinaryIO, whisper: Whisper) -> None:
    config = whisper.model.config
    _write_integers(
        file,
        _MAGIC,
        config.vocab_size,
        config.max_source_positions,
        config.d_model,
        config.encoder_attention_heads,
        config.encoder_layers,
        text_positions(whisper),
        config.d_model,
        config.decoder_attention_heads,
        config.decoder_layers,
        config.num_mel_bins,
        1,
    )


def _write_vocabulary(file: BinaryIO, entries: Sequence[bytes]) -> None:
    _write_integers(file, len(entries))
    for entry in entries:
        _write_integers(file, len(entry))
        file.write(entry)


def _write_tensor(file: BinaryIO, tensor: Tensor) -> None:
    name, values = tensor
    half = values.ndim > 1 and not _ALWAYS_FLOAT32.search(name)
    if half and np.abs(values).max() > _FLOAT16_MAX:
        raise UserError(f"{name}: a weight is too large for float16, which whisper.cpp needs")
    encoded = name.encode()
    _write_integers(file, values.ndim, len(encoded), int(half))
    _write_integers(file, *reversed(values.shape))
    file.write(encoded)
    file.write(np.ascontiguousarray(values, "<f2" if half else "<f4").tobytes())


def _write_integers(file: BinaryIO, *numbers: int) -> None:
    file.write(struct.pack(f"<{len(numbers)}i", *numbers))
