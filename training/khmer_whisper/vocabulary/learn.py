"""Byte-pair encoding of Khmer: the merges that turn its bytes into characters and longer entries.

An entry or token of the vocabulary is written as in tokenizer.json: one letter of GPT-2's alphabet
for each byte. Every merge made here has the first two bytes of a Khmer character in its result, and
these begin no other character of Unicode: put before all other merges, they leave text
without Khmer as it is.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Iterator

from tokenizers import Regex, Tokenizer
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel, PreTokenizer, Sequence, Split
from tokenizers.trainers import BpeTrainer
from transformers.convert_slow_tokenizer import bytes_to_unicode

Merge = tuple[str, str]

CHARACTERS = [
    chr(code) for code in range(0x1780, 0x1800) if unicodedata.category(chr(code)) != "Cn"
]
# A stretch of Khmer is one piece, with the space before it: as in Whisper, a word and its space
# are one entry. Letters, vowel signs, digits and punctuation may share entries.
RUN = " ?[\u1780-\u17ff]+"
# GPT-2's own (Radford et al. 2019, "Language models are unsupervised multitask learners"), for
# all that is not Khmer.
STOCK = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
LONGEST = 12  # characters: longer entries are the phrases of one text, and save nothing elsewhere
LEAST = 2  # occurrences of what becomes an entry
_LETTERS = bytes_to_unicode()
_BYTES = {letter: byte for byte, letter in _LETTERS.items()}


def symbols(text: str) -> str:
    """`text` as a vocabulary writes it: a letter for each of its bytes."""
    return "".join(_LETTERS[byte] for byte in text.encode())


def written(entry: str) -> str | None:
    """The text of a vocabulary's entry; None for one that holds a part of a character."""
    try:
        return bytes(_BYTES[letter] for letter in entry).decode()
    except (KeyError, UnicodeDecodeError):  # an added token has letters that are no byte's
        return None


def pre_tokenizer() -> PreTokenizer:
    """Stretches of Khmer stay whole; all other text is split as GPT-2 splits it."""
    return Sequence(
        [
            Split(Regex(RUN), "isolated"),
            Split(Regex(f"{RUN}|{STOCK}"), "isolated"),
            ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )


def character_merges() -> list[Merge]:
    """Merges that make one entry of each Khmer character: of two bytes, then of the third."""
    merges: dict[Merge, None] = {}
    for character in CHARACTERS:
        first, second, third = tuple(symbols(character))
        merges[first, second] = None
        merges[first + second, third] = None
    # The pairs of bytes come first, so that none of them is ever merged to something else.
    return sorted(merges, key=lambda merge: len(merge[0]) > 1)


def learn_merges(texts: Iterable[str], count: int) -> list[Merge]:
    """The merges of Khmer characters that shorten `texts` most, in their order: `count` or fewer.

    Sennrich et al. 2016, "Neural machine translation of rare words with subword units"; stretches
    of Khmer stand for words. Each merge's result is an entry of its own. There are fewer where
    the texts do not repeat themselves that often.
    """
    bpe = Tokenizer(BPE())
    trainer = BpeTrainer(
        vocab_size=len(CHARACTERS) + 1 + count,
        min_frequency=LEAST,
        max_token_length=LONGEST,
        initial_alphabet=[" ", *CHARACTERS],
        show_progress=False,
    )
    bpe.train_from_iterator(_runs(texts), trainer)
    merges = json.loads(bpe.to_str())["model"]["merges"]
    return [(symbols(left), symbols(right)) for left, right in merges]


def _runs(texts: Iterable[str]) -> Iterator[str]:
    pattern = re.compile(RUN)
    for text in texts:
        yield from pattern.findall(text)
