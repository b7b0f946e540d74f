"""A tokenizer of transformers that splits text as its tokenizer.json says."""

from __future__ import annotations

from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerBase
from transformers.utils import cached_file

from khmer_aligned.hub.resolve import Source


def restore_pre_tokenizer(tokenizer: PreTrainedTokenizerBase, source: Source) -> None:
    """Give `tokenizer`, which was loaded from `source`, the pre-tokenizer of its tokenizer.json.

    transformers puts GPT-2's in its place whenever it loads a Whisper tokenizer. For a vocabulary
    with Khmer entries that one is wrong: it parts letters from vowel signs, and most of the
    entries are never used. A source without a tokenizer.json, and a tokenizer without a backend,
    stay as they are.
    """
    file = cached_file(
        source.path,
        "tokenizer.json",
        revision=source.revision,
        _raise_exceptions_for_missing_entries=False,
    )
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if file is None or backend is None:
        return
    stated = Tokenizer.from_file(file).pre_tokenizer
    if stated is not None:
        backend.pre_tokenizer = stated
