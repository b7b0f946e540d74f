"""Which column of a CTC model is the blank, and whether its greedy output makes sense."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping, Sequence

import numpy as np
from transformers import PreTrainedConfig

from khmer_aligned.errors import UserError

_NAMES = ("<blank>", "[BLANK]", "<blk>", "<ctc_blank>")
# The order of fairseq's dictionaries. Its loss, and fairseq2's, takes id 0 for the blank, whatever
# a conversion calls padding.
_FAIRSEQ = ("<s>", "<pad>", "</s>", "<unk>")
_SILENT = re.compile(r"<(?!rest>).*>|\[.*\]|[|▁ ]?")  # tokens that stand for no letter
_SHORTEST = 250  # frames, 5 s: what is shorter says too little
_MOST = 0.5  # share of the frames from which one token is too many
_FEWEST = 0.05  # share of the frames that a true blank surely has


def find_blank(config: PreTrainedConfig, vocabulary: Mapping[str, int]) -> int:
    """The blank's id: a token of that name, id 0 in fairseq's order, else the padding of the
    configuration, which the losses of `transformers` take for it.

    Raises ValueError where there is none of these.
    """
    for name in _NAMES:
        if name in vocabulary:
            return vocabulary[name]
    if all(vocabulary.get(name) == i for i, name in enumerate(_FAIRSEQ)):
        return 0
    if config.pad_token_id is None or not 0 <= config.pad_token_id < config.vocab_size:
        raise ValueError("config.json has no pad_token_id, which would be the CTC blank")
    return config.pad_token_id


def check_greedy(name: str, emission: np.ndarray, vocabulary: Sequence[str], blank: int) -> None:
    """Compare the greedy output of an emission (T, V) with what a CTC model gives for speech.

    Raises UserError where a special token or a word's delimiter stands in the blank's place; warns
    where one letter is nearly all that comes out, as it is for a model whose input is normalized
    otherwise than in its training.
    """
    if len(emission) < _SHORTEST:
        return
    shares = np.bincount(emission.argmax(axis=1), minlength=len(vocabulary)) / len(emission)
    usual = int(shares.argmax())
    if usual == blank or shares[usual] < _MOST:
        return
    share = f"{shares[usual]:.0%} of its frames are {vocabulary[usual]!r}"
    if _SILENT.fullmatch(vocabulary[usual]) and shares[blank] < _FEWEST:
        raise UserError(
            f"{name}: {vocabulary[blank]!r}, id {blank}, was taken for the CTC blank, but "
            f"{share}; set pad_token_id in its config.json to the blank's id"
        )
    warnings.warn(
        f"{name}: its greedy output is hardly speech: {share}. Does it know Khmer, and does its "
        "preprocessor_config.json normalize as it was trained?",
        stacklevel=2,
    )
