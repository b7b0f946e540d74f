"""A Whisper tokenizer with as many entries as a test needs, and text to learn Khmer ones from."""

from __future__ import annotations

import json
from itertools import product

from tokenizers import Tokenizer
from transformers import WhisperTokenizer

from khmer_whisper.demo.tokenizer import byte_tokenizer
from khmer_whisper.vocabulary.learn import symbols

CYRILLIC = "абвгдежзиклмнопрстуфхцчшщыэюя"
SENTENCES = [
    "ខ្ញុំ ទៅ ផ្សារ។ ខ្ញុំទិញត្រី និងបន្លែ។",
    "ថ្ងៃនេះ មេឃស្រឡះ ខ្ញុំទៅសាលារៀន។",
    "គាត់ធ្វើការនៅរាជធានីភ្នំពេញ ជាមួយមិត្តភក្តិ។",
    "ខ្ញុំចូលចិត្តអានសៀវភៅ និងស្ដាប់ចម្រៀង។",
    "ទឹក ឆ្កែ ល្អ ធំ ទឹកល្អ ឆ្កែធំ",
]


def small_tokenizer() -> WhisperTokenizer:
    """The demo's byte tokenizer with 870 Cyrillic entries: letters, and pairs of letters.

    Its text ids are 0 to 1,125; the special and timestamp tokens follow in Whisper's order.
    """
    letters = [symbols(letter) for letter in CYRILLIC]
    merges = [tuple(letter) for letter in letters] + list(product(letters, letters))
    tokenizer = byte_tokenizer()
    table = json.loads(tokenizer.backend_tokenizer.to_str())
    vocabulary = table["model"]["vocab"]
    vocabulary |= {left + right: 256 + i for i, (left, right) in enumerate(merges)}
    table["model"]["merges"] = [list(merge) for merge in merges]
    for token in table["added_tokens"]:
        token["id"] += len(merges)
    processor = table["post_processor"]["special_tokens"]
    for token in processor.values():
        token["ids"] = [i + len(merges) for i in token["ids"]]
    tokenizer._tokenizer = Tokenizer.from_str(json.dumps(table))
    tokenizer.set_prefix_tokens(language="khmer", task="transcribe", predict_timestamps=False)
    return tokenizer
