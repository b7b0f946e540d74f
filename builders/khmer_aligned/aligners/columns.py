"""The columns of a large vocabulary that Khmer text can need.

Omnilingual ASR has 10,288 tokens, of characters of every script: an hour of its emissions would
take 7.4 GB. All of them compete in the softmax; after it, 140 columns and one for the best of the
rest say the same about Khmer text in 0.1 GB.
"""

from __future__ import annotations

import string
from collections.abc import Collection, Sequence

import torch

LARGE = 512  # tokens from which a vocabulary is worth it
REST = "<rest>"
# Khmer letters and signs without the currency sign and the digits, which are read as words; the
# letters of names in Latin script.
_NEEDED = frozenset({*map(chr, range(0x1780, 0x17DE)), *string.ascii_letters, "'"}) - {"\u17db"}


class Columns:
    """The columns that are kept of emissions over `vocabulary`, and the best of the rest.

    vocabulary: tokens by id. blank and `others`: ids that are kept besides those of Khmer text.

    Where the rest is the best, the model gives a letter that the text cannot hold: to a star, and
    to greedy decoding, it is a letter like the others, as it is among all columns. So the best
    path and its score are those of the whole matrix. Only two such letters in a row are one in
    greedy decoding.
    """

    def __init__(self, vocabulary: Sequence[str], blank: int, others: Collection[int] = ()) -> None:
        kept = [
            i for i, token in enumerate(vocabulary) if i == blank or i in others or token in _NEEDED
        ]
        self.vocabulary = (*(vocabulary[i] for i in kept), REST)
        self.kept = tuple(kept)
        self.blank = kept.index(blank)

    def select(self, log_probs: torch.Tensor) -> torch.Tensor:
        """Log-probabilities (T, V) to those of `self.vocabulary`, (T, K + 1)."""
        kept = torch.tensor(self.kept, device=log_probs.device)
        rest = log_probs.index_fill(-1, kept, -torch.inf).amax(dim=-1, keepdim=True)
        return torch.cat([log_probs[:, kept], rest], dim=-1)
