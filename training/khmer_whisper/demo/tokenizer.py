"""A Whisper tokenizer over bytes, for Whispers too small for Whisper's own vocabulary."""

from __future__ import annotations

from tokenizers import AddedToken
from transformers import WhisperTokenizer
from transformers.convert_slow_tokenizer import bytes_to_unicode
from transformers.models.whisper.tokenization_whisper import LANGUAGES

TIMESTAMPS = 1501  # <|0.00|> to <|30.00|> in steps of 0.02 s, as in every Whisper
LATER_LANGUAGES = {"yue"}  # added with large-v3; earlier checkpoints have 99 languages


def byte_tokenizer() -> WhisperTokenizer:
    """A `WhisperTokenizer` whose text tokens are the 256 byte values, in that order.

    The special, language and timestamp tokens are Whisper's own and follow in Whisper's order:
    1,864 ids in all. Its language is Khmer and its task transcription, so that an encoded text
    is `<|startoftranscript|><|km|><|transcribe|><|notimestamps|>`, the UTF-8 bytes, and
    `<|endoftext|>`. `save_pretrained` writes a tokenizer.json that `from_pretrained` reads.
    """
    symbols = bytes_to_unicode()
    tokenizer = WhisperTokenizer(vocab={symbols[byte]: byte for byte in range(256)}, merges=[])
    special = [
        "<|endoftext|>",
        "<|startoftranscript|>",
        *(f"<|{code}|>" for code in LANGUAGES if code not in LATER_LANGUAGES),
        "<|translate|>",
        "<|transcribe|>",
        "<|startoflm|>",
        "<|startofprev|>",
        "<|nospeech|>",
        "<|notimestamps|>",
    ]
    # All in one call and in this order: for WhisperTokenizer the first timestamp is the id after
    # the last special token.
    tokenizer.add_special_tokens(
        {"pad_token": "<|endoftext|>", "additional_special_tokens": special[1:]}
    )
    tokenizer.add_tokens(
        [AddedToken(f"<|{i * 0.02:.2f}|>", special=False) for i in range(TIMESTAMPS)]
    )
    tokenizer.set_prefix_tokens(language="khmer", task="transcribe", predict_timestamps=False)
    return tokenizer
