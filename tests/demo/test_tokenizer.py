"""A tokenizer over bytes with Whisper's special tokens."""

import pytest
from transformers import AutoTokenizer, WhisperTokenizer

from khmer_whisper.demo.tokenizer import byte_tokenizer

TEXTS = [
    "ថ្ងៃនេះ ខ្ញុំទៅផ្សារ ទិញត្រី ២គីឡូ។",
    "ក្មេងៗ លេង 3 ម៉ោង , don't . ៖ ៛",
    "🙂 \u200bខ្មែរ\n",
    "",
]


@pytest.fixture(scope="module")
def tokenizer():
    return byte_tokenizer()


def test_has_the_ids_of_whisper_after_the_bytes(tokenizer):
    assert len(tokenizer) == 1864
    ids = tokenizer.convert_tokens_to_ids(
        ["<|endoftext|>", "<|startoftranscript|>", "<|km|>", "<|notimestamps|>", "<|0.00|>"]
    )
    # Whisper's own ids, less the 50,001 text tokens that this one lacks.
    assert ids == [i - 50_001 for i in (50_257, 50_258, 50_323, 50_363, 50_364)]
    assert tokenizer.pad_token_id == tokenizer.eos_token_id == 256


@pytest.mark.parametrize("text", TEXTS)
def test_text_is_its_bytes_and_comes_back(tokenizer, text):
    ids = tokenizer(text).input_ids
    prefix = tokenizer.convert_tokens_to_ids(
        ["<|startoftranscript|>", "<|km|>", "<|transcribe|>", "<|notimestamps|>"]
    )
    assert ids == [*prefix, *text.encode(), 256]
    assert tokenizer.decode(ids, skip_special_tokens=True) == text


@pytest.mark.parametrize("loader", [WhisperTokenizer, AutoTokenizer])
def test_survives_saving(tokenizer, tmp_path, loader):
    tokenizer.save_pretrained(tmp_path)
    assert (tmp_path / "tokenizer.json").exists()
    loaded = loader.from_pretrained(tmp_path)
    assert isinstance(loaded, WhisperTokenizer)
    for text in TEXTS:
        ids = loaded(text).input_ids
        assert ids == tokenizer(text).input_ids
        assert loaded.decode(ids, skip_special_tokens=True) == text


def test_decodes_timestamps(tokenizer):
    text = tokenizer("ទឹក", add_special_tokens=False).input_ids
    start, end = tokenizer.convert_tokens_to_ids(["<|0.00|>", "<|1.02|>"])
    decoded = tokenizer.decode([start, *text, end], decode_with_timestamps=True)
    assert decoded == "<|0.00|>ទឹក<|1.02|>"
