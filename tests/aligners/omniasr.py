"""Omnilingual ASR as its conversions to Wav2Vec2ForCTC are published, but thin and random."""

import json
from pathlib import Path

import torch
from transformers import Wav2Vec2Config, Wav2Vec2ForCTC

VOCABULARY_SIZE = 10_288
SPECIAL = ["<s>", "<pad>", "</s>", "<unk>"]
TOKENIZER = {
    "tokenizer_class": "Wav2Vec2CTCTokenizer",
    "unk_token": "<unk>",
    "bos_token": "<s>",
    "eos_token": "</s>",
    "pad_token": "<s>",
    "word_delimiter_token": "▁",
    "do_lower_case": False,
    "replace_word_delimiter_char": " ",
}
PREPROCESSOR = {
    "feature_extractor_type": "Wav2Vec2FeatureExtractor",
    "feature_size": 1,
    "sampling_rate": 16000,
    "padding_value": 0.0,
    "do_normalize": True,
    "return_attention_mask": False,
}


def vocabulary() -> dict[str, int]:
    """Special tokens first, then characters: Latin, Khmer, and a great many others."""
    characters = [*map(chr, range(0x61, 0x7B)), *map(chr, range(0x1780, 0x17D4)), "▁", "'"]
    more = VOCABULARY_SIZE - len(SPECIAL) - len(characters)
    tokens = [*SPECIAL, *map(chr, range(0x4E00, 0x4E00 + more)), *characters]
    return {token: i for i, token in enumerate(tokens)}


def write(folder: Path, pad_token_id: int = 0) -> Path:
    """The published layout: real strides, kernels and vocabulary, 2 layers of 64."""
    torch.manual_seed(0)
    model = Wav2Vec2ForCTC(
        Wav2Vec2Config(
            hidden_size=64,
            num_hidden_layers=2,
            num_attention_heads=4,
            intermediate_size=128,
            conv_dim=(32,) * 7,
            conv_stride=(5, 2, 2, 2, 2, 2, 2),
            conv_kernel=(10, 3, 3, 3, 3, 2, 2),
            conv_bias=True,
            do_stable_layer_norm=True,
            feat_extract_norm="layer",
            num_conv_pos_embeddings=128,
            num_conv_pos_embedding_groups=16,
            vocab_size=VOCABULARY_SIZE,
            pad_token_id=pad_token_id,
        )
    )
    torch.nn.init.normal_(model.lm_head.weight, std=0.5)  # as sure of itself as a trained one
    torch.nn.init.constant_(model.lm_head.bias[:1], 20.0)  # and with the blank most of the time
    model.save_pretrained(folder)
    for name, value in (
        ("vocab.json", vocabulary()),
        ("tokenizer_config.json", TOKENIZER),
        ("preprocessor_config.json", PREPROCESSOR),
    ):
        (folder / name).write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")
    return folder
