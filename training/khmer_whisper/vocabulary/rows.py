"""Rows of the embedding for new entries: how they begin, and learning them before all the rest.

Whisper's embedding and its output layer are one table: a row is what the decoder reads for an id,
and what its state is compared with before it writes that id.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from tokenizers import Tokenizer
from transformers import WhisperTokenizer

from khmer_whisper.model import Whisper
from khmer_whisper.vocabulary.learn import CHARACTERS, written

Beginning = Literal["mean", "last", "random"]


def khmer_ids(tokenizer: WhisperTokenizer) -> list[int]:
    """Ids of the entries that hold Khmer characters, in order; none in a stock Whisper's."""
    texts = ((written(entry), i) for entry, i in tokenizer.get_vocab().items())
    khmer = set(CHARACTERS)
    return sorted(i for text, i in texts if text and not khmer.isdisjoint(text))


def embedding(whisper: Whisper) -> torch.nn.Parameter:
    """The table (ids, width) of the decoder's embedding."""
    return whisper.model.model.decoder.embed_tokens.weight


def pieces(tokenizer: Tokenizer, entry: str) -> list[int]:
    """The ids with which `tokenizer` has written an entry until now."""
    text = written(entry)
    if text is not None:
        return tokenizer.encode(text, add_special_tokens=False).ids
    vocabulary = tokenizer.get_vocab()
    return [vocabulary[letter] for letter in entry]  # a part of a character: its bytes


def begin_rows(
    table: torch.Tensor, parts: Sequence[Sequence[int]], beginning: Beginning = "mean"
) -> torch.Tensor:
    """Rows (n, width) for n new entries, from the rows of `table` (ids, width) of their parts.

    `mean`: of the parts' rows. `last`: the same, a part weighing more the later it comes, for what
    is written next depends on the end. `random`: as the table's rows are spread, and no more.
    """
    if beginning == "random":
        spread = table.std(dim=0)
        return table.mean(dim=0) + spread * torch.randn(len(parts), table.shape[1]).to(table)
    rows = []
    for ids in parts:
        weights = torch.ones(len(ids)) if beginning == "mean" else torch.arange(1.0, len(ids) + 1)
        weights = weights.to(table)  # the model may lie on a GPU
        rows.append((weights[:, None] * table[list(ids)]).sum(0) / weights.sum())
    return torch.stack(rows)
